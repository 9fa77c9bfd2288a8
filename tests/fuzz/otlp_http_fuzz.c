/* HTTP/1.1 on the otlp receiver's HTTP port: heads with their content types and encodings, bodies in one piece or chunked, requests behind each
 * other, as they come from a socket. First byte: what the pipeline answers, how the peer cuts its bytes and whether it reads. */
#include <stdlib.h>

#include "config/groups/http_server.h"
#include "memory_net.h"
#include "received.h"

#define MESSAGE_BYTES_MAX (256u * 1024)
#define INPUT_BYTES_MAX (1u << 20)
#define STALLED_READS_BYTES 100u
#define PATIENCE_MS 600000u

enum { HALF_CLOSES = 4, STALLS = 8, BY_BYTES = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool nothing_else(void *arg)
{
    (void)arg;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pp_http_server_config config = {PP_HTTP_SERVER_DEFAULTS_BODY};
    struct pp_otlp_server otlp = {
        .transport = "http", .message_bytes_max = MESSAGE_BYTES_MAX, .http_config = &config, .include_metadata = true};
    struct pp_http_server_options options = PP_HTTP_SERVER_DEFAULTS;
    struct memory_peer peer = {.between = nothing_else};
    struct pp_http_handler handler = pp_otlp_http_handler;
    struct pp_http_server *server;

    if (size < 1 || size > INPUT_BYTES_MAX)
        return 0;
    received_fill(&otlp);
    handler.context = &otlp;
    options.endpoint = "memory";
    options.body_bytes_max = MESSAGE_BYTES_MAX;
    options.header_timeout_ms = options.stall_timeout_ms = options.idle_timeout_ms = 1000;
    server = pp_http_server_new(&options, &handler, memory_loops(), NULL);
    received_answer((enum pp_outcome)((data[0] & 3) % 3));
    peer.sends = (struct pp_str){(const char *)data + 1, size - 1};
    peer.piece_bytes = data[0] & BY_BYTES ? 1 + size % 5 : SIZE_MAX;
    peer.reads_bytes = data[0] & STALLS ? STALLED_READS_BYTES : SIZE_MAX;
    peer.half_closes = data[0] & HALF_CLOSES;
    memory_net_play(server, &peer, PATIENCE_MS);
    received_count();
    pp_http_server_free(server);
    return 0;
}
