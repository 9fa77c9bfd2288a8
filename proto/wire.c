#include "proto/wire.h"

bool pp_wire_varint_slow(struct pp_wire *w, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *p = w->p;

    for (unsigned shift = 0; shift < 70 && p < w->end; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            w->p = p;
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool skip_bytes(struct pp_wire *w, uint64_t n)
{
    if (n > (uint64_t)(w->end - w->p))
        return false;
    w->p += n;
    return true;
}

static bool skip_scalar(struct pp_wire *w, uint32_t tag)
{
    uint64_t n;

    switch (PP_WIRE_TYPE(tag)) {
    case PP_WIRE_VARINT:
        return pp_wire_varint(w, &n);
    case PP_WIRE_FIXED64:
        return skip_bytes(w, 8);
    case PP_WIRE_FIXED32:
        return skip_bytes(w, 4);
    case PP_WIRE_LEN:
        return pp_wire_varint(w, &n) && skip_bytes(w, n);
    default:
        return false;
    }
}

/* Groups end with a tag of their own field number; nesting is followed on a small stack instead of by recursion. */
static bool skip_group(struct pp_wire *w, uint32_t tag)
{
    uint32_t open[PP_WIRE_GROUP_DEPTH_MAX];
    unsigned depth = 0;

    for (open[depth++] = PP_WIRE_FIELD(tag); depth > 0;) {
        if (!pp_wire_tag(w, &tag))
            return false;
        if (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP) {
            if (depth == PP_WIRE_GROUP_DEPTH_MAX)
                return false;
            open[depth++] = PP_WIRE_FIELD(tag);
        } else if (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP_END) {
            if (open[--depth] != PP_WIRE_FIELD(tag))
                return false;
        } else if (!skip_scalar(w, tag)) {
            return false;
        }
    }
    return true;
}

bool pp_wire_skip(struct pp_wire *w, uint32_t tag)
{
    return PP_WIRE_TYPE(tag) == PP_WIRE_GROUP ? skip_group(w, tag) : skip_scalar(w, tag);
}

size_t pp_wire_packed_count(struct pp_wire packed)
{
    size_t n = 0;

    for (const uint8_t *p = packed.p; p < packed.end; p++)
        n += *p < 0x80;
    return n;
}
