/* What a server may answer to an exporter: the response message and google.rpc.Status in protobuf and JSON, gRPC trailers. First byte: which. Texts
 * for the log are one printable line, delays never negative, whatever the peer says. */
#include <stdlib.h>
#include <string.h>

#include "otlp_client/otlp_answer.h"
#include "otlp_grpc/grpc_trailers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void require_line(const char text[PP_ANSWER_TEXT_MAX])
{
    size_t n = strnlen(text, PP_ANSWER_TEXT_MAX);

    REQUIRE(n < PP_ANSWER_TEXT_MAX && pp_utf8_valid((struct pp_str){text, n}));
    for (size_t i = 0; i < n; i++)
        REQUIRE((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void require_status(const struct pp_rpc_status *status)
{
    struct pp_result result;

    require_line(status->message);
    REQUIRE(status->retry_delay_ms >= -1);
    pp_result_from_grpc(status->code, status->retry_delay_ms, status->message, &result);
    REQUIRE(result.outcome != PP_RETRY || result.retry_after_ms >= -1);
}

/* Lines of "name value". */
static void see_trailers(struct pp_str in)
{
    struct pp_grpc_trailers trailers;
    struct pp_result result;

    pp_grpc_trailers_init(&trailers);
    while (in.n > 0) {
        const char *end = memchr(in.p, '\n', in.n), *blank;
        struct pp_str line = {in.p, end ? (size_t)(end - in.p) : in.n}, value = {0};

        in.p += line.n + (end != NULL);
        in.n -= line.n + (end != NULL);
        blank = memchr(line.p, ' ', line.n);
        if (blank) {
            value = (struct pp_str){blank + 1, line.n - (size_t)(blank - line.p) - 1};
            line.n = (size_t)(blank - line.p);
        }
        pp_grpc_trailers_see(&trailers, line, value);
    }
    require_line(trailers.message);
    REQUIRE(trailers.retry_delay_ms >= -1);
    if (trailers.has_status)
        pp_result_from_grpc(trailers.status, trailers.retry_delay_ms, trailers.message, &result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_otlp_answer answer;
    struct pp_rpc_status status;
    struct pp_str in;

    if (size == 0)
        return 0;
    in = (struct pp_str){(const char *)data + 1, size - 1};
    switch (data[0] % 5) {
    case 0:
        if (pp_otlp_answer_parse(in, &answer))
            require_line(answer.error_message);
        break;
    case 1:
        if (pp_otlp_answer_parse_json(in, &answer))
            require_line(answer.error_message);
        break;
    case 2:
        if (pp_rpc_status_parse(in, &status))
            require_status(&status);
        break;
    case 3:
        if (pp_rpc_status_parse_json(in, &status))
            require_status(&status);
        break;
    default:
        see_trailers(in);
    }
    return 0;
}
