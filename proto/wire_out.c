#include "proto/wire_out.h"

#include <assert.h>

uint8_t *pp_out_close(uint8_t *body, uint8_t *end, unsigned reserved)
{
    size_t n = (size_t)(end - body);
    unsigned need = pp_varint_size(n);
    uint8_t *start = body - reserved;

    if (need != reserved)
        memmove(start + need, body, n);
    pp_out_varint(start, n);
    return start + need + n;
}

uint8_t *pp_out_packed_int32(uint8_t *p, uint32_t field, const int32_t *v, size_t n)
{
    unsigned reserved = n < 64 ? 1 : 2;
    uint8_t *body;

    if (n == 0)
        return p;
    *p++ = (uint8_t)PP_WIRE_TAG(field, PP_WIRE_LEN);
    body = p = p + reserved;
    for (size_t i = 0; i < n; i++)
        p = pp_out_varint(p, (uint64_t)(int64_t)v[i]);
    return pp_out_close(body, p, reserved);
}

uint8_t *pp_out_packed_int64(uint8_t *p, uint32_t field, const int64_t *v, size_t n)
{
    uint8_t *body;

    if (n == 0)
        return p;
    *p++ = (uint8_t)PP_WIRE_TAG(field, PP_WIRE_LEN);
    body = ++p;
    for (size_t i = 0; i < n; i++)
        p = pp_out_varint(p, (uint64_t)v[i]);
    return pp_out_close(body, p, 1);
}

size_t pp_out_begin(struct pp_buf *buf, uint32_t field, unsigned reserved)
{
    char *p = pp_buf_reserve(buf, PP_OUT_TAG_BYTES_MAX + reserved);

    assert(reserved >= 1 && reserved <= PP_OUT_LEN_BYTES_MAX && field < 16);
    if (!p)
        return 0;
    *p = (char)PP_WIRE_TAG(field, PP_WIRE_LEN);
    buf->len += PP_OUT_TAG_BYTES_MAX + reserved;
    return buf->len;
}

void pp_out_end(struct pp_buf *buf, size_t body, unsigned reserved)
{
    uint8_t *end;

    if (!pp_buf_reserve(buf, PP_OUT_LEN_BYTES_MAX))
        return;
    end = pp_out_close((uint8_t *)buf->data + body, (uint8_t *)buf->data + buf->len, reserved);
    buf->len = (size_t)(end - (uint8_t *)buf->data);
}

bool pp_out_add_bytes(struct pp_buf *buf, uint32_t field, struct pp_str s)
{
    uint8_t *p = (uint8_t *)pp_buf_reserve(buf, PP_OUT_SCALAR_BYTES_MAX + s.n);

    if (!p)
        return false;
    buf->len += (size_t)(pp_out_bytes(p, field, s.p, s.n) - p);
    return true;
}

bool pp_out_add_text(struct pp_buf *buf, uint32_t field, struct pp_str s)
{
    return s.n == 0 || pp_out_add_bytes(buf, field, s);
}

bool pp_out_add_varint(struct pp_buf *buf, uint32_t field, uint64_t v)
{
    uint8_t *p = (uint8_t *)pp_buf_reserve(buf, PP_OUT_SCALAR_BYTES_MAX);

    if (!p)
        return false;
    buf->len += (size_t)(pp_out_varint_field(p, field, v) - p);
    return true;
}
