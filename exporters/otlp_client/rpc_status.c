#include "answer_json.h"
#include "base/clock.h"
#include "otlp_answer.h"
#include "proto/wire.h"

/* Fields of google.rpc.Status, google.protobuf.Any, google.rpc.RetryInfo and
 * google.protobuf.Duration. */
#define STATUS_CODE PP_WIRE_TAG(1, PP_WIRE_VARINT)
#define STATUS_MESSAGE PP_WIRE_TAG(2, PP_WIRE_LEN)
#define STATUS_DETAILS PP_WIRE_TAG(3, PP_WIRE_LEN)
#define ANY_TYPE_URL PP_WIRE_TAG(1, PP_WIRE_LEN)
#define ANY_VALUE PP_WIRE_TAG(2, PP_WIRE_LEN)
#define RETRY_INFO_DELAY PP_WIRE_TAG(1, PP_WIRE_LEN)
#define DURATION_SECONDS PP_WIRE_TAG(1, PP_WIRE_VARINT)
#define DURATION_NANOS PP_WIRE_TAG(2, PP_WIRE_VARINT)

/* A server may not ask for a longer pause than this; more is taken for this. In seconds. */
#define RETRY_DELAY_MAX_S (24 * 3600)

static bool parse_duration(struct pp_wire w, int64_t *ret_ms)
{
    uint64_t seconds_wire = 0, nanos_wire = 0;
    int64_t seconds, nanos;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag) || !(tag == DURATION_SECONDS ? pp_wire_varint(&w, &seconds_wire)
                                        : tag == DURATION_NANOS ? pp_wire_varint(&w, &nanos_wire)
                                                                : pp_wire_skip(&w, tag))) {
            return false;
        }
    }
    seconds = (int64_t)seconds_wire;
    nanos = (int64_t)nanos_wire;
    if (nanos <= -(int64_t)PP_NS_PER_S || nanos >= (int64_t)PP_NS_PER_S) {
        return false;
    }
    if (seconds < 0 || nanos < 0) {
        *ret_ms = 0; /* a delay in the past: at once */
    } else if (seconds >= RETRY_DELAY_MAX_S) {
        *ret_ms = RETRY_DELAY_MAX_S * (int64_t)PP_MS_PER_S;
    } else {
        *ret_ms = seconds * (int64_t)PP_MS_PER_S +
                  (nanos + (int64_t)PP_NS_PER_MS - 1) / (int64_t)PP_NS_PER_MS;
    }
    return true;
}

static bool parse_retry_info(struct pp_wire w, int64_t *ret_ms)
{
    struct pp_wire delay;
    int64_t delay_ms = 0;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag) ||
            !(tag == RETRY_INFO_DELAY ? pp_wire_sub(&w, &delay) && parse_duration(delay, &delay_ms)
                                      : pp_wire_skip(&w, tag))) {
            return false;
        }
    }
    *ret_ms = delay_ms;
    return true;
}

static bool is_retry_info(struct pp_str url)
{
    static const char suffix[] = "/google.rpc.RetryInfo";
    size_t n = sizeof(suffix) - 1;

    return url.n >= n && memcmp(url.p + url.n - n, suffix, n) == 0;
}

/* A detail that is not a RetryInfo is none of our business. */
static bool parse_detail(struct pp_wire w, int64_t *ret_ms)
{
    struct pp_str url = {0}, value = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag) || !(tag == ANY_TYPE_URL ? pp_wire_len(&w, &url)
                                        : tag == ANY_VALUE  ? pp_wire_len(&w, &value)
                                                            : pp_wire_skip(&w, tag))) {
            return false;
        }
    }
    return !is_retry_info(url) || parse_retry_info(pp_wire_from(value), ret_ms);
}

/* One field; its tag has been read. */
static bool parse_status_field(struct pp_wire *w, uint32_t tag, struct pp_rpc_status *status)
{
    struct pp_wire detail;
    struct pp_str text;
    uint64_t code;

    switch (tag) {
    case STATUS_CODE:
        if (!pp_wire_varint(w, &code)) {
            return false;
        }
        status->code = (int32_t)code;
        return true;
    case STATUS_MESSAGE:
        if (!pp_wire_len(w, &text)) {
            return false;
        }
        pp_answer_text(status->message, text);
        return true;
    case STATUS_DETAILS:
        return pp_wire_sub(w, &detail) &&
               (status->retry_delay_ms >= 0 || parse_detail(detail, &status->retry_delay_ms));
    default:
        return pp_wire_skip(w, tag);
    }
}

bool pp_rpc_status_parse(struct pp_str body, struct pp_rpc_status *ret)
{
    struct pp_rpc_status status = {.retry_delay_ms = -1};
    struct pp_wire w = pp_wire_from(body);
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag) || !parse_status_field(&w, tag, &status)) {
            return false;
        }
    }
    *ret = status;
    return true;
}

static void read_code(struct pp_answer_json *json, int32_t *ret)
{
    int64_t code;

    if (pp_answer_json_int64(json, &code) && code >= INT32_MIN && code <= INT32_MAX) {
        *ret = (int32_t)code;
    }
}

bool pp_rpc_status_parse_json(struct pp_str body, struct pp_rpc_status *ret)
{
    struct pp_answer_json json = {.left = body};
    struct pp_rpc_status status = {.retry_delay_ms = -1};
    struct pp_buf text;
    bool first = true;

    pp_buf_init(&text, PP_ANSWER_BYTES_MAX);
    if (pp_answer_json_enter(&json)) {
        while (pp_answer_json_member(&json, &first, &text)) {
            if (pp_str_eq(pp_buf_str(&text), PP_STR("code"))) {
                read_code(&json, &status.code);
            } else if (pp_str_eq(pp_buf_str(&text), PP_STR("message"))) {
                if (pp_answer_json_string(&json, &text)) {
                    pp_answer_text(status.message, pp_buf_str(&text));
                }
            } else {
                pp_answer_json_skip(&json);
            }
        }
    }
    pp_buf_done(&text);
    if (json.bad || !pp_answer_json_at_end(&json)) {
        return false;
    }
    *ret = status;
    return true;
}
