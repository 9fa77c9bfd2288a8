/* One gRPC call to the otlp receiver: its metadata are right, the bytes of its DATA frames are the input: length prefix, compressed flag, one message,
 * several, none. First byte: the encoding that grpc-encoding names (3 bits) and what the pipeline answers; second: how the bytes are cut
 * into frames. */
#include <stdlib.h>

#include "h2_frames.h"
#include "memory_net.h"
#include "received.h"

#define MESSAGE_BYTES_MAX (256u * 1024)
#define SENDS_BYTES_MAX (8u << 20)
#define INPUT_BYTES_MAX (1u << 20)
#define FRAME_BYTES_MAX 16384u
#define PATIENCE_MS 600000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_call(struct pp_buf *out, const char *encoding, struct pp_str body, size_t frame_bytes)
{
    const char *const fields[] = {":method", "POST", ":scheme", "http", ":path", PP_OTLP_GRPC_PATH, ":authority", "fuzz",
                                  "content-type", "application/grpc", "grpc-encoding", encoding, NULL};

    pp_buf_add_str(out, PP_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    h2_frame_add(out, H2_SETTINGS, 0, 0, (struct pp_str){0});
    h2_headers_add(out, H2_END_HEADERS, 1, fields);
    do {
        struct pp_str part = {body.p, body.n < frame_bytes ? body.n : frame_bytes};

        body.p += part.n;
        body.n -= part.n;
        h2_frame_add(out, H2_DATA, body.n == 0 ? H2_END_STREAM : 0, 1, part);
    } while (body.n > 0 && out->len < SENDS_BYTES_MAX - 2 * FRAME_BYTES_MAX);
}

static bool nothing_else(void *arg)
{
    (void)arg;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const encodings[8] = {"identity", "gzip", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4", "unknown"};
    struct pp_otlp_server otlp = {.transport = "grpc", .message_bytes_max = MESSAGE_BYTES_MAX};
    struct pp_http_server_options options = PP_HTTP_SERVER_DEFAULTS;
    struct memory_peer peer = {.piece_bytes = SIZE_MAX, .reads_bytes = SIZE_MAX, .between = nothing_else, .half_closes = true};
    struct pp_http_handler handler = pp_otlp_grpc_handler;
    struct pp_http_server *server;
    struct pp_buf sends;

    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    received_fill(&otlp);
    handler.context = &otlp;
    options.endpoint = "memory";
    options.http2_only = true;
    options.body_bytes_max = MESSAGE_BYTES_MAX;
    server = pp_http_server_new(&options, &handler, memory_loops(), NULL);
    received_answer((enum pp_outcome)((data[0] >> 3) % 3));
    pp_buf_init(&sends, SENDS_BYTES_MAX);
    write_call(&sends, encodings[data[0] & 7], (struct pp_str){(const char *)data + 2, size - 2}, data[1] ? 64u * data[1] : FRAME_BYTES_MAX);
    peer.sends = pp_buf_str(&sends);
    memory_net_play(server, &peer, PATIENCE_MS);
    if (received_count() > 1)
        abort(); /* a unary call has one message */
    pp_buf_done(&sends);
    pp_http_server_free(server);
    return 0;
}
