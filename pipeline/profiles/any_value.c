#include "profiles/any_value.h"

#include "proto/otlp/otlp_fields.h"
#include "proto/wire_out.h"

static bool read_field(struct pp_wire *w, uint32_t tag, struct pp_any_value *v)
{
    uint64_t number;

    switch (tag) {
    case PP_TAG_LEN(PP_ANY_VALUE_STRING):
        v->kind = PP_ANY_STRING;
        return pp_wire_len(w, &v->string);
    case PP_TAG_LEN(PP_ANY_VALUE_ARRAY):
        v->kind = PP_ANY_ARRAY;
        return pp_wire_len(w, &v->string);
    case PP_TAG_LEN(PP_ANY_VALUE_KVLIST):
        v->kind = PP_ANY_KVLIST;
        return pp_wire_len(w, &v->string);
    case PP_TAG_LEN(PP_ANY_VALUE_BYTES):
        v->kind = PP_ANY_BYTES;
        return pp_wire_len(w, &v->string);
    case PP_TAG_VARINT(PP_ANY_VALUE_BOOL):
        if (!pp_wire_varint(w, &number))
            return false;
        v->kind = PP_ANY_BOOL;
        v->boolean = number != 0;
        return true;
    case PP_TAG_VARINT(PP_ANY_VALUE_INT):
    case PP_TAG_VARINT(PP_ANY_VALUE_STRING_REF):
        if (!pp_wire_varint(w, &number))
            return false;
        v->kind = tag == PP_TAG_VARINT(PP_ANY_VALUE_INT) ? PP_ANY_INT : PP_ANY_STRING_REF;
        v->integer = (int64_t)number;
        return true;
    case PP_TAG_FIXED64(PP_ANY_VALUE_DOUBLE):
        if (!pp_wire_fixed64(w, &number))
            return false;
        v->kind = PP_ANY_DOUBLE;
        memcpy(&v->number, &number, sizeof(v->number));
        return true;
    default:
        return pp_wire_skip(w, tag);
    }
}

bool pp_any_value_read(struct pp_str encoded, struct pp_any_value *ret)
{
    struct pp_any_value value = {.kind = PP_ANY_EMPTY};
    struct pp_wire w = pp_wire_from(encoded);
    uint32_t tag;

    while (pp_wire_more(&w))
        if (!pp_wire_tag(&w, &tag) || !read_field(&w, tag, &value))
            return false;
    *ret = value;
    return true;
}

static bool next_entry(const struct pp_any_value *list, size_t *offset, struct pp_str *ret)
{
    struct pp_wire w = pp_wire_from(list->string);
    uint32_t tag;

    w.p += *offset;
    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        if (tag == PP_TAG_LEN(PP_LIST_VALUES)) {
            if (!pp_wire_len(&w, ret))
                return false;
            *offset = (size_t)(w.p - (const uint8_t *)list->string.p);
            return true;
        }
        if (!pp_wire_skip(&w, tag))
            return false;
    }
    return false;
}

bool pp_any_value_next_element(const struct pp_any_value *array, size_t *offset, struct pp_str *ret)
{
    return array->kind == PP_ANY_ARRAY && next_entry(array, offset, ret);
}

bool pp_any_value_next_pair(const struct pp_any_value *kvlist, size_t *offset, struct pp_key_value *ret, int32_t *ret_key_ref)
{
    struct pp_key_value pair = {0};
    uint64_t ref = 0;
    struct pp_str entry;
    struct pp_wire w;
    uint32_t tag;

    if (kvlist->kind != PP_ANY_KVLIST || !next_entry(kvlist, offset, &entry))
        return false;
    for (w = pp_wire_from(entry); pp_wire_more(&w);) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_LEN(PP_KEY_VALUE_KEY))
            ok = pp_wire_len(&w, &pair.key);
        else if (tag == PP_TAG_LEN(PP_KEY_VALUE_VALUE))
            ok = pp_wire_len(&w, &pair.value);
        else if (tag == PP_TAG_VARINT(PP_KEY_VALUE_KEY_REF))
            ok = pp_wire_varint(&w, &ref);
        else
            ok = pp_wire_skip(&w, tag);
        if (!ok)
            return false;
    }
    *ret = pair;
    *ret_key_ref = (int32_t)ref;
    return true;
}

static bool from_bytes(struct pp_arena *arena, uint32_t field, struct pp_str value, struct pp_str *ret)
{
    uint8_t *p = pp_arena_alloc(arena, PP_OUT_SCALAR_BYTES_MAX + value.n);

    if (!p)
        return false;
    *ret = (struct pp_str){(char *)p, (size_t)(pp_out_bytes(p, field, value.p, value.n) - p)};
    return true;
}

static bool from_varint(struct pp_arena *arena, uint32_t field, uint64_t value, struct pp_str *ret)
{
    uint8_t *p = pp_arena_alloc(arena, PP_OUT_SCALAR_BYTES_MAX), *end;

    if (!p)
        return false;
    p[0] = (uint8_t)PP_TAG_VARINT(field);
    end = pp_out_varint(p + 1, value); /* also 0: which field is set says what kind it is */
    *ret = (struct pp_str){(char *)p, (size_t)(end - p)};
    return true;
}

bool pp_any_value_from_string(struct pp_arena *arena, struct pp_str value, struct pp_str *ret)
{
    return from_bytes(arena, PP_ANY_VALUE_STRING, value, ret);
}

bool pp_any_value_from_bytes(struct pp_arena *arena, struct pp_str value, struct pp_str *ret)
{
    return from_bytes(arena, PP_ANY_VALUE_BYTES, value, ret);
}

bool pp_any_value_from_bool(struct pp_arena *arena, bool value, struct pp_str *ret)
{
    return from_varint(arena, PP_ANY_VALUE_BOOL, value, ret);
}

bool pp_any_value_from_int(struct pp_arena *arena, int64_t value, struct pp_str *ret)
{
    return from_varint(arena, PP_ANY_VALUE_INT, (uint64_t)value, ret);
}

bool pp_any_value_from_double(struct pp_arena *arena, double value, struct pp_str *ret)
{
    uint8_t *p = pp_arena_alloc(arena, 1 + sizeof(value));

    if (!p)
        return false;
    p[0] = (uint8_t)PP_TAG_FIXED64(PP_ANY_VALUE_DOUBLE);
    memcpy(p + 1, &value, sizeof(value));
    *ret = (struct pp_str){(char *)p, 1 + sizeof(value)};
    return true;
}

/* A list whose entries take `bytes` in all, tags and lengths not counted; where to write them. */
static uint8_t *begin_list(struct pp_arena *arena, size_t bytes, size_t n)
{
    return pp_arena_alloc(arena, bytes + (n + 1) * (2 * PP_OUT_SCALAR_BYTES_MAX + PP_OUT_LEN_BYTES_MAX));
}

static void end_list(uint8_t *start, uint8_t *end, uint32_t field, struct pp_str *ret)
{
    uint8_t *body = start + 2;

    start[0] = (uint8_t)PP_TAG_LEN(field);
    end = pp_out_close(body, end, 1);
    *ret = (struct pp_str){(char *)start, (size_t)(end - start)};
}

bool pp_any_value_from_array(struct pp_arena *arena, const struct pp_str *values, size_t n, struct pp_str *ret)
{
    size_t bytes = 0;
    uint8_t *start, *p;

    for (size_t i = 0; i < n; i++)
        bytes += values[i].n;
    start = begin_list(arena, bytes, n);
    if (!start)
        return false;
    p = start + 2;
    for (size_t i = 0; i < n; i++)
        p = pp_out_bytes(p, PP_LIST_VALUES, values[i].p, values[i].n);
    end_list(start, p, PP_ANY_VALUE_ARRAY, ret);
    return true;
}

static uint8_t *add_pair(uint8_t *p, const struct pp_key_value *pair)
{
    uint8_t *body;

    *p = (uint8_t)PP_TAG_LEN(PP_LIST_VALUES);
    body = p += 2;
    p = pp_out_bytes(p, PP_KEY_VALUE_KEY, pair->key.p, pair->key.n);
    p = pp_out_bytes(p, PP_KEY_VALUE_VALUE, pair->value.p, pair->value.n);
    return pp_out_close(body, p, 1);
}

bool pp_any_value_from_pairs(struct pp_arena *arena, const struct pp_key_value *pairs, size_t n, struct pp_str *ret)
{
    size_t bytes = 0;
    uint8_t *start, *p;

    for (size_t i = 0; i < n; i++)
        bytes += pairs[i].key.n + pairs[i].value.n;
    start = begin_list(arena, bytes, n);
    if (!start)
        return false;
    p = start + 2;
    for (size_t i = 0; i < n; i++)
        p = add_pair(p, &pairs[i]);
    end_list(start, p, PP_ANY_VALUE_KVLIST, ret);
    return true;
}

bool pp_any_value_string(struct pp_str encoded, struct pp_str *ret)
{
    struct pp_any_value value;

    if (!pp_any_value_read(encoded, &value) || value.kind != PP_ANY_STRING)
        return false;
    *ret = value.string;
    return true;
}
