/* Protobuf wire format, writing side. Leaf messages are written through a raw pointer into room reserved beforehand; the bodies of
 * containers follow a length whose size is guessed and put right afterwards, so that nothing is measured before it is written. */
#ifndef PP_PROTO_WIRE_OUT_H
#define PP_PROTO_WIRE_OUT_H

#include "base/buf.h"
#include "proto/wire.h"

#define PP_OUT_TAG_BYTES_MAX 1u /* of fields below 16, all that is written here */
#define PP_OUT_LEN_BYTES_MAX 5u
#define PP_OUT_SCALAR_BYTES_MAX (PP_OUT_TAG_BYTES_MAX + PP_WIRE_VARINT_BYTES_MAX)

static inline unsigned pp_varint_size(uint64_t v)
{
    return (70u - (unsigned)__builtin_clzll(v | 1)) / 7;
}

static inline uint8_t *pp_out_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *pp_out_fixed64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
    return p + 8;
}

/* Fields with the default value are left out, as proto3 does. */
static inline uint8_t *pp_out_varint_field(uint8_t *p, uint32_t field, uint64_t v)
{
    if (v == 0)
        return p;
    *p++ = (uint8_t)PP_WIRE_TAG(field, PP_WIRE_VARINT);
    return pp_out_varint(p, v);
}

static inline uint8_t *pp_out_len_head(uint8_t *p, uint32_t field, size_t n)
{
    *p++ = (uint8_t)PP_WIRE_TAG(field, PP_WIRE_LEN);
    return pp_out_varint(p, n);
}

static inline uint8_t *pp_out_bytes(uint8_t *p, uint32_t field, const void *data, size_t n)
{
    p = pp_out_len_head(p, field, n);
    if (n)
        memcpy(p, data, n);
    return p + n;
}

/* Ends a message whose body starts at `body`, behind a length of `reserved` bytes: writes the length, moves the body when the guess was
 * wrong, and returns the new end. Room for PP_OUT_LEN_BYTES_MAX more bytes behind `end` must be there. */
uint8_t *pp_out_close(uint8_t *body, uint8_t *end, unsigned reserved);

/* Indices as a packed field, nothing when there are none. Needs room for PP_OUT_PACKED_BYTES_MAX(n). */
#define PP_OUT_PACKED_BYTES_MAX(n) (1u + PP_OUT_LEN_BYTES_MAX + (size_t)(n)*PP_WIRE_VARINT_BYTES_MAX)
uint8_t *pp_out_packed_int32(uint8_t *p, uint32_t field, const int32_t *v, size_t n);
uint8_t *pp_out_packed_int64(uint8_t *p, uint32_t field, const int64_t *v, size_t n);

/* Opens a container in a buffer: its tag and `reserved` bytes for the length; the offset of the body. Failures stick to the buffer. */
size_t pp_out_begin(struct pp_buf *buf, uint32_t field, unsigned reserved);
void pp_out_end(struct pp_buf *buf, size_t body, unsigned reserved);
/* A length-delimited field, also when it is empty. */
bool pp_out_add_bytes(struct pp_buf *buf, uint32_t field, struct pp_str s);
/* Left out when empty or 0. */
bool pp_out_add_text(struct pp_buf *buf, uint32_t field, struct pp_str s);
bool pp_out_add_varint(struct pp_buf *buf, uint32_t field, uint64_t v);

#endif
