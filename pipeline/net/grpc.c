#include "net/grpc.h"

#include "base/clock.h"
#include "base/json_text.h"

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"
#define NS_PER_MS 1000000u

static const char *const code_names[] = {
    "OK",           "CANCELLED",           "UNKNOWN",
    "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS",   "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED",      "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS",    "UNAUTHENTICATED",
};

const char *pp_grpc_code_name(enum pp_grpc_code code)
{
    return (unsigned)code < sizeof(code_names) / sizeof(code_names[0]) ? code_names[code] : "UNKNOWN";
}

static void add_varint(struct pp_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        pp_buf_add_byte(out, (char)(value | 0x80));
        value >>= 7;
    }
    pp_buf_add_byte(out, (char)value);
}

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void add_number(struct pp_buf *out, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    add_varint(out, field << 3 | WIRE_VARINT);
    add_varint(out, value);
}

static void add_bytes(struct pp_buf *out, unsigned field, struct pp_str value)
{
    add_varint(out, field << 3 | WIRE_BYTES);
    add_varint(out, value.n);
    pp_buf_add_str(out, value);
}

/* Protobuf strings are UTF-8: a message made of a peer's bytes loses what is not. */
static void add_text(struct pp_buf *out, unsigned field, struct pp_str text)
{
    struct pp_buf clean;

    if (text.n == 0)
        return;
    if (pp_utf8_valid(text)) {
        add_bytes(out, field, text);
        return;
    }
    pp_buf_init(&clean, text.n);
    for (size_t i = 0; i < text.n; i++)
        pp_buf_add_byte(&clean, (unsigned char)text.p[i] < 0x80 ? text.p[i] : '?');
    if (clean.failed)
        out->failed = true;
    else
        add_bytes(out, field, pp_buf_str(&clean));
    pp_buf_done(&clean);
}

/* google.protobuf.Any { type_url = 1, value = 2 } of RetryInfo { Duration retry_delay = 1 { seconds = 1, nanos = 2 } } */
static void add_retry_info(struct pp_buf *out, unsigned field, uint64_t delay_ms)
{
    char space[3][96];
    struct pp_buf duration = {space[0], 0, sizeof(space[0]), sizeof(space[0]), false};
    struct pp_buf info = {space[1], 0, sizeof(space[1]), sizeof(space[1]), false};
    struct pp_buf any = {space[2], 0, sizeof(space[2]), sizeof(space[2]), false};

    add_number(&duration, 1, delay_ms / PP_MS_PER_S);
    add_number(&duration, 2, delay_ms % PP_MS_PER_S * NS_PER_MS);
    add_bytes(&info, 1, pp_buf_str(&duration));
    add_bytes(&any, 1, PP_STR(RETRY_INFO_TYPE));
    add_bytes(&any, 2, pp_buf_str(&info));
    add_bytes(out, field, pp_buf_str(&any));
}

bool pp_grpc_status_encode(const struct pp_grpc_status *status, struct pp_buf *out)
{
    add_number(out, 1, (uint64_t)status->code);
    add_text(out, 2, status->message);
    if (status->retry_delay_ms != PP_GRPC_NO_RETRY_DELAY)
        add_retry_info(out, 3, status->retry_delay_ms);
    return !out->failed;
}

bool pp_grpc_status_encode_json(const struct pp_grpc_status *status, struct pp_buf *out)
{
    uint64_t delay = status->retry_delay_ms;

    pp_buf_printf(out, "{\"code\":%d,\"message\":", (int)status->code);
    pp_json_add_string(out, status->message);
    if (delay != PP_GRPC_NO_RETRY_DELAY) {
        pp_buf_printf(out, ",\"details\":[{\"@type\":\"" RETRY_INFO_TYPE "\",\"retryDelay\":\"%llu", delay / PP_MS_PER_S);
        if (delay % PP_MS_PER_S)
            pp_buf_printf(out, ".%03u", (unsigned)(delay % PP_MS_PER_S));
        pp_buf_add_c(out, "s\"}]");
    }
    pp_buf_add_byte(out, '}');
    return !out->failed;
}

bool pp_grpc_message_escape(struct pp_str message, struct pp_buf *out)
{
    for (size_t i = 0; i < message.n; i++) {
        unsigned char c = (unsigned char)message.p[i];

        if (c < ' ' || c > '~' || c == '%')
            pp_buf_printf(out, "%%%02X", c);
        else
            pp_buf_add_byte(out, (char)c);
    }
    return !out->failed;
}

bool pp_base64_add(struct pp_buf *out, struct pp_str data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int held = 0;

    for (size_t i = 0; i < data.n; i++) {
        bits = bits << 8 | (unsigned char)data.p[i];
        for (held += 8; held >= 6; held -= 6)
            pp_buf_add_byte(out, digits[bits >> (held - 6) & 63]);
    }
    if (held > 0)
        pp_buf_add_byte(out, digits[bits << (6 - held) & 63]);
    return !out->failed;
}
