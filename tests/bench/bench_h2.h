/* HTTP/2 frames (RFC 9113) written and read by hand, so that generator and sink cost less than what they measure. */
#ifndef BENCH_H2_H
#define BENCH_H2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_FRAME_HEADER_LEN 9
#define H2_FRAME_PAYLOAD_MAX 16384 /* of both sides until a SETTINGS says more; neither program ever says more */
#define H2_WINDOW_START 65535
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN 24
#define GRPC_PREFIX_LEN 5 /* compressed flag, length */

struct h2_frame {
    uint32_t len;
    uint8_t type, flags;
    uint32_t stream;
};

struct h2_frame h2_frame_read(const uint8_t *header);
void h2_frame_write(uint8_t *header, uint32_t len, uint8_t type, uint8_t flags, uint32_t stream);
uint32_t h2_u32(const uint8_t *at);
void h2_u32_write(uint8_t *at, uint32_t value);

/* Frames appended to a buffer with enough room; returns their end. */
uint8_t *h2_window_update(uint8_t *out, uint32_t stream, uint32_t increment);
uint8_t *h2_setting(uint8_t *out, uint16_t id, uint32_t value); /* a SETTINGS frame with one setting */
uint8_t *h2_ack(uint8_t *out, uint8_t type, const uint8_t *payload, uint32_t len); /* of SETTINGS or PING */

/* A header block that uses no dynamic table, so that the same bytes serve every request. Returns its length. */
size_t h2_header_block(uint8_t *out, size_t room, nghttp2_nv *headers, size_t n);
#define H2_NV(name, value) {(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE}

/* Reads a HEADERS frame's block without the frame's padding and priority; every header is read, for the dynamic table's sake.
 * Each one is handed to `found`. False when the block is broken. */
bool h2_headers_read(nghttp2_hd_inflater *inflater, const struct h2_frame *frame, const uint8_t *payload,
                     void (*found)(void *context, const nghttp2_nv *header), void *context);

#endif
