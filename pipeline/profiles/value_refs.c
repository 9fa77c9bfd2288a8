/* Attribute values that refer to the string table (key_strindex, string_value_strindex), made self-contained. */
#include "profiles/any_value.h"
#include "profiles/decode.h"
#include "proto/wire_out.h"

/* Kinds of message inside a value: what fields 1, 2, ... of each hold. */
enum shape { SHAPE_VALUE, SHAPE_ARRAY, SHAPE_KVLIST, SHAPE_PAIR };

/* The shape of a nested message, or false where the field is a leaf. */
static bool nested_shape(enum shape shape, uint32_t tag, enum shape *ret)
{
    if (shape == SHAPE_VALUE && tag == PP_TAG_LEN(PP_ANY_VALUE_ARRAY))
        *ret = SHAPE_ARRAY;
    else if (shape == SHAPE_VALUE && tag == PP_TAG_LEN(PP_ANY_VALUE_KVLIST))
        *ret = SHAPE_KVLIST;
    else if (shape == SHAPE_ARRAY && tag == PP_TAG_LEN(PP_LIST_VALUES))
        *ret = SHAPE_VALUE;
    else if (shape == SHAPE_KVLIST && tag == PP_TAG_LEN(PP_LIST_VALUES))
        *ret = SHAPE_PAIR;
    else if (shape == SHAPE_PAIR && tag == PP_TAG_LEN(PP_KEY_VALUE_VALUE))
        *ret = SHAPE_VALUE;
    else
        return false;
    return true;
}

/* The field a reference stands for, 0 when the tag is none. */
static uint32_t referred_field(enum shape shape, uint32_t tag)
{
    if (shape == SHAPE_VALUE && tag == PP_TAG_VARINT(PP_ANY_VALUE_STRING_REF))
        return PP_ANY_VALUE_STRING;
    return shape == SHAPE_PAIR && tag == PP_TAG_VARINT(PP_KEY_VALUE_KEY_REF) ? PP_KEY_VALUE_KEY : 0;
}

static bool has_references(struct pp_wire w, enum shape shape)
{
    enum shape nested;
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        if (referred_field(shape, tag))
            return true;
        if (!nested_shape(shape, tag, &nested)) {
            pp_wire_skip(&w, tag);
            continue;
        }
        if (!pp_wire_sub(&w, &sub) || has_references(sub, nested))
            return true;
    }
    return false;
}

static void write_inline(struct pp_buf *out, const struct pp_tables *tables, struct pp_wire w, enum shape shape)
{
    enum shape nested;
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;
        uint32_t field;

        if (!pp_wire_tag(&w, &tag))
            return;
        field = referred_field(shape, tag);
        if (field) {
            pp_out_add_bytes(out, field, tables->strings.v[pp_decode_int32(&w)]);
        } else if (nested_shape(shape, tag, &nested) && pp_wire_sub(&w, &sub)) {
            size_t body = pp_out_begin(out, PP_WIRE_FIELD(tag), 1);

            write_inline(out, tables, sub, nested);
            pp_out_end(out, body, 1);
        } else {
            pp_wire_skip(&w, tag);
            pp_buf_add(out, from, (size_t)(w.p - from));
        }
    }
}

bool pp_value_inline(struct pp_arena *arena, const struct pp_tables *tables, struct pp_str value, struct pp_str *ret)
{
    struct pp_buf out;
    char *copy;

    if (!has_references(pp_wire_from(value), SHAPE_VALUE)) {
        *ret = value;
        return true;
    }
    pp_buf_init(&out, PP_OTLP_MESSAGE_BYTES_MAX);
    write_inline(&out, tables, pp_wire_from(value), SHAPE_VALUE);
    copy = out.failed ? NULL : pp_arena_strdup(arena, pp_buf_str(&out));
    if (copy)
        *ret = (struct pp_str){copy, out.len};
    pp_buf_done(&out);
    return copy != NULL;
}
