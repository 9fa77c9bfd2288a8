/* From the wire to JSON, message by message after the schema's table. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "profiles/otlp_json.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/wire.h"

static void write_message(struct pp_buf *out, struct pp_wire w, const struct pp_otlp_message *message);

#define DOUBLE_TEXT_MAX 32u /* bytes of "-1.7976931348623157e+308" and its NUL, at least */
#define NUMBER_TEXT_MAX 48u /* bytes of any number with its quotes and a comma */

/* Room that is nearly always there already. */
static inline char *room(struct pp_buf *out, size_t n)
{
    return !out->failed && out->cap - out->len >= n && out->max - out->len >= n ? out->data + out->len : pp_buf_reserve(out, n);
}

static char *put_u64(char *p, uint64_t v)
{
    char text[20], *from = text + sizeof(text);

    do
        *--from = (char)('0' + v % 10);
    while (v /= 10);
    memcpy(p, from, (size_t)(text + sizeof(text) - from));
    return p + (text + sizeof(text) - from);
}

static char *put_i64(char *p, int64_t v)
{
    if (v >= 0)
        return put_u64(p, (uint64_t)v);
    *p++ = '-';
    return put_u64(p, 0 - (uint64_t)v);
}

/* The shortest of the usual forms that reads back as the same number. */
static char *put_double(char *p, uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    if (isnan(v))
        return stpcpy(p, "\"NaN\"");
    if (isinf(v))
        return stpcpy(p, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(p, DOUBLE_TEXT_MAX, "%.*g", digits, v);
        if (strtod(p, NULL) == v)
            break;
    }
    return p + strlen(p);
}

static void write_hex(struct pp_buf *out, struct pp_str s)
{
    char *p = pp_buf_reserve(out, 2 * s.n + 2);

    if (!p)
        return;
    *p++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        *p++ = "0123456789abcdef"[(uint8_t)s.p[i] >> 4];
        *p++ = "0123456789abcdef"[s.p[i] & 15];
    }
    *p = '"';
    out->len += 2 * s.n + 2;
}

static void write_base64(struct pp_buf *out, struct pp_str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t text_n = (s.n + 2) / 3 * 4;
    char *p = pp_buf_reserve(out, text_n + 2);

    if (!p)
        return;
    *p++ = '"';
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;

        v |= left > 1 ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(uint8_t)s.p[i + 2] : 0;
        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *p++ = left > 2 ? digits[v & 63] : '=';
    }
    *p = '"';
    out->len += text_n + 2;
}

/* A number as it was read from the wire. 64-bit integers are strings, for JavaScript's numbers cannot hold them. */
static char *put_number(char *p, enum pp_otlp_type type, uint64_t v)
{
    switch (type) {
    case PP_OTLP_INT32:
        return put_i64(p, (int32_t)v);
    case PP_OTLP_UINT32:
        return put_u64(p, (uint32_t)v);
    case PP_OTLP_DOUBLE:
        return put_double(p, v);
    case PP_OTLP_BOOL:
        return stpcpy(p, v ? "true" : "false");
    default:
        *p++ = '"';
        p = type == PP_OTLP_INT64 ? put_i64(p, (int64_t)v) : put_u64(p, v);
        *p++ = '"';
        return p;
    }
}

static void write_number(struct pp_buf *out, enum pp_otlp_type type, uint64_t v, bool comma)
{
    char *p = room(out, NUMBER_TEXT_MAX), *from = p;

    if (!p)
        return;
    if (comma)
        *p++ = ',';
    out->len += (size_t)(put_number(p, type, v) - from);
}

static void write_text(struct pp_buf *out, const struct pp_otlp_field *field, struct pp_str s)
{
    if (field->type == PP_OTLP_STRING)
        pp_json_add_string(out, s);
    else if (field->type == PP_OTLP_ID)
        write_hex(out, s);
    else
        write_base64(out, s);
}

static bool is_text(const struct pp_otlp_field *field)
{
    return field->type == PP_OTLP_STRING || field->type == PP_OTLP_BYTES || field->type == PP_OTLP_ID;
}

static void write_name(struct pp_buf *out, const struct pp_otlp_field *field, bool *first)
{
    size_t n = strlen(field->name);
    char *p = room(out, n + 4), *from = p;

    if (!p)
        return;
    if (!*first)
        *p++ = ',';
    *first = false;
    *p++ = '"';
    p = (char *)memcpy(p, field->name, n) + n;
    *p++ = '"';
    *p++ = ':';
    out->len += (size_t)(p - from);
}

static bool read_number(struct pp_wire *w, bool fixed, uint64_t *ret)
{
    return fixed ? pp_wire_fixed64(w, ret) : pp_wire_varint(w, ret);
}

/* The elements of one occurrence of a repeated field; *any says that some were written before. */
static void write_elements(struct pp_buf *out, const struct pp_otlp_field *field, struct pp_wire *w, uint32_t tag, bool *any)
{
    bool fixed = field->type == PP_OTLP_FIXED64 || field->type == PP_OTLP_DOUBLE;
    struct pp_wire sub = {0};
    struct pp_str s;
    uint64_t v;

    if (field->type == PP_OTLP_MESSAGE || is_text(field)) {
        if (*any)
            pp_buf_add_byte(out, ',');
        *any = true;
        if (field->type != PP_OTLP_MESSAGE && pp_wire_len(w, &s))
            write_text(out, field, s);
        else if (field->type == PP_OTLP_MESSAGE && pp_wire_sub(w, &sub))
            write_message(out, sub, field->message);
        return;
    }
    if (PP_WIRE_TYPE(tag) == PP_WIRE_LEN) {
        if (!pp_wire_sub(w, &sub))
            return;
        w = &sub;
    }
    do {
        if (!pp_wire_more(w) || !read_number(w, fixed, &v))
            return;
        write_number(out, field->type, v, *any);
        *any = true;
    } while (w == &sub);
}

/* The next occurrence of a field at or behind *w; in an ordered message the search ends at a higher one. */
static bool find(struct pp_wire *w, const struct pp_otlp_field *field, bool ordered, uint32_t *ret_tag)
{
    while (pp_wire_more(w)) {
        struct pp_wire at = *w;

        if (!pp_wire_tag(w, ret_tag))
            return false;
        if (PP_WIRE_FIELD(*ret_tag) == field->number)
            return true;
        if (ordered && PP_WIRE_FIELD(*ret_tag) > field->number) {
            *w = at;
            return false;
        }
        pp_wire_skip(w, *ret_tag);
    }
    return false;
}

static void write_repeated(struct pp_buf *out, const struct pp_otlp_field *field, struct pp_wire *w, bool ordered, bool *first)
{
    bool any = false, open = false;
    uint32_t tag;

    while (find(w, field, ordered, &tag)) {
        if (!open) {
            write_name(out, field, first);
            pp_buf_add_byte(out, '[');
            open = true;
        }
        write_elements(out, field, w, tag, &any);
    }
    if (open)
        pp_buf_add_byte(out, ']');
}

/* A message that comes in several pieces is their concatenation. */
static void write_single_message(struct pp_buf *out, const struct pp_otlp_field *field, struct pp_wire *w, bool ordered, bool *first)
{
    struct pp_wire sub = {0};
    struct pp_str piece;
    struct pp_buf joined;
    unsigned pieces = 0;
    uint32_t tag;

    pp_buf_init(&joined, SIZE_MAX / 2);
    while (find(w, field, ordered, &tag) && pp_wire_len(w, &piece)) {
        if (pieces == 1)
            pp_buf_add(&joined, sub.p, (size_t)(sub.end - sub.p));
        if (pieces++ == 0)
            sub = pp_wire_from(piece);
        else
            pp_buf_add_str(&joined, piece);
    }
    if (pieces > 0 || field->always) {
        write_name(out, field, first);
        write_message(out, pieces > 1 ? pp_wire_from(pp_buf_str(&joined)) : sub, field->message);
    }
    out->failed |= joined.failed;
    pp_buf_done(&joined);
}

static bool is_zero_id(struct pp_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i])
            return false;
    return true;
}

static void write_scalar(struct pp_buf *out, const struct pp_otlp_field *field, struct pp_wire *w, bool ordered, bool *first)
{
    bool found = false, fixed = field->type == PP_OTLP_FIXED64 || field->type == PP_OTLP_DOUBLE;
    struct pp_str s = {0};
    uint64_t v = 0;
    uint32_t tag;

    while (find(w, field, ordered, &tag) && (is_text(field) ? pp_wire_len(w, &s) : read_number(w, fixed, &v)))
        found = true;
    if (!found || (!field->oneof && v == 0 && (field->type == PP_OTLP_ID ? is_zero_id(s) : s.n == 0)))
        return;
    write_name(out, field, first);
    if (is_text(field))
        write_text(out, field, s);
    else
        write_number(out, field->type, v, false);
}

/* Whether field numbers never go down, as every encoder in use writes them. */
static bool is_ordered(struct pp_wire w)
{
    uint32_t tag, last = 0;

    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        if (PP_WIRE_FIELD(tag) < last)
            return false;
        last = PP_WIRE_FIELD(tag);
        pp_wire_skip(&w, tag);
    }
    return true;
}

static void write_message(struct pp_buf *out, struct pp_wire w, const struct pp_otlp_message *message)
{
    bool ordered = is_ordered(w), first = true;
    struct pp_wire rest = w;

    pp_buf_add_byte(out, '{');
    for (unsigned i = 0; i < message->fields_n && !out->failed; i++) {
        const struct pp_otlp_field *field = &message->fields[i];

        if (!ordered)
            rest = w;
        if (field->repeated)
            write_repeated(out, field, &rest, ordered, &first);
        else if (field->type == PP_OTLP_MESSAGE)
            write_single_message(out, field, &rest, ordered, &first);
        else
            write_scalar(out, field, &rest, ordered, &first);
    }
    pp_buf_add_byte(out, '}');
}

bool pp_batch_to_json(struct pp_batch *batch, struct pp_buf *out, struct pp_error *err)
{
    const struct pp_encode_options inline_keys = {0};
    struct pp_bytes *wire;

    if (!pp_batch_encode(batch, &inline_keys, &wire, err))
        return false;
    write_message(out, pp_wire_from(pp_bytes_str(wire)), &pp_otlp_request);
    pp_bytes_unref(wire);
    return !out->failed || pp_error_set(err, PP_ERR_LIMIT, "JSON of the message does not fit into %zu bytes, or memory is out", out->max);
}
