#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

/* A body whose length is announced gets this much address space at once; the rest only as bytes really come. */
#define BODY_TRUSTED_BYTES (4u * 1024 * 1024)
#define BODY_FIRST_BYTES (16u * 1024)
/* What it counts for at first: pages are touched only as bytes come. */
#define BODY_CHARGED_BYTES (256u * 1024)
/* Read at once to a body's own place. */
#define DIRECT_BYTES_MAX (256u * 1024)
/* Of a request's headers and of what the handler adds. */
#define ARENA_BYTES_MAX (4u * 1024 * 1024)
/* What an open request costs without a header, about. */
#define EXCHANGE_BYTES 2048u
/* A longer status message would break the client's own header limit (8 KiB in some), escaped and in the details. */
#define GRPC_MESSAGE_MAX 1024u
#define GRPC_HEADER_BYTES_MAX (16u * 1024)
/* A body, or the reading of an answer, that lasts longer than the stall timeout must have kept up at least this pace all along: a byte now and then
 * is no progress. */
#define PACE_MIN_BYTES_S 1024u
/* Without progress for this long a request makes room when there is none for others. */
#define STALLED_MS 5000u

static void deliver(void *arg);

struct http_exchange *http_exchange_new(struct http_conn *conn)
{
    struct http_exchange *exchange = pp_calloc(1, sizeof(*exchange));
    struct pp_http_request *request;

    if (!exchange)
        return NULL;
    atomic_init(&exchange->refs, 1);
    exchange->server = http_server_ref(conn->shard->server);
    exchange->loop = pp_loop_ref(conn->shard->loop);
    exchange->conn = conn;
    exchange->started_ms = exchange->progress_ms = http_now();
    exchange->head_charged = EXCHANGE_BYTES;
    atomic_fetch_add_explicit(&exchange->server->inflight_bytes, EXCHANGE_BYTES, memory_order_relaxed);
    exchange->task = (struct pp_task){.run = deliver, .arg = exchange};
    request = &exchange->request;
    request->arena.bytes_limit = ARENA_BYTES_MAX;
    request->tls = pp_stream_ssl(conn->stream) != NULL;
    request->scheme = request->tls ? PP_STR("https") : PP_STR("http");
    request->body_bytes_max = exchange->server->options.body_bytes_max;
    /* The connection may be gone before the answer. */
    request->peer = pp_str_c(pp_arena_strdup(&request->arena, pp_str_c(conn->peer)));
    if (conn->tls_peer_name)
        request->tls_peer_name = pp_str_c(pp_arena_strdup(&request->arena, pp_str_c(conn->tls_peer_name)));
    if (request->arena.failed) {
        http_exchange_unref(exchange);
        return NULL;
    }
    conn->rearm = true;
    return exchange;
}

static void uncharge(struct http_exchange *exchange)
{
    atomic_fetch_sub_explicit(&exchange->server->inflight_bytes, exchange->charged, memory_order_relaxed);
    exchange->charged = 0;
}

void http_exchange_unref(struct http_exchange *exchange)
{
    if (!exchange || atomic_fetch_sub_explicit(&exchange->refs, 1, memory_order_acq_rel) != 1)
        return;
    uncharge(exchange);
    atomic_fetch_sub_explicit(&exchange->server->inflight_bytes, exchange->head_charged, memory_order_relaxed);
    pp_bytes_unref(exchange->request.body);
    pp_bytes_unref(exchange->out_body);
    pp_buf_done(&exchange->held);
    pp_bytes_unref(exchange->body);
    pp_vec_done(&exchange->headers);
    pp_arena_done(&exchange->request.arena);
    http_server_unref(exchange->server);
    pp_loop_unref(exchange->loop);
    pp_free(exchange);
}

static struct http_exchange *hand_over(struct http_exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->refs, 1, memory_order_relaxed);
    return exchange;
}

bool http_exchange_charge_head(struct http_exchange *exchange, size_t n)
{
    struct pp_http_server *server = exchange->server;

    if (atomic_fetch_add_explicit(&server->inflight_bytes, n, memory_order_relaxed) + n > server->options.inflight_bytes_max) {
        atomic_fetch_sub_explicit(&server->inflight_bytes, n, memory_order_relaxed);
        return false;
    }
    exchange->head_charged += n;
    return true;
}

/* Of RFC 9113's field size: name, value and 32 bytes of overhead each. */
#define HEADER_OVERHEAD_BYTES 32u

int http_exchange_add_header(struct http_exchange *exchange, struct pp_str name, struct pp_str value)
{
    const struct pp_http_server_options *options = &exchange->server->options;
    struct pp_arena *arena = &exchange->request.arena;
    struct pp_http_header header;

    exchange->header_bytes += name.n + value.n + HEADER_OVERHEAD_BYTES;
    if (exchange->header_bytes > options->header_bytes_max || exchange->headers.n >= options->headers_max)
        return 431;
    if (!http_exchange_charge_head(exchange, name.n + value.n + HEADER_OVERHEAD_BYTES))
        return 503;
    header.name = (struct pp_str){pp_arena_strdup(arena, name), name.n};
    header.value = (struct pp_str){pp_arena_strdup(arena, value), value.n};
    return !arena->failed && pp_vec_push(&exchange->headers, header) ? 0 : 500;
}

struct pp_str pp_http_request_header(const struct pp_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_n; i++)
        if (pp_str_eq_c(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct pp_str){0};
}

size_t pp_http_request_header_count(const struct pp_http_request *request, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < request->headers_n; i++)
        n += pp_str_eq_c(request->headers[i].name, name);
    return n;
}

static bool is_grpc(const struct pp_http_request *request)
{
    static const struct pp_str type = {"application/grpc", 16};
    struct pp_str value = pp_http_request_header(request, "content-type");

    if (request->http_version != 20 || !pp_str_eq_c(request->method, "POST") || value.n < type.n ||
        !pp_str_eq_nocase((struct pp_str){value.p, type.n}, type))
        return false;
    return value.n == type.n || value.p[type.n] == '+' || value.p[type.n] == ';';
}

static void refuse_oversize(struct http_exchange *exchange)
{
    char message[96];

    snprintf(message, sizeof(message), "request body is over the limit of %llu bytes",
             (unsigned long long)exchange->request.body_bytes_max);
    http_exchange_refuse(exchange, 413, message);
}

/* The sender is known, or nobody asks: the request may come in. False when the handler has answered it. */
static bool admit(struct http_exchange *exchange)
{
    struct pp_http_request *request = &exchange->request;
    const struct pp_http_handler *handler = &exchange->server->handler;

    exchange->phase = HTTP_BODY;
    exchange->progress_ms = http_now();
    if (handler->on_headers) {
        hand_over(exchange);
        handler->on_headers(handler->context, request);
        if (exchange->answered)
            return false;
        http_exchange_unref(exchange);
    }
    if (!request->grpc && request->has_content_length) {
        if (request->content_length > request->body_bytes_max) {
            refuse_oversize(exchange);
            return false;
        }
        exchange->body_expected = request->content_length;
    }
    return true;
}

/* On the loop: a held request is admitted. Gives up the handler's reference. */
static void resume(void *arg)
{
    struct http_exchange *exchange = arg;
    struct http_conn *conn = exchange->conn;

    exchange->task.run = deliver; /* of the answer to come */
    if (conn && !conn->closed) {
        http_conn_enter(conn);
        conn->rearm = true;
        admit(exchange);
        conn->protocol->resume(conn, exchange);
        http_conn_leave(conn);
    }
    http_exchange_unref(exchange);
}

void pp_http_request_admit(struct pp_http_request *request)
{
    struct http_exchange *exchange = (struct http_exchange *)request;

    exchange->task.run = resume;
    if (!pp_loop_post(exchange->loop, &exchange->task))
        http_exchange_unref(exchange); /* the server is gone, and the connection with it */
}

bool http_exchange_on_headers(struct http_exchange *exchange)
{
    struct pp_http_request *request = &exchange->request;
    const struct pp_http_handler *handler = &exchange->server->handler;

    exchange->phase = HTTP_BODY;
    request->grpc = is_grpc(request);
    if (handler->authenticate) {
        hand_over(exchange);
        switch (handler->authenticate(handler->context, request)) {
        case PP_HTTP_ANSWERED:
            return false;
        case PP_HTTP_HELD: /* the handler keeps its reference */
            exchange->phase = HTTP_HELD;
            return false;
        case PP_HTTP_ADMITTED:
            http_exchange_unref(exchange);
            break;
        }
    }
    return admit(exchange);
}

/* The next step of something that grows from `first` by doubling: at least `need`, no more than the body will have. */
static size_t next_step(const struct http_exchange *exchange, size_t now, size_t first, size_t need)
{
    size_t want = now ? now * 2 : first;

    if (exchange->body_expected && want > exchange->body_expected)
        want = exchange->body_expected;
    return want < need ? need : want;
}

/* Charges the server's budget for a body of `need` bytes. */
static bool charge(struct http_exchange *exchange, size_t need)
{
    struct pp_http_server *server = exchange->server;
    size_t more;

    if (need <= exchange->charged)
        return true;
    more = next_step(exchange, exchange->charged, BODY_CHARGED_BYTES, need) - exchange->charged;
    if (atomic_fetch_add_explicit(&server->inflight_bytes, more, memory_order_relaxed) + more > server->options.inflight_bytes_max) {
        atomic_fetch_sub_explicit(&server->inflight_bytes, more, memory_order_relaxed);
        return false;
    }
    exchange->charged += more;
    return true;
}

/* Makes room for `n` more bytes. False when the budget or memory is out. */
static bool body_reserve(struct http_exchange *exchange, size_t n)
{
    size_t need = exchange->body_n + n, cap = exchange->body ? exchange->body->cap : 0;
    struct pp_bytes *body;

    if (!charge(exchange, need))
        return false;
    if (need <= cap)
        return true;
    body = pp_bytes_new(next_step(exchange, cap, exchange->body_expected ? BODY_TRUSTED_BYTES : BODY_FIRST_BYTES, need));
    if (!body)
        return false;
    if (exchange->body_n)
        memcpy(body->data, exchange->body->data, exchange->body_n);
    pp_bytes_unref(exchange->body);
    exchange->body = body;
    return true;
}

bool http_exchange_room(struct http_exchange *exchange, char **ret_at, size_t *ret_n)
{
    size_t n = exchange->body_expected - exchange->body_n;

    if (exchange->body_expected == 0 || n < HTTP_DIRECT_BYTES_MIN)
        return false;
    if (n > DIRECT_BYTES_MAX)
        n = DIRECT_BYTES_MAX;
    if (!body_reserve(exchange, n))
        return false; /* and the bytes, once they are there, are refused */
    *ret_at = exchange->body->data + exchange->body_n;
    *ret_n = n;
    return true;
}

/* Takes the 5 bytes before a gRPC message out of the stream. */
static bool take_prefix(struct http_exchange *exchange, struct pp_str *data)
{
    struct pp_http_request *request = &exchange->request;
    const unsigned char *p = exchange->prefix;

    while (exchange->prefix_n < PP_GRPC_PREFIX_SIZE) {
        if (data->n == 0)
            return true;
        exchange->prefix[exchange->prefix_n++] = (unsigned char)*data->p;
        data->p++;
        data->n--;
        if (exchange->prefix_n < PP_GRPC_PREFIX_SIZE)
            continue;
        request->grpc_compressed = p[0] == 1;
        exchange->body_expected = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
        if (p[0] > 1) {
            http_exchange_refuse(exchange, 400, "malformed gRPC message prefix");
            return false;
        }
        if (exchange->body_expected > request->body_bytes_max) {
            char message[128];

            snprintf(message, sizeof(message), "message of %llu bytes is over the limit of %llu",
                     (unsigned long long)exchange->body_expected, (unsigned long long)request->body_bytes_max);
            http_exchange_refuse(exchange, 413, message);
            return false;
        }
    }
    if (data->n > exchange->body_expected - exchange->body_n) {
        http_exchange_refuse(exchange, 400, "more than one message in a unary call");
        return false;
    }
    return true;
}

bool http_exchange_on_body(struct http_exchange *exchange, struct pp_str data)
{
    if (exchange->answered)
        return false;
    exchange->progress_ms = http_now();
    if (exchange->request.grpc && !take_prefix(exchange, &data))
        return false;
    if (data.n == 0)
        return true;
    if (data.n > exchange->request.body_bytes_max - exchange->body_n) {
        refuse_oversize(exchange);
        return false;
    }
    if (!body_reserve(exchange, data.n)) {
        http_exchange_refuse(exchange, 503, "too much data in flight, try again");
        return false;
    }
    /* Not what was read to its place at once. */
    if (data.p != exchange->body->data + exchange->body_n)
        memcpy(exchange->body->data + exchange->body_n, data.p, data.n);
    exchange->body_n += data.n;
    return true;
}

/* A unary call has exactly one message (statuscodes.md: request cardinality violation). */
static bool grpc_is_whole(struct http_exchange *exchange)
{
    if (exchange->prefix_n == 0) {
        struct pp_grpc_status status = {PP_GRPC_UNIMPLEMENTED, PP_STR("no message in a unary call"), PP_GRPC_NO_RETRY_DELAY};

        hand_over(exchange);
        pp_grpc_respond(&exchange->request, &status, NULL);
        return false;
    }
    if (exchange->prefix_n < PP_GRPC_PREFIX_SIZE || exchange->body_n < exchange->body_expected) {
        http_exchange_refuse(exchange, 400, "gRPC message is cut short");
        return false;
    }
    return true;
}

void http_exchange_on_end(struct http_exchange *exchange)
{
    struct pp_http_request *request = &exchange->request;
    const struct pp_http_handler *handler = &exchange->server->handler;

    exchange->end_of_request = true;
    if (exchange->answered || (request->grpc && !grpc_is_whole(exchange)))
        return;
    request->body = exchange->body ? exchange->body : pp_bytes_new(0);
    if (!request->body) {
        http_exchange_refuse(exchange, 503, "out of memory, try again");
        return;
    }
    exchange->body = NULL;
    request->body->len = exchange->body_n;
    exchange->phase = HTTP_HANDLING;
    hand_over(exchange);
    handler->on_request(handler->context, request);
}

static enum pp_grpc_code grpc_code_of(int status)
{
    switch (status) {
    case 400:
        return PP_GRPC_INVALID_ARGUMENT;
    case 408:
        return PP_GRPC_DEADLINE_EXCEEDED;
    case 413:
    case 431:
        return PP_GRPC_RESOURCE_EXHAUSTED;
    case 503:
        return PP_GRPC_UNAVAILABLE;
    default:
        return PP_GRPC_INTERNAL;
    }
}

static void respond_plain(struct pp_http_request *request, int status, struct pp_str message)
{
    static const struct pp_http_header type = {{"content-type", 12}, {"text/plain; charset=utf-8", 25}};
    struct pp_http_response response = {status, &type, 1, pp_bytes_copy(message)};

    pp_http_respond(request, &response);
}

void http_exchange_refuse(struct http_exchange *exchange, int status, const char *message)
{
    const struct pp_http_handler *handler = &exchange->server->handler;
    struct pp_http_request *request = &exchange->request;
    struct pp_str text = pp_str_c(message);

    if (exchange->answered)
        return;
    hand_over(exchange);
    if (handler->on_refuse && exchange->phase == HTTP_BODY &&
        (status == 400 || status == 408 || status == 413 || status == 503)) {
        handler->on_refuse(handler->context, request, status, text);
    } else if (request->grpc) {
        struct pp_grpc_status grpc = {grpc_code_of(status), text, status == 503 ? 0 : PP_GRPC_NO_RETRY_DELAY};

        pp_grpc_respond(request, &grpc, NULL);
    } else {
        respond_plain(request, status, text);
    }
}

/* On the loop: the answer is complete. Gives up the handler's reference. */
static void deliver(void *arg)
{
    struct http_exchange *exchange = arg;
    struct http_conn *conn = exchange->conn;

    exchange->answered = true;
    exchange->phase = HTTP_SENDING;
    exchange->answered_ms = exchange->progress_ms = http_now();
    pp_bytes_unref(exchange->request.body);
    exchange->request.body = NULL;
    uncharge(exchange);
    if (conn && !conn->closed) {
        http_conn_enter(conn);
        conn->rearm = true;
        conn->protocol->respond(conn, exchange);
        http_conn_leave(conn);
    }
    http_exchange_unref(exchange);
}

static void answer(struct http_exchange *exchange)
{
    if (pp_loop_is_current(exchange->loop))
        deliver(exchange);
    else if (!pp_loop_post(exchange->loop, &exchange->task))
        http_exchange_unref(exchange); /* the server is gone, and the connection with it */
}

static struct pp_http_header *copy_headers(struct pp_arena *arena, const struct pp_http_header *from, size_t n)
{
    struct pp_http_header *to = pp_arena_array(arena, n ? n : 1, sizeof(*to));

    for (size_t i = 0; to && i < n; i++) {
        char *name = pp_arena_strdup(arena, from[i].name), *value = pp_arena_strdup(arena, from[i].value);

        if (!name || !value)
            return NULL;
        for (char *c = name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        to[i] = (struct pp_http_header){{name, from[i].name.n}, {value, from[i].value.n}};
    }
    return to;
}

void pp_http_respond(struct pp_http_request *request, const struct pp_http_response *response)
{
    struct http_exchange *exchange = (struct http_exchange *)request;

    assert(response->status >= 200 && response->status <= 599);
    exchange->status = response->status;
    exchange->out_headers = copy_headers(&request->arena, response->headers, response->headers_n);
    if (exchange->out_headers) {
        exchange->out_headers_n = response->headers_n;
        exchange->out_body = response->body;
    } else {
        exchange->status = 500; /* no memory for an answer */
        pp_bytes_unref(response->body);
    }
    answer(exchange);
}

/* grpc-status and what goes with it. Without memory for the details the bare code still goes out. */
static size_t status_headers(struct pp_arena *arena, const struct pp_grpc_status *given, struct pp_http_header *to)
{
    struct pp_grpc_status status = *given;
    struct pp_buf text, details, coded;
    struct pp_http_header headers[3];
    char code[12];
    size_t n = 0;

    if (status.message.n > GRPC_MESSAGE_MAX)
        status.message.n = GRPC_MESSAGE_MAX;
    pp_buf_init(&text, GRPC_HEADER_BYTES_MAX);
    pp_buf_init(&details, GRPC_HEADER_BYTES_MAX);
    pp_buf_init(&coded, GRPC_HEADER_BYTES_MAX);
    snprintf(code, sizeof(code), "%d", (int)status.code);
    headers[n++] = (struct pp_http_header){PP_STR("grpc-status"), pp_str_c(code)};
    if (status.message.n > 0 && pp_grpc_message_escape(status.message, &text))
        headers[n++] = (struct pp_http_header){PP_STR("grpc-message"), pp_buf_str(&text)};
    if (status.retry_delay_ms != PP_GRPC_NO_RETRY_DELAY && pp_grpc_status_encode(&status, &details) &&
        pp_base64_add(&coded, pp_buf_str(&details)))
        headers[n++] = (struct pp_http_header){PP_STR("grpc-status-details-bin"), pp_buf_str(&coded)};
    for (size_t i = 0; i < n; i++) {
        to[i].name = headers[i].name;
        to[i].value = (struct pp_str){pp_arena_strdup(arena, headers[i].value), headers[i].value.n};
        if (!to[i].value.p)
            n = i;
    }
    pp_buf_done(&text);
    pp_buf_done(&details);
    pp_buf_done(&coded);
    return n;
}

void pp_grpc_respond(struct pp_http_request *request, const struct pp_grpc_status *status, struct pp_bytes *message)
{
    static const struct pp_http_header type = {{"content-type", 12}, {"application/grpc", 16}};
    struct http_exchange *exchange = (struct http_exchange *)request;
    struct pp_http_header *headers = pp_arena_array(&request->arena, 4, sizeof(*headers));
    size_t n = message ? message->len : 0;

    exchange->status = 200;
    if (!headers) {
        exchange->status = 500; /* no memory for an answer: clients map this to UNKNOWN */
        pp_bytes_unref(message);
    } else if (status->code == PP_GRPC_OK) {
        exchange->out_headers = headers;
        exchange->out_headers_n = 1;
        headers[0] = type;
        exchange->trailers = headers + 1;
        exchange->trailers_n = status_headers(&request->arena, status, headers + 1);
        for (int i = 0; i < 4; i++)
            exchange->out_prefix[1 + i] = (char)(n >> (24 - 8 * i));
        exchange->has_out_prefix = true;
        exchange->out_body = message;
    } else {
        exchange->out_headers = headers;
        headers[0] = type;
        exchange->out_headers_n = 1 + status_headers(&request->arena, status, headers + 1);
        pp_bytes_unref(message);
    }
    answer(exchange);
}

static uint64_t earlier(uint64_t at, uint64_t from_ms, uint64_t delay_ms)
{
    return delay_ms == 0 || at < from_ms + delay_ms ? at : from_ms + delay_ms;
}

/* The latest end of what has moved `bytes` so far. */
static uint64_t pace_end(uint64_t from_ms, uint64_t stall_timeout_ms, size_t bytes)
{
    return stall_timeout_ms ? from_ms + stall_timeout_ms + bytes * PP_MS_PER_S / PACE_MIN_BYTES_S : PP_HTTP_NEVER;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t http_exchange_deadline(const struct http_exchange *exchange)
{
    const struct pp_http_server_options *options = &exchange->server->options;
    uint64_t at = PP_HTTP_NEVER;

    if (exchange->expired)
        return at;
    switch (exchange->phase) {
    case HTTP_HEADERS:
        at = earlier(at, exchange->started_ms, options->header_timeout_ms);
        break;
    case HTTP_BODY:
        at = earlier(at, exchange->started_ms, options->read_timeout_ms);
        at = earlier(at, exchange->progress_ms, options->stall_timeout_ms);
        at = at_most(at, pace_end(exchange->started_ms, options->stall_timeout_ms, exchange->body_n));
        break;
    case HTTP_HELD:
    case HTTP_HANDLING:
        break;
    case HTTP_LINGERING:
        at = exchange->progress_ms + HTTP_LINGER_MS;
        break;
    case HTTP_SENDING:
        at = earlier(at, exchange->answered_ms, options->write_timeout_ms);
        at = earlier(at, exchange->progress_ms, options->stall_timeout_ms);
        at = at_most(at, pace_end(exchange->answered_ms, options->stall_timeout_ms, exchange->out_offset));
        break;
    }
    return at;
}

bool http_exchange_stalled(const struct http_exchange *exchange, uint64_t now_ms)
{
    return exchange->phase != HTTP_HANDLING && exchange->phase != HTTP_HELD && now_ms >= exchange->progress_ms + STALLED_MS;
}

size_t http_exchange_out_size(const struct http_exchange *exchange)
{
    return (exchange->has_out_prefix ? PP_GRPC_PREFIX_SIZE : 0) + (exchange->out_body ? exchange->out_body->len : 0);
}

size_t http_exchange_read_out(struct http_exchange *exchange, char *to, size_t room)
{
    size_t prefix = exchange->has_out_prefix ? PP_GRPC_PREFIX_SIZE : 0;
    size_t n = 0, left;

    while (n < room && exchange->out_offset < prefix)
        to[n++] = exchange->out_prefix[exchange->out_offset++];
    left = http_exchange_out_size(exchange) - exchange->out_offset;
    if (left > room - n)
        left = room - n;
    if (left > 0)
        memcpy(to + n, exchange->out_body->data + (exchange->out_offset - prefix), left);
    exchange->out_offset += left;
    return n + left;
}
