#include <stdio.h>

#include "base/mem.h"
#include "net/http1.h"
#include "net/http_internal.h"

/* An answer's body up to this size goes out with its head in one write. */
#define SMALL_BODY_BYTES (16u * 1024)
#define OUT_BYTES_MAX (1024u * 1024)
/* RFC 9112, 2.2: a few empty lines before a request are to be ignored. */
#define EMPTY_LINES_MAX 4

struct h1 {
    struct pp_buf in; /* read, not consumed: an incomplete head, or requests that came too early */
    size_t scanned;   /* of `in`, for the end of the head */
    unsigned empty_lines;
    struct http_exchange *exchange; /* the one being read, handled or answered */
    struct pp_http1_body body;
    bool keep_alive; /* of this exchange, as the client wishes */
    bool expect_continue; /* the same */
    struct pp_buf out;
    size_t out_sent;
    bool responding; /* the exchange's answer is under way */
    bool close_after;
    bool lingering;
    bool ended; /* the peer's half is over */
    size_t lingered_bytes;
    uint64_t linger_until_ms;
    uint64_t head_since_ms; /* when the head being awaited started (or the connection) */
    bool idle;              /* nothing of a next request has come */
};

static void start_linger(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;

    pp_stream_shutdown(conn->stream);
    if (h1->ended) {
        http_conn_close(conn);
        return;
    }
    h1->lingering = true;
    h1->linger_until_ms = http_now() + HTTP_LINGER_MS;
    conn->rearm = true;
    pp_stream_set_reading(conn->stream, true);
}

static void finish_exchange(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;

    h1->exchange->conn = NULL;
    http_exchange_unref(h1->exchange);
    h1->exchange = NULL;
    h1->responding = false;
    pp_buf_reset(&h1->out);
    h1->out_sent = 0;
    if (h1->close_after) {
        start_linger(conn);
        return;
    }
    h1->head_since_ms = http_now();
    h1->idle = h1->in.len == 0;
    conn->rearm = true;
    pp_stream_set_reading(conn->stream, true);
}

/* Writes from *sent on; true when all is out. */
static bool write_from(struct http_conn *conn, struct pp_str all, size_t *sent)
{
    struct h1 *h1 = conn->state;

    while (*sent < all.n) {
        ssize_t n = pp_stream_write(conn->stream, (struct pp_str){all.p + *sent, all.n - *sent});

        if (n <= 0)
            return false;
        *sent += (size_t)n;
        if (h1->exchange)
            h1->exchange->progress_ms = http_now();
    }
    return true;
}

/* Writes what there is; at the end of an answer gets ready for the next request, and says so by true. */
static bool flush(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;
    struct http_exchange *exchange = h1->exchange;

    if (!write_from(conn, pp_buf_str(&h1->out), &h1->out_sent) || !h1->responding)
        return false;
    if (exchange->out_body && !write_from(conn, pp_bytes_str(exchange->out_body), &exchange->out_offset))
        return false;
    finish_exchange(conn);
    return true;
}

static bool has_out_header(const struct http_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->out_headers_n; i++)
        if (pp_str_eq_c(exchange->out_headers[i].name, name))
            return true;
    return false;
}

/* A header of the handler's must not be able to end the header section (its value may quote what a peer sent). */
static void add_value(struct pp_buf *out, struct pp_str value)
{
    for (size_t i = 0; i < value.n; i++)
        pp_buf_add_byte(out, value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == '\0' ? ' ' : value.p[i]);
}

static void write_head(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h1 *h1 = conn->state;
    struct pp_buf *out = &h1->out;
    bool bodiless = exchange->status == 204 || exchange->status == 304;

    pp_buf_add_c(out, "HTTP/1.1 ");
    pp_buf_add_u64(out, (uint64_t)exchange->status);
    pp_buf_add_byte(out, ' ');
    pp_buf_add_c(out, pp_http_reason(exchange->status));
    pp_buf_add_c(out, "\r\n");
    for (size_t i = 0; i < exchange->out_headers_n; i++) {
        pp_buf_add_str(out, exchange->out_headers[i].name);
        pp_buf_add_c(out, ": ");
        add_value(out, exchange->out_headers[i].value);
        pp_buf_add_c(out, "\r\n");
    }
    if (!has_out_header(exchange, "date")) {
        pp_buf_add_c(out, "date: ");
        pp_buf_add_str(out, http_shard_date(conn->shard));
        pp_buf_add_c(out, "\r\n");
    }
    if (!bodiless) {
        pp_buf_add_c(out, "content-length: ");
        pp_buf_add_u64(out, exchange->out_body ? exchange->out_body->len : 0);
        pp_buf_add_c(out, "\r\n");
    }
    if (h1->close_after)
        pp_buf_add_c(out, "connection: close\r\n");
    else if (exchange->request.http_version == 10)
        pp_buf_add_c(out, "connection: keep-alive\r\n");
    pp_buf_add_c(out, "\r\n");
}

static void h1_respond(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h1 *h1 = conn->state;
    bool no_body = pp_str_eq_c(exchange->request.method, "HEAD") || exchange->status == 204 || exchange->status == 304;

    h1->responding = true;
    h1->close_after = !h1->keep_alive || !exchange->end_of_request || conn->draining ||
                      (h1->ended && h1->in.len == 0) || http_now() >= conn->age_limit_ms;
    write_head(conn, exchange);
    if (no_body && exchange->out_body) {
        pp_bytes_unref(exchange->out_body);
        exchange->out_body = NULL;
    } else if (exchange->out_body && exchange->out_body->len <= SMALL_BODY_BYTES) {
        pp_buf_add_str(&h1->out, pp_bytes_str(exchange->out_body));
        exchange->out_offset = exchange->out_body->len;
    }
    if (h1->out.failed)
        http_conn_close(conn);
}

static void begin_handling(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;

    conn->rearm = true;
    /* One request at a time: what follows waits in the socket. */
    pp_stream_set_reading(conn->stream, false);
    http_exchange_on_end(h1->exchange);
}

/* Body bytes at the front of `in`; returns how many were consumed. */
static size_t read_body(struct http_conn *conn, struct pp_str in)
{
    struct h1 *h1 = conn->state;
    struct pp_str rest = in, data;

    for (;;) {
        switch (pp_http1_body_next(&h1->body, &rest, &data)) {
        case PP_HTTP1_DATA:
            if (!http_exchange_on_body(h1->exchange, data))
                return in.n;
            break;
        case PP_HTTP1_MORE:
            return in.n;
        case PP_HTTP1_END:
            begin_handling(conn);
            return in.n - rest.n;
        case PP_HTTP1_BAD:
            h1->keep_alive = false;
            http_exchange_refuse(h1->exchange, 400, "malformed chunked body");
            return in.n;
        }
    }
}

static void fill_request(struct http_exchange *exchange, const struct pp_http1_head *head)
{
    struct pp_http_request *request = &exchange->request;

    request->method = head->method;
    request->path = head->path;
    request->query = head->query;
    request->authority = head->authority;
    request->headers = head->headers;
    request->headers_n = head->headers_n;
    request->http_version = head->version;
    request->has_content_length = head->has_content_length;
    request->content_length = head->content_length;
}

static void refuse_head(struct http_conn *conn, int status, const char *why)
{
    struct h1 *h1 = conn->state;

    h1->keep_alive = false;
    h1->exchange = h1->exchange ? h1->exchange : http_exchange_new(conn);
    if (!h1->exchange) {
        http_conn_close(conn);
        return;
    }
    http_exchange_refuse(h1->exchange, status, why);
}

static void welcome_body(struct h1 *h1)
{
    if (h1->expect_continue)
        pp_buf_add_c(&h1->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void begin_exchange(struct http_conn *conn, struct pp_str text)
{
    struct h1 *h1 = conn->state;
    const struct pp_http_server_options *options = &conn->shard->server->options;
    struct pp_http1_head head;
    struct pp_error err = {0};
    char *copy;
    int status;

    h1->exchange = http_exchange_new(conn);
    copy = h1->exchange ? pp_arena_strdup(&h1->exchange->request.arena, text) : NULL;
    if (!copy) {
        http_conn_close(conn);
        return;
    }
    h1->exchange->started_ms = h1->head_since_ms;
    if (!http_exchange_charge_head(h1->exchange, text.n)) {
        refuse_head(conn, 503, "too much data in flight, try again");
        return;
    }
    status = pp_http1_parse_head(copy, text.n, options->headers_max, &h1->exchange->request.arena, &head, &err);
    if (status == 0 && options->http2_only) {
        status = 505;
        snprintf(err.message, sizeof(err.message), "this port speaks HTTP/2 (gRPC) only");
    }
    if (status != 0) {
        refuse_head(conn, status, err.message);
        return;
    }
    fill_request(h1->exchange, &head);
    h1->keep_alive = head.keep_alive && options->keep_alives;
    pp_http1_body_init(&h1->body, &head);
    h1->expect_continue = head.expect_continue;
    if (http_exchange_on_headers(h1->exchange))
        welcome_body(h1);
    else if (h1->exchange->phase == HTTP_HELD)
        pp_stream_set_reading(conn->stream, false);
}

static struct pp_str skip_empty_lines(struct h1 *h1, struct pp_str in)
{
    while (in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n' && h1->empty_lines < EMPTY_LINES_MAX) {
        in.p += 2;
        in.n -= 2;
        h1->empty_lines++;
    }
    return in;
}

/* A head at the front of `in`; returns how many bytes were consumed, perhaps none. */
static size_t read_head(struct http_conn *conn, struct pp_str in)
{
    struct h1 *h1 = conn->state;
    size_t max = conn->shard->server->options.header_bytes_max;
    struct pp_str rest = h1->scanned == 0 ? skip_empty_lines(h1, in) : in;
    size_t skipped = in.n - rest.n, n;

    if (h1->idle && rest.n > 0) {
        h1->idle = false;
        h1->head_since_ms = http_now();
        conn->rearm = true;
    }
    n = pp_http1_head_length(rest, &h1->scanned);
    if (n > max || (n == 0 && rest.n > max)) {
        refuse_head(conn, 431, "request header section is over the limit");
        return in.n;
    }
    if (n == 0)
        return skipped;
    h1->scanned = 0;
    h1->empty_lines = 0;
    begin_exchange(conn, (struct pp_str){rest.p, n});
    return skipped + n;
}

static bool is_reading(const struct h1 *h1)
{
    return !h1->lingering && (!h1->exchange || h1->exchange->phase == HTTP_BODY);
}

/* Consumes as much as the state allows. */
static size_t consume(struct http_conn *conn, struct pp_str in)
{
    struct h1 *h1 = conn->state;
    size_t used = 0;

    while (!conn->closed && is_reading(h1)) {
        struct pp_str rest = {in.p + used, in.n - used};
        size_t n = h1->exchange ? read_body(conn, rest) : rest.n ? read_head(conn, rest) : 0;

        used += n;
        /* Without a step of the state either, more input is needed. */
        if (n == 0 && !conn->closed && is_reading(h1))
            break;
    }
    return used;
}

/* A head is looked for in a small slice, so that most of a large body behind it comes straight to its place. */
#define HEAD_READ_BYTES (32u * 1024)

static void h1_room(struct http_conn *conn, char **ret_at, size_t *ret_n)
{
    struct h1 *h1 = conn->state;
    struct http_exchange *exchange = h1->exchange;

    if (h1->lingering || !is_reading(h1))
        return;
    if (!exchange)
        *ret_n = HEAD_READ_BYTES;
    else if (h1->in.len == 0 && !exchange->answered)
        http_exchange_room(exchange, ret_at, ret_n);
}

static void h1_data(struct http_conn *conn, struct pp_str data)
{
    struct h1 *h1 = conn->state;
    size_t used;

    if (h1->lingering) {
        h1->lingered_bytes += data.n;
        if (h1->lingered_bytes > HTTP_LINGER_BYTES_MAX)
            http_conn_close(conn);
        return;
    }
    if (h1->in.len == 0) {
        used = consume(conn, data);
        data.p += used;
        data.n -= used;
        if (conn->closed || data.n == 0)
            return;
    }
    /* Settling, which follows, looks at it. */
    if (!pp_buf_add_str(&h1->in, data))
        http_conn_close(conn);
}

/* What waited in `in`, now that the state may allow more; true when some of it was used. */
static bool consume_waiting(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;
    size_t used;

    if (h1->in.len == 0 || !is_reading(h1))
        return false;
    used = consume(conn, pp_buf_str(&h1->in));
    if (used == 0)
        return false;
    memmove(h1->in.data, h1->in.data + used, h1->in.len - used);
    h1->in.len -= used;
    if (h1->in.len == 0)
        pp_buf_done(&h1->in); /* an idle connection holds no buffer */
    return true;
}

static void h1_settle(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;
    bool again = true;

    /* An answer that is out lets the next request in, whose answer may be there at once. */
    while (again && !conn->closed) {
        bool finished = flush(conn);

        again = !conn->closed && (consume_waiting(conn) || finished);
    }
    if (conn->closed)
        return;
    if (!h1->exchange && !h1->lingering && (h1->ended || (conn->draining && h1->idle)))
        http_conn_close(conn);
}

static void h1_resume(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h1 *h1 = conn->state;

    if (exchange->answered)
        return;
    pp_stream_set_reading(conn->stream, true);
    welcome_body(h1);
    /* A request without a body is complete; settling, which follows, looks at what came behind the head of one with a body. */
    if (h1->in.len == 0)
        consume(conn, PP_STR(""));
}

static void h1_end(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;

    h1->ended = true;
    if (h1->lingering)
        http_conn_close(conn);
    else if (h1->exchange && h1->exchange->phase == HTTP_BODY)
        http_exchange_refuse(h1->exchange, 400, "request body is cut short");
    /* A request being handled is still answered: the peer may have closed its own half only. */
}

static uint64_t h1_deadline(struct http_conn *conn)
{
    const struct h1 *h1 = conn->state;
    const struct pp_http_server_options *options = &conn->shard->server->options;
    uint64_t wait;

    if (h1->lingering)
        return h1->linger_until_ms;
    if (h1->exchange)
        return http_exchange_deadline(h1->exchange);
    wait = h1->idle ? options->idle_timeout_ms : options->header_timeout_ms;
    return wait ? h1->head_since_ms + wait : PP_HTTP_NEVER;
}

static void h1_expire(struct http_conn *conn, uint64_t now_ms)
{
    struct h1 *h1 = conn->state;

    if (now_ms < h1_deadline(conn))
        return;
    if (!h1->lingering && !(h1->idle && !h1->exchange))
        http_server_protected(conn->shard->server, PP_HTTP_SLOW, conn->peer);
    if (h1->exchange && h1->exchange->phase == HTTP_BODY)
        http_exchange_refuse(h1->exchange, 408, "request body came too slowly");
    else
        http_conn_close(conn);
}

/* A head that has not come whole counts as nothing: what matters is that nobody waits for an answer. */
static bool h1_idle(const struct http_conn *conn)
{
    const struct h1 *h1 = conn->state;

    return !h1->exchange;
}

static bool h1_stalled(const struct http_conn *conn, uint64_t now_ms)
{
    const struct h1 *h1 = conn->state;

    return h1->exchange && http_exchange_stalled(h1->exchange, now_ms);
}

static void h1_evict(struct http_conn *conn)
{
    (void)conn; /* HTTP/1 has no good-bye without a request */
}

static void h1_drain(struct http_conn *conn)
{
    /* Settling closes an idle connection; a busy one closes after its answer. */
    conn->draining = true;
}

static void h1_release(struct http_conn *conn)
{
    struct h1 *h1 = conn->state;

    if (h1->exchange) {
        h1->exchange->conn = NULL;
        http_exchange_unref(h1->exchange);
    }
    pp_buf_done(&h1->in);
    pp_buf_done(&h1->out);
    pp_free(h1);
    conn->state = NULL;
}

const struct http_protocol http_h1_protocol = {
    .room = h1_room,
    .data = h1_data,
    .end = h1_end,
    .settle = h1_settle,
    .deadline = h1_deadline,
    .expire = h1_expire,
    .drain = h1_drain,
    .respond = h1_respond,
    .resume = h1_resume,
    .idle = h1_idle,
    .stalled = h1_stalled,
    .evict = h1_evict,
    .release = h1_release,
};

bool http_h1_init(struct http_conn *conn)
{
    struct h1 *h1 = pp_calloc(1, sizeof(*h1));

    if (!h1)
        return false;
    /* Reading pauses while a request is handled, so at most one block comes on top of a head. */
    pp_buf_init(&h1->in, conn->shard->server->options.header_bytes_max + 2 * PP_LOOP_SCRATCH_BYTES);
    pp_buf_init(&h1->out, OUT_BYTES_MAX);
    h1->head_since_ms = conn->opened_ms;
    conn->state = h1;
    conn->protocol = &http_h1_protocol;
    return true;
}
