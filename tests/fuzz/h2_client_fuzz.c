/* What a server may say to the gRPC client: all of it after the first calls have been made, in pieces, with a call more before each. The first byte says
 * whether it is a list of frames (h2_frames.h) or bytes as they are, and how large the pieces are. Every call ends once, its answer within its limits. */
#include <stdlib.h>

#include "h2_frames.h"
#include "otlp_grpc/grpc_session.h"

#define CALLS_MAX 4
/* Written to nobody until then: a session that a peer keeps busy without end is a finding. */
#define WRITTEN_BYTES_MAX (4u << 20)
/* What a socket takes at once. */
#define SOCKET_BYTES 1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const char *const answered[] = {":status", "200", "content-type", "application/grpc", NULL};
static const char *const trailers[] = {"grpc-status", "14", "grpc-message", "no%20", "grpc-status-details-bin", "CA4", NULL};
static const char *const *const canned[2] = {answered, trailers};

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

struct calls {
    struct pp_grpc_call v[CALLS_MAX];
    bool ended[CALLS_MAX];
    size_t n;
    struct pp_bytes *body;
};

static struct calls calls;

static void on_done(struct pp_grpc_call *call, const struct pp_grpc_answer *answer)
{
    size_t i = (size_t)(call - calls.v);

    REQUIRE(!calls.ended[i]);
    calls.ended[i] = true;
    REQUIRE(answer->retry_delay_ms >= -1);
    REQUIRE(!answer->body_valid || (answer->code == 0 && answer->body.n <= PP_ANSWER_BYTES_MAX));
    REQUIRE(memchr(answer->message, 0, sizeof(answer->message)));
}

static void start(struct pp_grpc_session *session)
{
    struct pp_grpc_call *call = &calls.v[calls.n];
    struct pp_error err = {0};

    if (calls.n == CALLS_MAX || !pp_grpc_session_takes_calls(session))
        return;
    *call = (struct pp_grpc_call){.body = calls.body, .deadline_mono_ms = UINT64_MAX, .done = on_done};
    if (pp_grpc_session_start(session, call, &err))
        calls.n++;
    else
        REQUIRE(err.kind != PP_ERR_NONE && err.message[0]);
}

/* False: the connection is over. */
static bool exchange(struct pp_grpc_session *session, struct pp_str piece, size_t *written)
{
    struct pp_grpc_outbox *outbox = pp_grpc_session_outbox(session);
    struct pp_grpc_call *call;
    struct pp_error err = {0};
    const char *why;
    bool ok = pp_grpc_session_receive(session, piece, &err);

    while (ok && (ok = pp_grpc_session_fill(session, &err)) && outbox->n > 0) {
        size_t n = outbox->bytes > SOCKET_BYTES ? SOCKET_BYTES : outbox->bytes;

        *written += n;
        REQUIRE(*written <= WRITTEN_BYTES_MAX);
        pp_grpc_outbox_written(outbox, n);
    }
    REQUIRE(ok || err.message[0]);
    while ((call = pp_grpc_session_take_ended(session, &why))) {
        if (call->complete)
            pp_grpc_call_answer(call);
        else
            pp_grpc_call_fail(call, 14, why);
    }
    return ok;
}

static void converse(struct pp_grpc_session *session, struct pp_str said, size_t piece_bytes)
{
    size_t written = 0;

    while (said.n > 0) {
        struct pp_str piece = {said.p, said.n < piece_bytes ? said.n : piece_bytes};

        if (!exchange(session, piece, &written))
            break;
        said = (struct pp_str){said.p + piece.n, said.n - piece.n};
        start(session);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    const nghttp2_nv headers[] = {nv(":method", "POST"), nv(":scheme", "http"), nv(":path", "/x"), nv(":authority", "a")};
    struct pp_grpc_session *session;
    struct pp_grpc_call *call;
    struct pp_buf sent;
    size_t written = 0;

    if (size == 0 || size > H2_FRAMES_BYTES_MAX / 2)
        return 0;
    pp_buf_init(&sent, H2_FRAMES_BYTES_MAX);
    if (data[0] & 1)
        pp_buf_add(&sent, data + 1, size - 1);
    else
        h2_frames_write(&sent, canned, data + 1, size - 1);
    calls = (struct calls){.body = pp_bytes_new(100000)};
    session = pp_grpc_session_new(headers, sizeof(headers) / sizeof(headers[0]));
    REQUIRE(session && calls.body);
    memset(calls.body->data, 0, calls.body->len);
    if (!(data[0] & 2))
        REQUIRE(exchange(session, (struct pp_str){(const char *)settings, sizeof(settings)}, &written));
    start(session);
    start(session);
    converse(session, pp_buf_str(&sent), data[0] & 4 ? 7 : sent.len + 1);
    while ((call = pp_grpc_session_take_any(session)))
        pp_grpc_call_fail(call, 14, "over");
    for (size_t i = 0; i < calls.n; i++)
        REQUIRE(calls.ended[i]);
    pp_grpc_session_free(session);
    pp_bytes_unref(calls.body);
    pp_buf_done(&sent);
    return 0;
}
