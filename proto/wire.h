/* Protobuf wire format, reading side: bounds-checked primitives on a cursor. No allocation, no recursion but for groups. */
#ifndef PP_PROTO_WIRE_H
#define PP_PROTO_WIRE_H

#include "base/str.h"

enum pp_wire_type {
    PP_WIRE_VARINT = 0,
    PP_WIRE_FIXED64 = 1,
    PP_WIRE_LEN = 2,
    PP_WIRE_GROUP = 3,
    PP_WIRE_GROUP_END = 4,
    PP_WIRE_FIXED32 = 5,
};

/* A field's tag as it stands on the wire; one byte below field 16. */
#define PP_WIRE_TAG(field, type) (((uint32_t)(field) << 3) | (uint32_t)(type))
#define PP_WIRE_FIELD(tag) ((tag) >> 3)
#define PP_WIRE_TYPE(tag) ((tag) & 7)

#define PP_WIRE_VARINT_BYTES_MAX 10u
#define PP_WIRE_GROUP_DEPTH_MAX 32u /* of unknown fields; OTLP itself has no groups */

/* What is left of a message. */
struct pp_wire {
    const uint8_t *p, *end;
};

static inline struct pp_wire pp_wire_from(struct pp_str s)
{
    const uint8_t *p = (const uint8_t *)s.p;

    return (struct pp_wire){p, s.n ? p + s.n : p}; /* NULL + 0 is undefined */
}

static inline bool pp_wire_more(const struct pp_wire *w)
{
    return w->p < w->end;
}

/* The slow paths take and give back the position by value, so that a caller's cursor can stay in registers. NULL at the end of the message
 * or past 64 bits. */
const uint8_t *pp_wire_varint_slow(const uint8_t *p, const uint8_t *end, uint64_t *ret);
const uint8_t *pp_wire_skip_slow(const uint8_t *p, const uint8_t *end, uint32_t tag);

static inline bool pp_wire_varint(struct pp_wire *w, uint64_t *ret)
{
    const uint8_t *p = w->p;
    uint64_t slow;

    if (__builtin_expect(p < w->end && *p < 0x80, 1)) {
        *ret = *p;
        w->p = p + 1;
        return true;
    }
    if (w->end - p >= 2 && p[1] < 0x80) {
        *ret = (uint64_t)(p[0] & 0x7F) | (uint64_t)p[1] << 7;
        w->p = p + 2;
        return true;
    }
    p = pp_wire_varint_slow(p, w->end, &slow);
    if (!p)
        return false;
    w->p = p;
    *ret = slow;
    return true;
}

/* A tag with a field number of at least 1 and at most 2^29 - 1. */
static inline bool pp_wire_tag(struct pp_wire *w, uint32_t *ret)
{
    uint64_t tag;

    if (!pp_wire_varint(w, &tag) || tag > UINT32_MAX || tag < 8)
        return false;
    *ret = (uint32_t)tag;
    return true;
}

static inline bool pp_wire_fixed64(struct pp_wire *w, uint64_t *ret)
{
    if (w->end - w->p < 8)
        return false;
    memcpy(ret, w->p, 8);
    w->p += 8;
    return true;
}

/* A length-delimited field's content. */
static inline bool pp_wire_len(struct pp_wire *w, struct pp_str *ret)
{
    uint64_t n;

    if (!pp_wire_varint(w, &n) || n > (uint64_t)(w->end - w->p))
        return false;
    *ret = (struct pp_str){(const char *)w->p, (size_t)n};
    w->p += n;
    return true;
}

static inline bool pp_wire_sub(struct pp_wire *w, struct pp_wire *ret)
{
    struct pp_str s;

    if (!pp_wire_len(w, &s))
        return false;
    *ret = pp_wire_from(s);
    return true;
}

/* Passes over a field whose tag has just been read. */
static inline bool pp_wire_skip(struct pp_wire *w, uint32_t tag)
{
    const uint8_t *p = pp_wire_skip_slow(w->p, w->end, tag);

    if (!p)
        return false;
    w->p = p;
    return true;
}

/* Bytes behind an array that the next function may look at: they must be there, whatever they hold. */
#define PP_WIRE_PACKED_SLACK_BYTES 16u

/* Whether the `n` bytes at `p` are a packed array of values that are all below `limit`, adding their number to *count. No says little: some
 * value is not, or is written in more bytes than the limit's own, or the machine has no vectors. The field's tag and length must stand before `p`. */
bool pp_wire_packed_below(const uint8_t *p, size_t n, uint32_t limit, uint32_t *count);

/* The values in a packed array of 64-bit varints, when it is well-formed. */
bool pp_wire_packed_count(struct pp_wire packed, uint32_t *ret);

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the codecs read fixed-width integers in the machine's order, which must be little-endian"
#endif

#endif
