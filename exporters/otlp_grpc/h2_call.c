#include "h2_call.h"

#include "base/mem.h"

#define READ_BYTES 65536

struct pp_h2_conn {
    struct pp_h2_socket socket;
    nghttp2_session *session;
    const uint8_t *out; /* what nghttp2 wants to be written: borrowed until the next mem_send */
    size_t out_n;
    bool broken;
    bool going_away;
    /* the request under way */
    int32_t stream; /* 0: none */
    struct pp_str body;
    struct pp_h2_answer *answer;
    bool closed;
    uint32_t reset_code;
    char in[READ_BYTES];
};

static ssize_t send_body(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t n,
                         uint32_t *flags, nghttp2_data_source *source, void *conn_)
{
    struct pp_h2_conn *conn = conn_;

    (void)session;
    (void)stream;
    (void)source;
    n = n < conn->body.n ? n : conn->body.n;
    memcpy(buf, conn->body.p, n);
    conn->body.p += n;
    conn->body.n -= n;
    if (conn->body.n == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
                     void *conn_)
{
    struct pp_h2_conn *conn = conn_;
    struct pp_str key = {(const char *)name, name_n}, text = {(const char *)value, value_n};
    uint64_t status;

    (void)session;
    (void)flags;
    if (frame->hd.stream_id != conn->stream || !conn->answer) {
        return 0;
    }
    if (pp_str_eq(key, PP_STR(":status"))) {
        conn->answer->http_status = pp_str_to_u64(text, &status) ? (long)status : 0;
    } else {
        pp_grpc_trailers_see(&conn->answer->trailers, key, text);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t n, void *conn_)
{
    struct pp_h2_conn *conn = conn_;

    (void)session;
    (void)flags;
    if (stream == conn->stream && conn->answer && !pp_buf_add(&conn->answer->body, data, n)) {
        conn->answer->body_cut = true;
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *conn_)
{
    struct pp_h2_conn *conn = conn_;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        conn->going_away = true;
    } else if (frame->hd.stream_id == conn->stream && conn->answer &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        conn->answer->complete = true;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *conn_)
{
    struct pp_h2_conn *conn = conn_;

    (void)session;
    if (stream == conn->stream) {
        conn->closed = true;
        conn->reset_code = code;
    }
    return 0;
}

static bool session_new(struct pp_h2_conn *conn)
{
    nghttp2_session_callbacks *callbacks;
    int rc;

    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    rc = nghttp2_session_client_new(&conn->session, callbacks, conn);
    nghttp2_session_callbacks_del(callbacks);
    return rc == 0 && nghttp2_submit_settings(
                          conn->session, NGHTTP2_FLAG_NONE,
                          &(nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, 1) == 0;
}

struct pp_h2_conn *pp_h2_conn_new(struct pp_h2_socket *socket)
{
    struct pp_h2_conn *conn = pp_calloc(1, sizeof(*conn));

    if (!conn) {
        pp_h2_socket_close(socket);
        return NULL;
    }
    conn->socket = *socket;
    if (!session_new(conn)) {
        pp_h2_conn_free(conn);
        return NULL;
    }
    return conn;
}

void pp_h2_conn_free(struct pp_h2_conn *conn)
{
    if (!conn) {
        return;
    }
    nghttp2_session_del(conn->session);
    pp_h2_socket_close(&conn->socket);
    pp_free(conn);
}

/* Writes what can be written; false when the connection is gone. */
static bool flush(struct pp_h2_conn *conn)
{
    for (;;) {
        ssize_t n;

        if (conn->out_n == 0) {
            n = nghttp2_session_mem_send(conn->session, &conn->out);
            if (n <= 0) {
                return n == 0;
            }
            conn->out_n = (size_t)n;
        }
        n = pp_h2_socket_write(&conn->socket, conn->out, conn->out_n);
        if (n <= 0) {
            return n == 0;
        }
        conn->out += n;
        conn->out_n -= (size_t)n;
    }
}

/* Takes in what has come; false when the connection is gone. */
static bool take_in(struct pp_h2_conn *conn)
{
    ssize_t n;

    while ((n = pp_h2_socket_read(&conn->socket, conn->in, sizeof(conn->in))) > 0) {
        if (nghttp2_session_mem_recv(conn->session, (const uint8_t *)conn->in, (size_t)n) < 0) {
            return false;
        }
    }
    return n == 0;
}

bool pp_h2_conn_usable(struct pp_h2_conn *conn)
{
    conn->broken = conn->broken || !take_in(conn);
    return !conn->broken && !conn->going_away &&
           nghttp2_session_check_request_allowed(conn->session);
}

static void cancel(struct pp_h2_conn *conn)
{
    nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, conn->stream, NGHTTP2_CANCEL);
    flush(conn);
}

static bool exchange(struct pp_h2_conn *conn, const struct pp_h2_patience *patience,
                     struct pp_error *err)
{
    while (!conn->closed && !conn->answer->complete) {
        if (!flush(conn) || !take_in(conn)) {
            conn->broken = true;
            break;
        }
        if (conn->closed || conn->answer->complete) {
            break;
        }
        if (patience->over(patience->arg)) {
            cancel(conn);
            return pp_error_set(err, PP_ERR_LIMIT, "no answer by the deadline");
        }
        /* Something to write may have come of what was read (window updates). */
        if (conn->out_n > 0 || !nghttp2_session_want_write(conn->session)) {
            pp_h2_socket_wait(&conn->socket, conn->out_n > 0);
        }
    }
    if (conn->answer->complete || conn->answer->trailers.has_status) {
        return true;
    }
    if (conn->broken) {
        return pp_error_set(err, PP_ERR_IO, "the server closed the connection without an answer");
    }
    return pp_error_set(err, PP_ERR_IO, "the server reset the stream: %s",
                        nghttp2_http2_strerror(conn->reset_code));
}

bool pp_h2_call(struct pp_h2_conn *conn, const nghttp2_nv *headers, size_t headers_n,
                struct pp_str body, const struct pp_h2_patience *patience,
                struct pp_h2_answer *answer, struct pp_error *err)
{
    nghttp2_data_provider provider = {.read_callback = send_body};
    int32_t stream;
    bool ok;

    conn->body = body;
    conn->answer = answer;
    conn->closed = false;
    conn->reset_code = 0;
    stream = nghttp2_submit_request(conn->session, NULL, headers, headers_n, &provider, NULL);
    if (stream < 0) {
        conn->answer = NULL;
        return pp_error_set(err, PP_ERR_IO, "cannot send: %s", nghttp2_strerror(stream));
    }
    conn->stream = stream;
    ok = exchange(conn, patience, err);
    if (!conn->closed && !conn->broken) {
        cancel(conn); /* answered before it had read all: the rest is not wanted */
    }
    conn->stream = 0;
    conn->answer = NULL;
    return ok;
}
