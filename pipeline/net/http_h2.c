#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

/* Bodies come at the speed of the link: windows as large as a burst of big messages, since the memory behind them is bounded by
 * the server's budget for bodies and not by the window. */
#define STREAM_WINDOW_BYTES (4 * 1024 * 1024)
#define CONNECTION_WINDOW_BYTES (16 * 1024 * 1024)
#define FRAME_BYTES_MAX (1024u * 1024)
/* Gathered before one write. */
#define OUT_CHUNK_BYTES (64u * 1024)
#define OUT_BYTES_MAX (4u * 1024 * 1024)
/* SETTINGS and PING frames whose answers may wait for a peer that does not read. */
#define ACKS_QUEUED_MAX 256u
/* All frames that may wait for it: some for each stream, and these. */
#define FRAMES_QUEUED_PER_STREAM 4u
#define FRAMES_QUEUED_MAX 1024u
/* Streams that a peer may open and reset at once (CVE-2023-44487), and how many more every second. */
#define RESETS_BURST 1000u
#define RESETS_PER_S 33u
/* CONTINUATION frames of one header section. */
#define CONTINUATIONS_MAX 8u
/* Entries of one SETTINGS frame. */
#define SETTINGS_ENTRIES_MAX 32u
/* Frames of a second that make work but no request: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty DATA. A request forgives
 * them. */
#define IDLE_FRAMES_PER_S_MAX 1000u
/* Header sections this many times over the limit end the connection instead of being skipped over. */
#define HEADER_FLOOD_FACTOR 4u
/* As grpc-go: more pings too early than this end the connection; with no stream open the least time is two hours. */
#define PING_STRIKES_MAX 2u
#define PING_IDLE_MIN_MS (2ull * 3600 * 1000)
/* Between the first GOAWAY, which names no stream, and the last one: what the peer sent before it read the first is still served. */
#define GOAWAY_NOTICE_MS 1000u
/* For the last GOAWAY to be read before the socket closes. */
#define CLOSE_LINGER_MS 1000u

struct h2 {
    nghttp2_session *session;
    struct http_exchange *exchanges; /* list of open streams */
    size_t exchanges_n;
    size_t held_n; /* of them; while there are any the connection is not read from */
    struct pp_buf out;
    size_t out_sent;
    uint64_t out_stuck_ms; /* since when the peer has taken nothing of `out`; 0: nothing waits */
    bool ended;
    uint64_t idle_since_ms;
    uint64_t heard_ms;       /* last bytes from the peer */
    uint64_t ping_sent_ms;   /* 0: none is out */
    uint64_t peer_ping_ms;   /* last PING of the peer; 0: none */
    unsigned ping_strikes;
    uint64_t idle_frames_ms; /* when counting them began */
    unsigned idle_frames;
    bool ping_strikes_reset; /* we have sent headers or data since */
    uint64_t goaway_at_ms;   /* when the last GOAWAY is due; NEVER */
    uint64_t abort_at_ms;    /* when the connection is closed whatever runs; NEVER */
    bool notified, goaway_sent;
};

static struct http_exchange *exchange_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static void add_exchange(struct h2 *h2, struct http_exchange *exchange)
{
    exchange->next = h2->exchanges;
    if (exchange->next)
        exchange->next->prev = exchange;
    h2->exchanges = exchange;
    h2->exchanges_n++;
}

static void hold(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h2 *h2 = conn->state;

    pp_buf_init(&exchange->held, PP_LOOP_SCRATCH_BYTES);
    exchange->holds = true;
    h2->held_n++;
    pp_stream_set_reading(conn->stream, false);
}

static void let_go(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h2 *h2 = conn->state;

    if (!exchange->holds)
        return;
    exchange->holds = false;
    if (--h2->held_n == 0 && !conn->closed)
        pp_stream_set_reading(conn->stream, true);
}

static void remove_exchange(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h2 *h2 = conn->state;

    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        h2->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
    exchange->prev = exchange->next = NULL;
    let_go(conn, exchange);
    h2->exchanges_n--;
    if (h2->exchanges_n == 0)
        h2->idle_since_ms = http_now();
    exchange->conn = NULL;
    http_exchange_unref(exchange);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http_conn *conn = arg;
    struct http_exchange *exchange;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    exchange = http_exchange_new(conn);
    if (!exchange)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    exchange->phase = HTTP_HEADERS;
    exchange->stream_id = frame->hd.stream_id;
    exchange->request.http_version = 20;
    add_exchange(conn->state, exchange);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
    return 0;
}

static void set_path(struct pp_http_request *request, struct pp_str target)
{
    const char *question = memchr(target.p, '?', target.n);

    request->path = target;
    if (question) {
        request->path.n = (size_t)(question - target.p);
        request->query = (struct pp_str){question + 1, target.n - request->path.n - 1};
    }
}

/* Pseudo headers come first and each at most once: nghttp2 sees to it. */
static void take_pseudo(struct http_exchange *exchange)
{
    struct pp_http_request *request = &exchange->request;
    struct pp_http_header *headers = exchange->headers.v;
    size_t n = exchange->headers.n, first = 0;

    for (; first < n && headers[first].name.n > 0 && headers[first].name.p[0] == ':'; first++) {
        struct pp_str name = headers[first].name, value = headers[first].value;

        if (pp_str_eq_c(name, ":method"))
            request->method = value;
        else if (pp_str_eq_c(name, ":path"))
            set_path(request, value);
        else if (pp_str_eq_c(name, ":authority"))
            request->authority = value;
    }
    request->headers = headers + first;
    request->headers_n = n - first;
    if (request->authority.n == 0)
        request->authority = pp_http_request_header(request, "host");
    request->has_content_length =
        pp_str_to_u64(pp_http_request_header(request, "content-length"), &request->content_length);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct http_conn *conn = arg;
    struct http_exchange *exchange = exchange_of(session, frame->hd.stream_id);
    size_t max = conn->shard->server->options.header_bytes_max;
    int status;

    (void)flags;
    if (!exchange)
        return 0;
    if (exchange->phase != HTTP_HEADERS || exchange->refused_status) {
        /* Trailers, which nobody reads, or what is refused anyhow; counted all the same. */
        exchange->header_bytes += name_n + value_n;
    } else {
        status = http_exchange_add_header(exchange, (struct pp_str){(const char *)name, name_n},
                                          (struct pp_str){(const char *)value, value_n});
        exchange->refused_status = status;
    }
    if (exchange->header_bytes <= HEADER_FLOOD_FACTOR * max)
        return 0;
    http_server_protected(conn->shard->server, PP_HTTP_FLOODED, conn->peer);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void on_request_headers(struct http_conn *conn, struct http_exchange *exchange)
{
    take_pseudo(exchange);
    if (exchange->refused_status) {
        exchange->phase = HTTP_BODY;
        http_exchange_refuse(exchange, exchange->refused_status,
                             exchange->refused_status == 431   ? "request header section is over the limit"
                             : exchange->refused_status == 503 ? "too much data in flight, try again"
                                                               : "out of memory");
        return;
    }
    if (!http_exchange_on_headers(exchange) && exchange->phase == HTTP_HELD)
        hold(conn, exchange);
}

static void go_away(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    if (h2->goaway_sent)
        return;
    h2->goaway_sent = true;
    h2->goaway_at_ms = PP_HTTP_NEVER;
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
}

/* The peer does what no honest one does. */
static void send_away(struct http_conn *conn, const char *why)
{
    struct h2 *h2 = conn->state;

    if (h2->abort_at_ms != PP_HTTP_NEVER)
        return;
    http_server_protected(conn->shard->server, PP_HTTP_FLOODED, conn->peer);
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                          NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, strlen(why));
    h2->goaway_sent = true;
    h2->abort_at_ms = http_now() + CLOSE_LINGER_MS;
    conn->rearm = true;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct http_conn *conn = arg;
    struct h2 *h2 = conn->state;
    uint64_t now;

    (void)session;
    if (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION || (hd->type == NGHTTP2_DATA && hd->length > 0) ||
        (hd->flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    now = http_now();
    if (now >= h2->idle_frames_ms + PP_MS_PER_S) {
        h2->idle_frames_ms = now;
        h2->idle_frames = 0;
    }
    if (++h2->idle_frames <= IDLE_FRAMES_PER_S_MAX)
        return 0;
    send_away(conn, "flood");
    /* It does not listen either: what goes on coming is not worth reading. */
    return h2->idle_frames > 2 * IDLE_FRAMES_PER_S_MAX ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* grpc-go's rule: pings that come too early are strikes, forgiven whenever we send something ourselves. */
static void on_peer_ping(struct http_conn *conn)
{
    const struct pp_http_server_options *options = &conn->shard->server->options;
    struct h2 *h2 = conn->state;
    uint64_t now = http_now(), least = options->ping_min_time_ms;

    if (least == 0)
        return;
    if (h2->ping_strikes_reset) {
        h2->ping_strikes_reset = false;
        h2->ping_strikes = 0;
    }
    if (h2->exchanges_n == 0 && !options->ping_without_stream)
        least = PING_IDLE_MIN_MS;
    if (h2->peer_ping_ms && now < h2->peer_ping_ms + least && ++h2->ping_strikes > PING_STRIKES_MAX)
        send_away(conn, "too_many_pings");
    h2->peer_ping_ms = now;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http_conn *conn = arg;
    struct h2 *h2 = conn->state;
    struct http_exchange *exchange;

    if (frame->hd.type == NGHTTP2_PING) {
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            on_peer_ping(conn);
        else if (h2->notified) /* the peer has read the notice: whatever comes now came after it */
            go_away(conn);
        return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    exchange = exchange_of(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        exchange->end_of_request = true; /* before the handler may answer, so that the stream is not reset then */
    if (exchange->end_of_request)
        h2->idle_frames = 0;
    if (frame->hd.type == NGHTTP2_HEADERS && exchange->phase == HTTP_HEADERS)
        on_request_headers(conn, exchange);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !exchange->answered && exchange->phase != HTTP_HELD)
        http_exchange_on_end(exchange);
    return 0;
}

/* The answer is out: the rest of the request is not wanted (RFC 9113, 8.1). */
static void stop_request(nghttp2_session *session, struct http_exchange *exchange)
{
    exchange->expired = true;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_NO_ERROR);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t n, void *arg)
{
    struct http_exchange *exchange = exchange_of(session, stream_id);

    (void)flags;
    (void)arg;
    if (!exchange)
        return 0;
    if (exchange->phase == HTTP_HELD) {
        if (!pp_buf_add(&exchange->held, data, n))
            return NGHTTP2_ERR_CALLBACK_FAILURE; /* no memory */
    } else if (!exchange->answered) {
        http_exchange_on_body(exchange, (struct pp_str){(const char *)data, n});
    } else if (!exchange->expired) {
        exchange->discarded += n;
        if (exchange->discarded > HTTP_LINGER_BYTES_MAX)
            stop_request(session, exchange);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *arg)
{
    struct http_conn *conn = arg;
    struct http_exchange *exchange = exchange_of(session, stream_id);

    (void)error;
    if (exchange)
        remove_exchange(conn, exchange);
    conn->rearm = true;
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http_conn *conn = arg;
    struct h2 *h2 = conn->state;
    struct http_exchange *exchange;

    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    h2->ping_strikes_reset = true;
    exchange = exchange_of(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    exchange->progress_ms = http_now();
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !exchange->end_of_request) {
        exchange->phase = HTTP_LINGERING;
        conn->rearm = true;
    }
    return 0;
}

static nghttp2_nv nv_of(const struct pp_http_header *header)
{
    return (nghttp2_nv){(uint8_t *)header->name.p, (uint8_t *)header->value.p, header->name.n, header->value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    struct http_exchange *exchange = source->ptr;
    size_t n = http_exchange_read_out(exchange, (char *)to, room);
    nghttp2_nv trailers[3];

    (void)arg;
    if (exchange->out_offset < http_exchange_out_size(exchange))
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (exchange->trailers) {
        for (size_t i = 0; i < exchange->trailers_n; i++)
            trailers[i] = nv_of(&exchange->trailers[i]);
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, stream_id, trailers, exchange->trailers_n) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* :status, date, content-length */
#define OWN_HEADERS 3u

static void h2_respond(struct http_conn *conn, struct http_exchange *exchange)
{
    struct h2 *h2 = conn->state;
    nghttp2_data_provider provider = {.source = {.ptr = exchange}, .read_callback = read_answer};
    struct pp_http_request *request = &exchange->request;
    nghttp2_nv *nv = pp_arena_array(&request->arena, OWN_HEADERS + exchange->out_headers_n, sizeof(*nv));
    bool no_body = pp_str_eq_c(request->method, "HEAD") || http_exchange_out_size(exchange) == 0;
    char status[12], length[24];
    size_t n = 0;

    let_go(conn, exchange);
    snprintf(status, sizeof(status), "%d", exchange->status);
    snprintf(length, sizeof(length), "%zu", http_exchange_out_size(exchange));
    if (!nv)
        goto fail;
    nv[n++] = nv_of(&(struct pp_http_header){PP_STR(":status"), pp_str_c(status)});
    for (size_t i = 0; i < exchange->out_headers_n; i++)
        nv[n++] = nv_of(&exchange->out_headers[i]);
    nv[n++] = nv_of(&(struct pp_http_header){PP_STR("date"), http_shard_date(conn->shard)});
    if (!request->grpc && exchange->status != 204 && exchange->status != 304)
        nv[n++] = nv_of(&(struct pp_http_header){PP_STR("content-length"), pp_str_c(length)});
    if (nghttp2_submit_response(h2->session, exchange->stream_id, nv, n, no_body ? NULL : &provider) == 0)
        return;
fail:
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_INTERNAL_ERROR);
}

static void h2_resume(struct http_conn *conn, struct http_exchange *exchange)
{
    struct pp_str held = pp_buf_str(&exchange->held);

    let_go(conn, exchange);
    if (!exchange->answered && held.n > 0)
        http_exchange_on_body(exchange, held);
    pp_buf_done(&exchange->held);
    if (!exchange->answered && exchange->end_of_request)
        http_exchange_on_end(exchange);
}

static void h2_data(struct http_conn *conn, struct pp_str data)
{
    struct h2 *h2 = conn->state;
    size_t queued;
    ssize_t n;

    h2->heard_ms = http_now();
    h2->ping_sent_ms = 0; /* any sign of life is an answer */
    n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data.p, data.n);
    queued = nghttp2_session_get_outbound_queue_size(h2->session);
    if (n == NGHTTP2_ERR_FLOODED || queued > FRAMES_QUEUED_MAX + FRAMES_QUEUED_PER_STREAM * (size_t)conn->shard->server->options.streams_max) {
        http_server_protected(conn->shard->server, PP_HTTP_FLOODED, conn->peer);
        n = NGHTTP2_ERR_FLOODED;
    }
    if (n < 0)
        http_conn_close(conn); /* not HTTP/2, a flood, or no memory */
}

/* Fills the output buffer from what nghttp2 has to say. */
static bool gather(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    while (h2->out.len < OUT_CHUNK_BYTES) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h2->session, &data);

        if (n == 0)
            return true;
        if (n < 0 || !pp_buf_add(&h2->out, data, (size_t)n))
            return false;
    }
    return true;
}

static void note_stuck(struct http_conn *conn, bool progress)
{
    struct h2 *h2 = conn->state;

    if (h2->out_stuck_ms != 0 && !progress)
        return;
    h2->out_stuck_ms = http_now();
    conn->rearm = true;
}

static void flush(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    for (;;) {
        ssize_t n;

        if (h2->out_sent == h2->out.len) {
            pp_buf_reset(&h2->out);
            h2->out_sent = 0;
            if (!gather(conn)) {
                http_conn_close(conn);
                return;
            }
            if (h2->out.len == 0)
                return;
        }
        n = pp_stream_write(conn->stream, (struct pp_str){h2->out.data + h2->out_sent, h2->out.len - h2->out_sent});
        if (n < 0)
            return;
        h2->out_sent += (size_t)n;
        if (h2->out_sent < h2->out.len) {
            note_stuck(conn, n > 0);
            return;
        }
        h2->out_stuck_ms = 0;
    }
}

static void h2_settle(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;
    bool over;

    flush(conn);
    if (conn->closed)
        return;
    if (h2->exchanges_n == 0 && h2->out.len == h2->out_sent)
        pp_buf_done(&h2->out); /* an idle connection holds no buffer */
    over = h2->exchanges_n == 0 && (h2->goaway_sent || h2->ended);
    over = over || (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session));
    if (over && h2->out.len == h2->out_sent && h2->abort_at_ms == PP_HTTP_NEVER) {
        /* The peer closes on GOAWAY; closing first could take the last bytes with it. */
        pp_stream_shutdown(conn->stream);
        if (h2->ended)
            http_conn_close(conn);
        else
            h2->abort_at_ms = http_now() + CLOSE_LINGER_MS;
        conn->rearm = true;
    }
}

static void h2_end(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    /* HTTP/2 knows no half-closed connections that go on, but answers may still be read. */
    h2->ended = true;
    if (h2->exchanges_n == 0)
        http_conn_close(conn);
}

static uint64_t min_time(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t keepalive_deadline(const struct http_conn *conn)
{
    const struct pp_http_server_options *options = &conn->shard->server->options;
    const struct h2 *h2 = conn->state;

    if (options->ping_time_ms == 0)
        return PP_HTTP_NEVER;
    if (h2->ping_sent_ms == 0)
        return h2->heard_ms + options->ping_time_ms;
    return options->ping_timeout_ms ? h2->ping_sent_ms + options->ping_timeout_ms : PP_HTTP_NEVER;
}

/* Frames of the connection itself (acknowledgements, GOAWAY) have no stream whose time runs out. */
static uint64_t output_deadline(const struct http_conn *conn)
{
    const struct h2 *h2 = conn->state;
    uint64_t stall = conn->shard->server->options.stall_timeout_ms;

    return h2->out_stuck_ms == 0 || stall == 0 ? PP_HTTP_NEVER : h2->out_stuck_ms + stall;
}

static uint64_t idle_deadline(const struct http_conn *conn)
{
    const struct h2 *h2 = conn->state;
    uint64_t idle = conn->shard->server->options.idle_timeout_ms;

    return h2->exchanges_n > 0 || idle == 0 || h2->goaway_sent ? PP_HTTP_NEVER : h2->idle_since_ms + idle;
}

static uint64_t h2_deadline(struct http_conn *conn)
{
    const struct h2 *h2 = conn->state;
    uint64_t at = min_time(h2->goaway_at_ms, h2->abort_at_ms);

    at = min_time(at, keepalive_deadline(conn));
    at = min_time(at, idle_deadline(conn));
    at = min_time(at, output_deadline(conn));
    if (!h2->notified)
        at = min_time(at, conn->age_limit_ms);
    for (const struct http_exchange *exchange = h2->exchanges; exchange; exchange = exchange->next)
        at = min_time(at, http_exchange_deadline(exchange));
    return at;
}

static void expire_exchanges(struct http_conn *conn, uint64_t now_ms)
{
    struct h2 *h2 = conn->state;

    /* Refusing and resetting only queue frames: the list stays as it is until they are sent. */
    for (struct http_exchange *exchange = h2->exchanges; exchange; exchange = exchange->next) {
        if (now_ms < http_exchange_deadline(exchange))
            continue;
        if (exchange->phase != HTTP_LINGERING)
            http_server_protected(conn->shard->server, PP_HTTP_SLOW, conn->peer);
        if (exchange->phase == HTTP_BODY) {
            http_exchange_refuse(exchange, 408, "request body came too slowly");
        } else if (exchange->phase == HTTP_LINGERING) {
            stop_request(h2->session, exchange);
        } else {
            exchange->expired = true;
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_CANCEL);
        }
        /* A peer that takes no output does not take the reset either. */
        if (h2->out_sent < h2->out.len)
            h2->abort_at_ms = min_time(h2->abort_at_ms, now_ms + CLOSE_LINGER_MS);
    }
}

static void expire_keepalive(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    if (h2->ping_sent_ms != 0) {
        http_conn_close(conn);
        return;
    }
    h2->ping_sent_ms = http_now();
    nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
}

static void h2_drain(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    conn->draining = true;
    if (h2->notified)
        return;
    h2->notified = true;
    conn->rearm = true;
    if (h2->exchanges_n == 0) {
        go_away(conn);
        return;
    }
    nghttp2_submit_shutdown_notice(h2->session);
    nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
    h2->goaway_at_ms = http_now() + GOAWAY_NOTICE_MS;
}

static void h2_expire(struct http_conn *conn, uint64_t now_ms)
{
    struct h2 *h2 = conn->state;
    uint64_t grace = conn->shard->server->options.max_connection_age_grace_ms;

    if (now_ms >= output_deadline(conn))
        http_server_protected(conn->shard->server, PP_HTTP_SLOW, conn->peer);
    if (now_ms >= h2->abort_at_ms || now_ms >= output_deadline(conn)) {
        http_conn_close(conn);
        return;
    }
    if (now_ms >= conn->age_limit_ms && !h2->notified) {
        h2_drain(conn);
        if (grace)
            h2->abort_at_ms = now_ms + grace;
    }
    if (now_ms >= h2->goaway_at_ms || now_ms >= idle_deadline(conn))
        go_away(conn);
    expire_exchanges(conn, now_ms);
    if (now_ms >= keepalive_deadline(conn))
        expire_keepalive(conn);
}

static bool h2_idle(const struct http_conn *conn)
{
    const struct h2 *h2 = conn->state;

    return h2->exchanges_n == 0;
}

static bool h2_stalled(const struct http_conn *conn, uint64_t now_ms)
{
    const struct h2 *h2 = conn->state;

    for (const struct http_exchange *exchange = h2->exchanges; exchange; exchange = exchange->next)
        if (!http_exchange_stalled(exchange, now_ms))
            return false;
    return true;
}

static void h2_evict(struct http_conn *conn)
{
    go_away(conn);
    flush(conn);
}

static void h2_release(struct http_conn *conn)
{
    struct h2 *h2 = conn->state;

    /* The session first: the answers queued in it point at exchanges. */
    nghttp2_session_del(h2->session);
    while (h2->exchanges)
        remove_exchange(conn, h2->exchanges);
    pp_buf_done(&h2->out);
    pp_free(h2);
    conn->state = NULL;
}

const struct http_protocol http_h2_protocol = {
    .data = h2_data,
    .end = h2_end,
    .settle = h2_settle,
    .deadline = h2_deadline,
    .expire = h2_expire,
    .drain = h2_drain,
    .respond = h2_respond,
    .resume = h2_resume,
    .idle = h2_idle,
    .stalled = h2_stalled,
    .evict = h2_evict,
    .release = h2_release,
};

static bool new_session(struct http_conn *conn, nghttp2_session **ret)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool ok = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;

    if (ok) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_outbound_ack(option, ACKS_QUEUED_MAX);
        nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_S);
        nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
        nghttp2_option_set_max_settings(option, SETTINGS_ENTRIES_MAX);
        ok = nghttp2_session_server_new2(ret, callbacks, conn, option) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return ok;
}

static bool send_settings(struct http_conn *conn, nghttp2_session *session)
{
    const struct pp_http_server_options *options = &conn->shard->server->options;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->header_bytes_max},
    };

    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])) == 0 &&
           nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES) == 0;
}

bool http_h2_init(struct http_conn *conn)
{
    struct h2 *h2 = pp_calloc(1, sizeof(*h2));

    if (!h2)
        return false;
    if (!new_session(conn, &h2->session)) {
        pp_free(h2);
        return false;
    }
    if (!send_settings(conn, h2->session)) {
        nghttp2_session_del(h2->session);
        pp_free(h2);
        return false;
    }
    pp_buf_init(&h2->out, OUT_BYTES_MAX);
    h2->idle_since_ms = h2->heard_ms = http_now();
    h2->goaway_at_ms = h2->abort_at_ms = PP_HTTP_NEVER;
    conn->state = h2;
    conn->protocol = &http_h2_protocol;
    return true;
}
