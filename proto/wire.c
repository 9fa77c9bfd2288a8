#include "proto/wire.h"

#define CONTINUATIONS 0x8080808080808080ull

/* Three to eight bytes at once: the groups of seven bits are pushed together in three steps. */
static const uint8_t *varint_word(const uint8_t *p, uint64_t *ret)
{
    uint64_t x, ends;

    memcpy(&x, p, sizeof(x));
    ends = ~x & CONTINUATIONS;
    if (!ends)
        return NULL;
    x &= (ends ^ (ends - 1)) & ~CONTINUATIONS;
    x = (x & 0x007F007F007F007Full) | (x & 0x7F007F007F007F00ull) >> 1;
    x = (x & 0x00003FFF00003FFFull) | (x & 0x3FFF00003FFF0000ull) >> 2;
    *ret = (x & 0x000000000FFFFFFFull) | (x & 0x0FFFFFFF00000000ull) >> 4;
    return p + (unsigned)__builtin_ctzll(ends) / 8 + 1;
}

const uint8_t *pp_wire_varint_slow(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *quick = end - p >= 8 ? varint_word(p, ret) : NULL;

    if (quick)
        return quick;
    for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return NULL;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            return p;
        }
    }
    return NULL;
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

const uint8_t *pp_wire_skip_slow(const uint8_t *p, const uint8_t *end, uint32_t tag)
{
    struct pp_wire w = {p, end};

    return (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP ? skip_group(&w, tag) : skip_scalar(&w, tag)) ? w.p : NULL;
}
