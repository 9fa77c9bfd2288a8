/* Requests over HTTP/2, as the server takes them. The first byte says how the peer behaves; then come bytes as they are, or, more often, a list of
 * frames (h2_frames.h). However wild the
 * peer: limits hold, every request is answered or dropped, and in the end the connection is closed and nothing is left charged. */
#include <stdlib.h>

#include "h2_frames.h"
#include "memory_net.h"
#include "net/http_internal.h"

#define BODY_BYTES_MAX (64u * 1024)
#define INFLIGHT_BYTES_MAX (160u * 1024)
/* What an open request counts for without anything in it, at most. */
#define REQUEST_BYTES 4096u
#define HEADER_BYTES_MAX 4096u
#define HEADERS_MAX 16u
#define STREAMS_MAX 8u
#define HELD_MAX 64u
#define STALLED_READS_BYTES 200u
/* Longer than all time limits below one after the other. */
#define PATIENCE_MS 600000u

/* Bits of the first byte. */
enum { RAW = 1, HALF_CLOSES = 2, STALLS = 4, ANSWERED_LATER = 8, PINGED = 16, AGED = 32, BY_BYTES = 64, HTTP2_ONLY = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static struct {
    struct pp_http_server *server;
    struct pp_http_request *held[HELD_MAX];
    size_t held_n;
    bool later;
} the;

static const char *const grpc_call[] = {":method", "POST", ":scheme", "http", ":path", "/t.T/Echo", ":authority", "a", "content-type", "application/grpc", NULL};
static const char *const plain_post[] = {":method", "POST", ":scheme", "http", ":path", "/x?y", ":authority", "a", "content-length", "5", NULL};
static const char *const *const canned[2] = {grpc_call, plain_post};

static void answer(struct pp_http_request *request)
{
    static const struct pp_http_header type = {{"content-type", 12}, {"text/plain", 10}};
    const struct pp_grpc_status ok = {PP_GRPC_OK, {0}, PP_GRPC_NO_RETRY_DELAY};
    struct pp_bytes *body = request->body ? pp_bytes_ref(request->body) : NULL;

    if (request->grpc)
        pp_grpc_respond(request, &ok, body);
    else
        pp_http_respond(request, &(struct pp_http_response){200, &type, 1, body});
}

static void on_headers(void *context, struct pp_http_request *request)
{
    (void)context;
    REQUIRE(request->headers_n <= HEADERS_MAX);
    for (size_t i = 0; i < request->headers_n; i++)
        REQUIRE(request->headers[i].name.n > 0 && request->headers[i].name.p[0] != ':');
    if (pp_str_eq_c(request->path, "/no"))
        answer(request);
}

static void on_request(void *context, struct pp_http_request *request)
{
    (void)context;
    REQUIRE(request->body && request->body->len <= BODY_BYTES_MAX);
    REQUIRE(atomic_load(&the.server->inflight_bytes) <= INFLIGHT_BYTES_MAX + STREAMS_MAX * REQUEST_BYTES);
    if (the.later && the.held_n < HELD_MAX)
        the.held[the.held_n++] = request;
    else
        answer(request);
}

/* The last one first: answers need not come in order. */
static bool answer_one(void *arg)
{
    (void)arg;
    if (the.held_n == 0)
        return false;
    answer(the.held[--the.held_n]);
    return true;
}

static struct pp_http_server *open_server(uint8_t flags)
{
    static const struct pp_http_handler handler = {.on_headers = on_headers, .on_request = on_request};
    struct pp_http_server_options options = PP_HTTP_SERVER_DEFAULTS;

    options.endpoint = "memory";
    options.body_bytes_max = BODY_BYTES_MAX;
    options.inflight_bytes_max = INFLIGHT_BYTES_MAX;
    options.header_bytes_max = HEADER_BYTES_MAX;
    options.headers_max = HEADERS_MAX;
    options.streams_max = STREAMS_MAX;
    options.http2_only = flags & HTTP2_ONLY;
    options.header_timeout_ms = options.read_timeout_ms = options.stall_timeout_ms = options.write_timeout_ms = 1000;
    options.idle_timeout_ms = 2000;
    options.ping_min_time_ms = 10;
    if (flags & AGED) {
        options.max_connection_age_ms = 300;
        options.max_connection_age_grace_ms = 300;
    }
    if (flags & PINGED) {
        options.ping_time_ms = 100;
        options.ping_timeout_ms = 50;
    }
    return pp_http_server_new(&options, &handler, memory_loops(), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_peer peer = {.between = answer_one};
    uint8_t flags = size ? data[0] : 0;
    struct pp_buf sends;

    if (size == 0 || size > H2_FRAMES_BYTES_MAX / 4)
        return 0;
    the.server = open_server(flags);
    REQUIRE(the.server);
    the.later = flags & ANSWERED_LATER;
    pp_buf_init(&sends, H2_FRAMES_BYTES_MAX);
    if (flags & RAW) {
        pp_buf_add(&sends, data + 1, size - 1);
    } else {
        pp_buf_add_str(&sends, PP_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        h2_frames_write(&sends, canned, data + 1, size - 1);
    }
    peer.sends = pp_buf_str(&sends);
    peer.piece_bytes = flags & BY_BYTES ? 1 + size % 7 : SIZE_MAX;
    peer.reads_bytes = flags & STALLS ? STALLED_READS_BYTES : SIZE_MAX;
    peer.half_closes = flags & HALF_CLOSES;
    memory_net_play(the.server, &peer, PATIENCE_MS);
    REQUIRE(the.held_n == 0);
    REQUIRE(atomic_load(&the.server->inflight_bytes) == 0);
    pp_buf_done(&sends);
    pp_http_server_free(the.server);
    return 0;
}
