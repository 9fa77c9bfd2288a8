#include "bench_h2.h"

#include <string.h>

#include "bench_net.h"

#define PRIORITY_LEN 5

uint32_t h2_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void h2_u32_write(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

struct h2_frame h2_frame_read(const uint8_t *header)
{
    return (struct h2_frame){.len = h2_u32(header) >> 8, .type = header[3], .flags = header[4], .stream = h2_u32(header + 5) & 0x7fffffff};
}

void h2_frame_write(uint8_t *header, uint32_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
    h2_u32_write(header, len << 8);
    header[3] = type;
    header[4] = flags;
    h2_u32_write(header + 5, stream);
}

uint8_t *h2_window_update(uint8_t *out, uint32_t stream, uint32_t increment)
{
    h2_frame_write(out, 4, NGHTTP2_WINDOW_UPDATE, 0, stream);
    h2_u32_write(out + H2_FRAME_HEADER_LEN, increment);
    return out + H2_FRAME_HEADER_LEN + 4;
}

uint8_t *h2_setting(uint8_t *out, uint16_t id, uint32_t value)
{
    h2_frame_write(out, 6, NGHTTP2_SETTINGS, 0, 0);
    out[H2_FRAME_HEADER_LEN] = (uint8_t)(id >> 8);
    out[H2_FRAME_HEADER_LEN + 1] = (uint8_t)id;
    h2_u32_write(out + H2_FRAME_HEADER_LEN + 2, value);
    return out + H2_FRAME_HEADER_LEN + 6;
}

uint8_t *h2_ack(uint8_t *out, uint8_t type, const uint8_t *payload, uint32_t len)
{
    h2_frame_write(out, len, type, NGHTTP2_FLAG_ACK, 0);
    if (len)
        memcpy(out + H2_FRAME_HEADER_LEN, payload, len);
    return out + H2_FRAME_HEADER_LEN + len;
}

size_t h2_header_block(uint8_t *out, size_t room, nghttp2_nv *headers, size_t n)
{
    nghttp2_hd_deflater *deflater;
    ssize_t len;

    if (nghttp2_hd_deflate_new(&deflater, 0) != 0)
        bench_die("header deflater");
    len = nghttp2_hd_deflate_hd(deflater, out, room, headers, n);
    nghttp2_hd_deflate_del(deflater);
    if (len < 0)
        bench_die("header block");
    return (size_t)len;
}

bool h2_headers_read(nghttp2_hd_inflater *inflater, const struct h2_frame *frame, const uint8_t *payload,
                     void (*found)(void *context, const nghttp2_nv *header), void *context)
{
    const uint8_t *at = payload, *end = payload + frame->len;

    if (frame->flags & NGHTTP2_FLAG_PADDED) {
        if (at == end || *at >= end - at)
            return false;
        end -= *at++;
    }
    at += frame->flags & NGHTTP2_FLAG_PRIORITY ? PRIORITY_LEN : 0;
    if (at > end || !(frame->flags & NGHTTP2_FLAG_END_HEADERS))
        return false;
    for (;;) {
        nghttp2_nv header;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &header, &flags, at, (size_t)(end - at), 1);

        if (used < 0)
            return false;
        at += used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            found(context, &header);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
        if (at == end && !(flags & NGHTTP2_HD_INFLATE_EMIT))
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return at == end;
}
