/* The OTLP specification's tables of what a client may send again. */
#include "otlp_answer.h"

void pp_result_from_grpc(int code, int64_t retry_delay_ms, const char *message,
                         struct pp_result *ret)
{
    bool again;

    switch (code) {
    case PP_STATUS_CANCELLED:
    case PP_STATUS_DEADLINE_EXCEEDED:
    case PP_STATUS_ABORTED:
    case PP_STATUS_OUT_OF_RANGE:
    case PP_STATUS_UNAVAILABLE:
    case PP_STATUS_DATA_LOSS:
        again = true;
        break;
    case PP_STATUS_RESOURCE_EXHAUSTED:
        again = retry_delay_ms >= 0; /* the server says that it recovers */
        break;
    default:
        again = false;
        break;
    }
    *ret = (struct pp_result){
        .outcome = again ? PP_RETRY : PP_PERMANENT,
        .status = code > PP_STATUS_OK && code <= PP_STATUS_UNAUTHENTICATED
                      ? (enum pp_status_code)code
                      : PP_STATUS_UNKNOWN,
        .retry_after_ms = again ? retry_delay_ms : -1,
        .message = message,
    };
}

/* As the Collector's exporter maps them, so that a receiver in front of us answers what the server
 * behind us meant. */
static enum pp_status_code status_of_http(long http_status)
{
    switch (http_status) {
    case 400:
        return PP_STATUS_INVALID_ARGUMENT;
    case 401:
        return PP_STATUS_UNAUTHENTICATED;
    case 403:
        return PP_STATUS_PERMISSION_DENIED;
    case 404:
        return PP_STATUS_UNIMPLEMENTED;
    case 429:
        return PP_STATUS_RESOURCE_EXHAUSTED;
    case 502:
    case 503:
    case 504:
        return PP_STATUS_UNAVAILABLE;
    default:
        return PP_STATUS_UNKNOWN;
    }
}

void pp_result_from_http(long http_status, int64_t retry_after_ms, const char *message,
                         struct pp_result *ret)
{
    bool again =
        http_status == 429 || http_status == 502 || http_status == 503 || http_status == 504;
    bool throttled = http_status == 429 || http_status == 503;

    *ret = (struct pp_result){
        .outcome = again ? PP_RETRY : PP_PERMANENT,
        .status = status_of_http(http_status),
        .retry_after_ms = throttled ? retry_after_ms : -1,
        .message = message,
    };
}
