/* From JSON to the wire, after the schema's table; what comes out goes through the same check as a message in protobuf. */
#include <math.h>
#include <stdlib.h>

#include "profiles/json_reader.h"
#include "profiles/otlp_json.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/otlp/otlp_check.h"
#include "proto/wire_out.h"

#define ID_BYTES 16u

static bool read_message(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_message *message);

/* Digits with an optional sign; a fraction or exponent is allowed where the value is whole. */
static bool integer(struct pp_str s, bool *ret_negative, uint64_t *ret)
{
    char text[PP_JSON_NUMBER_BYTES_MAX + 1];
    bool negative = s.n > 0 && s.p[0] == '-';
    struct pp_str rest = {s.p + negative, s.n - negative};
    double v;
    char *end;

    *ret_negative = negative;
    if (pp_str_to_u64(rest, ret))
        return true;
    if (s.n == 0 || s.n > PP_JSON_NUMBER_BYTES_MAX || rest.n == 0 || rest.p[0] < '0' || rest.p[0] > '9')
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    v = fabs(strtod(text, &end));
    if (*end || !(v < 0x1p53) || v != floor(v) || memchr(text, 'x', s.n) || memchr(text, 'X', s.n))
        return false;
    *ret = (uint64_t)v;
    return true;
}

/* The range of each type; the value as it goes on the wire. */
static bool in_range(enum pp_otlp_type type, bool negative, uint64_t magnitude, uint64_t *ret)
{
    uint64_t below_zero = type == PP_OTLP_INT32 ? 1ull << 31 : type == PP_OTLP_INT64 ? 1ull << 63 : 0;
    uint64_t max = type == PP_OTLP_UINT32 ? UINT32_MAX : type == PP_OTLP_UINT64 || type == PP_OTLP_FIXED64 ? UINT64_MAX : below_zero - 1;

    if (magnitude > (negative ? below_zero : max))
        return false;
    *ret = negative ? 0 - magnitude : magnitude;
    return true;
}

/* A number, or a string that holds one. */
static bool number_text(struct pp_json_reader *r, struct pp_str *ret)
{
    return pp_json_peek(r) == '"' ? pp_json_string(r, ret) : pp_json_number(r, ret);
}

static bool read_double(struct pp_json_reader *r, uint64_t *ret)
{
    char text[PP_JSON_NUMBER_BYTES_MAX + 1], *end = text;
    struct pp_str s;
    double v = 0;

    if (!number_text(r, &s))
        return false;
    if (pp_str_eq_c(s, "NaN")) {
        v = NAN;
    } else if (pp_str_eq_c(s, "Infinity") || pp_str_eq_c(s, "-Infinity")) {
        v = s.p[0] == '-' ? -INFINITY : INFINITY;
    } else {
        if (s.n > 0 && s.n <= PP_JSON_NUMBER_BYTES_MAX && memchr("-0123456789", s.p[0], 11) && !memchr(s.p, 'x', s.n) &&
            !memchr(s.p, 'X', s.n)) {
            memcpy(text, s.p, s.n);
            text[s.n] = '\0';
            v = strtod(text, &end);
        }
        if (end == text || *end || !isfinite(v))
            return pp_json_fail(r, "not a number");
    }
    memcpy(ret, &v, sizeof(v));
    return true;
}

static bool read_number(struct pp_json_reader *r, enum pp_otlp_type type, uint64_t *ret)
{
    uint64_t magnitude;
    struct pp_str s;
    bool negative;

    if (type == PP_OTLP_DOUBLE)
        return read_double(r, ret);
    if (type == PP_OTLP_BOOL) {
        *ret = pp_json_accept_word(r, "true");
        return *ret || pp_json_accept_word(r, "false") || pp_json_fail(r, "true or false expected");
    }
    if (!number_text(r, &s))
        return false;
    if (!integer(s, &negative, &magnitude))
        return pp_json_fail(r, "not an integer");
    return in_range(type, negative, magnitude, ret) || pp_json_fail(r, "integer out of range");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool add_hex(struct pp_buf *out, struct pp_str s)
{
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        int high = hex_digit(s.p[i]), low = hex_digit(s.p[i + 1]);

        if (high < 0 || low < 0)
            return false;
        pp_buf_add_byte(out, (char)(high << 4 | low));
    }
    return s.n % 2 == 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, with or without padding, as proto3 JSON asks of readers. */
static bool add_base64(struct pp_buf *out, struct pp_str s)
{
    bool whole = s.n % 4 == 0;
    uint32_t bits = 0;
    unsigned n = 0;

    for (int padding = 0; whole && s.n > 0 && padding < 2 && s.p[s.n - 1] == '='; padding++)
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        int digit = base64_digit(s.p[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        n += 6;
        if (n >= 8) {
            n -= 8;
            pp_buf_add_byte(out, (char)(bits >> n));
        }
    }
    return n < 6;
}

/* Ids are hexadecimal; by the letter of the specification profileId is base64, which no id of 16 bytes can be mistaken for. */
static bool read_text(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_field *field)
{
    struct pp_str s;
    size_t body;
    bool ok = true;

    if (!pp_json_string(r, &s))
        return false;
    body = pp_out_begin(out, field->number, 1);
    if (field->type == PP_OTLP_STRING)
        pp_buf_add_str(out, s);
    else if (field->type == PP_OTLP_ID && (s.n == 2 * ID_BYTES || s.n < 22))
        ok = add_hex(out, s);
    else
        ok = add_base64(out, s);
    pp_out_end(out, body, 1);
    return ok || pp_json_fail(r, "not %s", field->type == PP_OTLP_ID ? "an id in hexadecimal" : "base64");
}

static bool is_fixed(enum pp_otlp_type type)
{
    return type == PP_OTLP_FIXED64 || type == PP_OTLP_DOUBLE;
}

static bool add_number(struct pp_buf *out, enum pp_otlp_type type, uint64_t v)
{
    uint8_t *p = (uint8_t *)pp_buf_reserve(out, PP_WIRE_VARINT_BYTES_MAX);

    if (!p)
        return true; /* the buffer remembers */
    out->len += (size_t)((is_fixed(type) ? pp_out_fixed64(p, v) : pp_out_varint(p, v)) - p);
    return true;
}

static bool read_numbers(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_field *field)
{
    size_t body = pp_out_begin(out, field->number, 1);
    bool first = true, more;
    uint64_t v;

    if (!pp_json_open(r, '['))
        return false;
    for (;;) {
        if (!pp_json_next(r, ']', &first, &more))
            return false;
        if (!more)
            break;
        if (!read_number(r, field->type, &v))
            return false;
        add_number(out, field->type, v);
    }
    if (first)
        out->len = out->failed ? out->len : body - 2; /* an empty list is no field */
    else
        pp_out_end(out, body, 1);
    return true;
}

static bool read_one(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_field *field)
{
    unsigned reserved = field->message && field->message->large ? 3 : 1;
    size_t body;
    uint64_t v;

    if (field->type == PP_OTLP_MESSAGE) {
        body = pp_out_begin(out, field->number, reserved);
        if (!read_message(r, out, field->message))
            return false;
        if (field->implied && !out->failed && out->len == body)
            out->len -= reserved + PP_OUT_TAG_BYTES_MAX;
        else
            pp_out_end(out, body, reserved);
        return true;
    }
    if (field->type == PP_OTLP_STRING || field->type == PP_OTLP_BYTES || field->type == PP_OTLP_ID)
        return read_text(r, out, field);
    if (!read_number(r, field->type, &v))
        return false;
    if (v || field->oneof) {
        pp_buf_add_byte(out, (char)PP_WIRE_TAG(field->number, is_fixed(field->type) ? PP_WIRE_FIXED64 : PP_WIRE_VARINT));
        add_number(out, field->type, v);
    }
    return true;
}

static bool read_list(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_field *field)
{
    bool first = true, more;

    if (field->type < PP_OTLP_STRING)
        return read_numbers(r, out, field);
    if (!pp_json_open(r, '['))
        return false;
    for (;;) {
        if (!pp_json_next(r, ']', &first, &more))
            return false;
        if (!more)
            return true;
        if (!read_one(r, out, field))
            return false;
    }
}

static bool read_message(struct pp_json_reader *r, struct pp_buf *out, const struct pp_otlp_message *message)
{
    bool first = true, more;
    struct pp_str name;

    if (!pp_json_open(r, '{'))
        return false;
    for (;;) {
        const struct pp_otlp_field *field;
        bool ok;

        if (!pp_json_next_name(r, &first, &more, &name))
            return false;
        if (!more)
            return !out->failed || pp_error_nomem(r->err);
        field = pp_otlp_field_named(message, name);
        if (!field)
            ok = pp_json_skip(r);
        else if (pp_json_accept_word(r, "null"))
            ok = true;
        else
            ok = field->repeated ? read_list(r, out, field) : read_one(r, out, field);
        if (!ok)
            return false;
    }
}

static struct pp_bytes *transcode(struct pp_str json, struct pp_error *err)
{
    struct pp_bytes *bytes = NULL;
    struct pp_json_reader r;
    struct pp_buf out;

    pp_buf_init(&out, PP_OTLP_MESSAGE_BYTES_MAX);
    pp_json_reader_init(&r, json, err);
    if (read_message(&r, &out, &pp_otlp_request)) {
        pp_json_peek(&r);
        if (r.at < json.n)
            pp_json_fail(&r, "something behind the message");
        else if (!(bytes = pp_bytes_take(&out)))
            pp_error_nomem(err);
    }
    pp_json_reader_done(&r);
    pp_buf_done(&out);
    return bytes;
}

bool pp_batch_from_json(struct pp_str json, struct pp_context *context, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_batch_source source = {.wire = transcode(json, err), .layout = PP_LAYOUT_1_10, .context = context};
    bool ok = source.wire && pp_batch_from_otlp(&source, ret, err);

    pp_bytes_unref(source.wire);
    return ok;
}
