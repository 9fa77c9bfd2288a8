#include "grpc_session.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

/* Headers of one call beside the shared ones: grpc-timeout, and those of an authenticator. */
#define CALL_HEADERS_MAX 64u
/* Largest DATA frame that is written, in bytes, if the server takes it: larger ones save little and hold other streams up. */
#define DATA_BYTES_MAX (256u * 1024)
#define FRAME_HEADER_BYTES 9u

struct pp_grpc_session {
    nghttp2_session *h2;
    nghttp2_nv *headers; /* those of every call, with room for one call's own */
    size_t headers_n;
    struct pp_grpc_calls calls, ended;
    bool ready, going_away, calm_down;
    struct pp_grpc_outbox outbox;
};

static struct pp_grpc_call *call_of(nghttp2_session *h2, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(h2, stream);
}

static void end_call(struct pp_grpc_session *session, struct pp_grpc_call *call)
{
    nghttp2_session_set_stream_user_data(session->h2, call->stream, NULL);
    pp_grpc_calls_remove(&session->calls, call);
    pp_grpc_calls_add(&session->ended, call);
}

static ssize_t read_length(nghttp2_session *h2, uint8_t frame_type, int32_t stream, int32_t session_window,
                           int32_t stream_window, uint32_t frame_max, void *session_)
{
    int32_t window = session_window < stream_window ? session_window : stream_window;
    uint32_t n = frame_max < DATA_BYTES_MAX ? frame_max : DATA_BYTES_MAX;

    (void)h2, (void)frame_type, (void)stream, (void)session_;
    return window < (int32_t)n ? window : (ssize_t)n;
}

/* Says only how much comes next; send_data hands it over. */
static ssize_t read_body(nghttp2_session *h2, int32_t stream, uint8_t *buf, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *session_)
{
    const struct pp_grpc_call *call = call_of(h2, stream);
    size_t left;

    (void)buf, (void)source, (void)session_;
    if (!call) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* it has ended, the stream is being reset */
    }
    left = sizeof(call->prefix) + call->body->len - call->sent;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (left <= n) {
        n = left;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static int send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *frame_header, size_t n,
                     nghttp2_data_source *source, void *session_)
{
    struct pp_grpc_session *session = session_;
    struct pp_grpc_call *call = call_of(h2, frame->hd.stream_id);
    char head[FRAME_HEADER_BYTES + PP_GRPC_PREFIX_SIZE];
    size_t head_n = FRAME_HEADER_BYTES;

    (void)source;
    if (!call) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (!pp_grpc_outbox_has_room(&session->outbox)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    memcpy(head, frame_header, FRAME_HEADER_BYTES);
    for (; n > 0 && call->sent < sizeof(call->prefix); n--) {
        head[head_n++] = (char)call->prefix[call->sent++];
    }
    pp_grpc_outbox_copy(&session->outbox, head, head_n); /* small: cannot fail */
    if (n > 0) {
        pp_grpc_outbox_refer(&session->outbox, call->body, call->body->data + call->sent - sizeof(call->prefix), n);
        call->sent += n;
    }
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *session_)
{
    struct pp_grpc_call *call = call_of(h2, frame->hd.stream_id);
    struct pp_str key = {(const char *)name, name_n}, text = {(const char *)value, value_n};
    uint64_t status;

    (void)flags, (void)session_;
    if (!call) {
        return 0;
    }
    if (pp_str_eq(key, PP_STR(":status"))) {
        call->http_status = pp_str_to_u64(text, &status) && status < 1000 ? (long)status : 0;
    } else {
        pp_grpc_trailers_see(&call->trailers, key, text);
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *session_)
{
    struct pp_grpc_call *call = call_of(h2, stream);

    (void)flags;
    if (call && !pp_buf_add(&call->received, data, n)) {
        call->too_long = call->complete = true;
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
        end_call(session_, call);
    }
    return 0;
}

static void on_answered(struct pp_grpc_session *session, struct pp_grpc_call *call)
{
    call->complete = true;
    /* Answered before it had read all: the rest is not wanted. */
    if (call->sent < sizeof(call->prefix) + call->body->len) {
        nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
    }
    end_call(session, call);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *session_)
{
    struct pp_grpc_session *session = session_;
    struct pp_grpc_call *call;

    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        session->ready = true;
        break;
    case NGHTTP2_GOAWAY:
        session->going_away = true;
        session->calm_down = frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM;
        break;
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        call = call_of(h2, frame->hd.stream_id);
        if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            on_answered(session, call);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *session_)
{
    struct pp_grpc_call *call = call_of(h2, stream);

    if (call) {
        /* What the trailers said counts, also when a reset follows them. */
        call->complete = call->trailers.has_status;
        call->refused = code == NGHTTP2_REFUSED_STREAM;
        end_call(session_, call);
    }
    return 0;
}

static bool h2_new(struct pp_grpc_session *session)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_session_callbacks *callbacks;
    int rc;

    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, read_length);
    rc = nghttp2_session_client_new(&session->h2, callbacks, session);
    nghttp2_session_callbacks_del(callbacks);
    return rc == 0 && nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, 1) == 0;
}

struct pp_grpc_session *pp_grpc_session_new(const nghttp2_nv *headers, size_t headers_n)
{
    struct pp_grpc_session *session = pp_calloc(1, sizeof(*session));

    if (!session) {
        return NULL;
    }
    session->headers = pp_malloc((headers_n + CALL_HEADERS_MAX) * sizeof(*headers));
    session->headers_n = headers_n;
    if (session->headers) {
        memcpy(session->headers, headers, headers_n * sizeof(*headers));
    }
    if (!session->headers || !h2_new(session)) {
        pp_grpc_session_free(session);
        return NULL;
    }
    return session;
}

void pp_grpc_session_free(struct pp_grpc_session *session)
{
    if (!session) {
        return;
    }
    nghttp2_session_del(session->h2);
    pp_grpc_outbox_clear(&session->outbox);
    pp_free(session->headers);
    pp_free(session);
}

bool pp_grpc_session_ready(const struct pp_grpc_session *session)
{
    return session->ready;
}

bool pp_grpc_session_takes_calls(const struct pp_grpc_session *session)
{
    return session->ready && !session->going_away && nghttp2_session_check_request_allowed(session->h2);
}

bool pp_grpc_session_pings_too_much(const struct pp_grpc_session *session)
{
    return session->calm_down;
}

bool pp_grpc_session_has_calls(const struct pp_grpc_session *session)
{
    return session->calls.first || session->ended.first;
}

static nghttp2_nv field(struct pp_str name, struct pp_str value)
{
    /* Not for the table of what is sent again and again. */
    return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n, NGHTTP2_NV_FLAG_NO_INDEX};
}

/* grpc-timeout: at most eight digits, so that long ones are in seconds. */
static struct pp_str timeout_text(uint64_t deadline_mono_ms, char out[24])
{
    uint64_t now_ms = pp_clock_mono_ms(), left_ms = deadline_mono_ms > now_ms ? deadline_mono_ms - now_ms : 1;
    bool fits = left_ms <= 99999999u;
    uint64_t shown = fits ? left_ms : left_ms / PP_MS_PER_S < 99999999u ? left_ms / PP_MS_PER_S : 99999999u;
    int n = snprintf(out, 24, "%" PRIu64 "%s", shown, fits ? "m" : "S");

    return (struct pp_str){out, (size_t)n};
}

bool pp_grpc_session_start(struct pp_grpc_session *session, struct pp_grpc_call *call, struct pp_error *err)
{
    nghttp2_data_provider provider = {.read_callback = read_body};
    nghttp2_nv *all = session->headers;
    size_t n = session->headers_n;
    char timeout[24];

    if (call->headers_n >= CALL_HEADERS_MAX) {
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u headers", CALL_HEADERS_MAX - 1);
    }
    if (call->deadline_mono_ms != UINT64_MAX) {
        all[n++] = field(PP_STR("grpc-timeout"), timeout_text(call->deadline_mono_ms, timeout));
    }
    for (size_t i = 0; i < call->headers_n; i++) {
        all[n++] = field(call->headers[i].name, call->headers[i].value);
    }
    pp_grpc_call_reset(call);
    call->stream = nghttp2_submit_request(session->h2, NULL, all, n, &provider, call);
    if (call->stream < 0) {
        return pp_error_set(err, PP_ERR_IO, "cannot send: %s", nghttp2_strerror(call->stream));
    }
    pp_grpc_calls_add(&session->calls, call);
    return true;
}

void pp_grpc_session_cancel(struct pp_grpc_session *session, struct pp_grpc_call *call)
{
    nghttp2_session_set_stream_user_data(session->h2, call->stream, NULL);
    nghttp2_submit_rst_stream(session->h2, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
    pp_grpc_calls_remove(&session->calls, call);
    pp_buf_done(&call->received);
}

bool pp_grpc_session_receive(struct pp_grpc_session *session, struct pp_str data, struct pp_error *err)
{
    ssize_t n = nghttp2_session_mem_recv(session->h2, (const uint8_t *)data.p, data.n);

    if (n < 0) {
        return pp_error_set(err, PP_ERR_IO, "the server breaks HTTP/2: %s", nghttp2_strerror((int)n));
    }
    return true;
}

struct pp_grpc_call *pp_grpc_session_take_ended(struct pp_grpc_session *session, const char **ret_why)
{
    struct pp_grpc_call *call = session->ended.first;

    if (!call) {
        return NULL;
    }
    pp_grpc_calls_remove(&session->ended, call);
    *ret_why = call->refused ? "the server refused the stream" : "the server reset the stream";
    return call;
}

struct pp_grpc_call *pp_grpc_session_take_any(struct pp_grpc_session *session)
{
    struct pp_grpc_call *call = session->calls.first;

    if (!call) {
        return NULL;
    }
    nghttp2_session_set_stream_user_data(session->h2, call->stream, NULL);
    pp_grpc_calls_remove(&session->calls, call);
    return call;
}

bool pp_grpc_session_ping(struct pp_grpc_session *session)
{
    return nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL) == 0;
}

bool pp_grpc_session_fill(struct pp_grpc_session *session, struct pp_error *err)
{
    while (pp_grpc_outbox_has_room(&session->outbox)) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(session->h2, &data);

        if (n < 0) {
            return pp_error_set(err, PP_ERR_IO, "cannot send: %s", nghttp2_strerror((int)n));
        }
        if (n == 0) {
            break;
        }
        if (!pp_grpc_outbox_copy(&session->outbox, data, (size_t)n)) {
            return pp_error_nomem(err);
        }
    }
    return session->outbox.n > 0 || nghttp2_session_want_read(session->h2) ||
           pp_error_set(err, PP_ERR_IO, "the connection has ended");
}

struct pp_grpc_outbox *pp_grpc_session_outbox(struct pp_grpc_session *session)
{
    return &session->outbox;
}
