#include "grpc_trailers.h"

#include "net/compress.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* grpc-message: %XX stands for a byte; anything odd stays as it is. */
static void unescape(struct pp_str text, struct pp_buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        int high = i + 2 < text.n && text.p[i] == '%' ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

        if (low >= 0) {
            pp_buf_add_byte(out, (char)(high << 4 | low));
            i += 2;
        } else {
            pp_buf_add_byte(out, text.p[i]);
        }
    }
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* With or without padding, as receivers of "-bin" headers must take it. */
static bool decode_base64(struct pp_str text, struct pp_buf *out)
{
    uint32_t bits = 0;
    unsigned n = 0;

    while (text.n && text.p[text.n - 1] == '=') {
        text.n--;
    }
    for (size_t i = 0; i < text.n; i++) {
        int digit = base64_digit(text.p[i]);

        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        n += 6;
        if (n >= 8) {
            n -= 8;
            pp_buf_add_byte(out, (char)(bits >> n));
        }
    }
    return !out->failed;
}

static void see_details(struct pp_grpc_trailers *trailers, struct pp_str value)
{
    struct pp_rpc_status status;
    struct pp_buf decoded;

    pp_buf_init(&decoded, PP_GRPC_DETAILS_BYTES_MAX);
    if (value.n <= PP_GRPC_DETAILS_BYTES_MAX && decode_base64(value, &decoded) &&
        pp_rpc_status_parse(pp_buf_str(&decoded), &status)) {
        trailers->retry_delay_ms = status.retry_delay_ms;
    }
    pp_buf_done(&decoded);
}

static void see_message(struct pp_grpc_trailers *trailers, struct pp_str value)
{
    struct pp_buf text;

    pp_buf_init(&text, PP_GRPC_DETAILS_BYTES_MAX);
    unescape(value, &text);
    pp_answer_text(trailers->message, pp_buf_str(&text));
    pp_buf_done(&text);
}

void pp_grpc_trailers_see(struct pp_grpc_trailers *trailers, struct pp_str name,
                          struct pp_str value)
{
    uint64_t status;

    if (pp_str_eq_nocase(name, PP_STR("grpc-status"))) {
        trailers->has_status = true;
        trailers->status = pp_str_to_u64(value, &status) && status <= PP_STATUS_UNAUTHENTICATED
                               ? (int)status
                               : PP_STATUS_UNKNOWN;
    } else if (pp_str_eq_nocase(name, PP_STR("grpc-message"))) {
        see_message(trailers, value);
    } else if (pp_str_eq_nocase(name, PP_STR("grpc-status-details-bin"))) {
        see_details(trailers, value);
    } else if (pp_str_eq_nocase(name, PP_STR("grpc-encoding"))) {
        trailers->encoding_known = pp_encoding_by_name(value, &trailers->encoding);
    }
}

int pp_grpc_status_of_http(long http_status)
{
    switch (http_status) {
    case 400:
        return PP_STATUS_INTERNAL;
    case 401:
        return PP_STATUS_UNAUTHENTICATED;
    case 403:
        return PP_STATUS_PERMISSION_DENIED;
    case 404:
        return PP_STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return PP_STATUS_UNAVAILABLE;
    default:
        return PP_STATUS_UNKNOWN;
    }
}
