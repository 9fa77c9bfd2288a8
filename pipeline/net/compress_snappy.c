/* Snappy's block format and its framed one (google/snappy: format_description.txt, framing_format.txt). */
#include <snappy-c.h>

#include "net/compress_codec.h"
#include "base/crc32c.h"

/* A copy element of 2 bytes makes at most 64: more is a lie. */
#define BLOCK_RATIO_MAX 64u
/* Uncompressed bytes that one chunk of a frame may hold. */
#define CHUNK_CONTENT_MAX 65536u
#define CHUNK_HEADER_SIZE 4u
#define CHUNK_CRC_SIZE 4u

enum chunk_type {
    CHUNK_COMPRESSED = 0x00,
    CHUNK_UNCOMPRESSED = 0x01,
    CHUNK_SKIPPABLE_FIRST = 0x80,
    CHUNK_STREAM_ID = 0xFF,
};

static bool decode_block(struct pp_str in, size_t content_max, struct pp_buf *out, struct pp_error *err)
{
    size_t n;

    if (snappy_uncompressed_length(in.p, in.n, &n) != SNAPPY_OK)
        return pp_codec_invalid("snappy", "no length", err);
    if (n / BLOCK_RATIO_MAX > in.n || n > content_max)
        return pp_codec_invalid("snappy", "impossible length", err);
    if (n > out->max - out->len)
        return pp_codec_over_limit(out, err);
    if (!pp_codec_reserve(out, n ? n : 1, err))
        return false;
    if (snappy_uncompress(in.p, in.n, out->data + out->len, &n) != SNAPPY_OK)
        return pp_codec_invalid("snappy", "damaged or cut short", err);
    out->len += n;
    return true;
}

bool pp_snappy_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    if (pp_encoding_detect(PP_ENCODING_SNAPPY, in) == PP_ENCODING_SNAPPY_FRAMED)
        return pp_snappy_framed_decode(in, out, err);
    return decode_block(in, SIZE_MAX, out, err);
}

static uint32_t mask_crc(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint32_t read_le(const char *p, size_t bytes)
{
    uint32_t value = 0;

    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

/* A chunk with content: checksum of the content, then the content or its block. */
static bool decode_content(enum chunk_type type, struct pp_str chunk, struct pp_buf *out, struct pp_error *err)
{
    struct pp_str content;
    size_t before = out->len;

    if (chunk.n < CHUNK_CRC_SIZE)
        return pp_codec_invalid("snappy", "chunk without checksum", err);
    content = (struct pp_str){chunk.p + CHUNK_CRC_SIZE, chunk.n - CHUNK_CRC_SIZE};
    /* Room for many chunks at once; exact growth would copy the output once a chunk. */
    if (out->cap - out->len < CHUNK_CONTENT_MAX) {
        size_t left = out->max - out->len;
        size_t want = CHUNK_CONTENT_MAX + out->len / 2;

        if (!pp_codec_reserve(out, want < left ? want : left, err))
            return false;
    }
    if (type == CHUNK_COMPRESSED) {
        if (!decode_block(content, CHUNK_CONTENT_MAX, out, err))
            return false;
    } else {
        if (content.n > CHUNK_CONTENT_MAX)
            return pp_codec_invalid("snappy", "chunk too long", err);
        if (content.n > out->max - out->len)
            return pp_codec_over_limit(out, err);
        if (!pp_buf_add_str(out, content))
            return pp_error_nomem(err);
    }
    if (mask_crc(pp_crc32c((struct pp_str){out->data + before, out->len - before})) != read_le(chunk.p, CHUNK_CRC_SIZE))
        return pp_codec_invalid("snappy", "checksum does not match", err);
    return true;
}

bool pp_snappy_framed_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    struct pp_str id = PP_SNAPPY_FRAMED_HEADER;

    if (in.n < id.n || memcmp(in.p, id.p, id.n) != 0)
        return pp_codec_invalid("snappy", "no stream identifier", err);
    while (in.n > 0) {
        enum chunk_type type = (unsigned char)in.p[0];
        struct pp_str chunk;

        if (in.n < CHUNK_HEADER_SIZE || in.n - CHUNK_HEADER_SIZE < read_le(in.p + 1, 3))
            return pp_codec_invalid("snappy", "cut short", err);
        chunk = (struct pp_str){in.p + CHUNK_HEADER_SIZE, read_le(in.p + 1, 3)};
        if (type == CHUNK_COMPRESSED || type == CHUNK_UNCOMPRESSED) {
            if (!decode_content(type, chunk, out, err))
                return false;
        } else if (type == CHUNK_STREAM_ID) {
            if (!pp_str_eq(chunk, (struct pp_str){id.p + CHUNK_HEADER_SIZE, id.n - CHUNK_HEADER_SIZE}))
                return pp_codec_invalid("snappy", "wrong stream identifier", err);
        } else if (type < CHUNK_SKIPPABLE_FIRST) {
            return pp_codec_invalid("snappy", "unknown chunk", err);
        }
        in.p = chunk.p + chunk.n;
        in.n -= CHUNK_HEADER_SIZE + chunk.n;
    }
    return true;
}

static bool encode_block(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    size_t n = snappy_max_compressed_length(in.n);

    if (!pp_codec_reserve(out, n, err))
        return false;
    if (snappy_compress(in.p, in.n, out->data + out->len, &n) != SNAPPY_OK)
        return pp_error_set(err, PP_ERR_INTERNAL, "snappy refused to compress");
    out->len += n;
    return true;
}

bool pp_snappy_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    (void)level;
    return encode_block(in, out, err);
}

static void write_le(char *p, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (char)(value >> 8 * i);
}

bool pp_snappy_framed_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    const size_t prefix = CHUNK_HEADER_SIZE + CHUNK_CRC_SIZE;
    size_t chunks = in.n / CHUNK_CONTENT_MAX + 1;

    (void)level;
    if (!pp_codec_reserve(out, PP_SNAPPY_FRAMED_HEADER.n + chunks * (prefix + snappy_max_compressed_length(CHUNK_CONTENT_MAX)),
                          err))
        return false;
    pp_buf_add_str(out, PP_SNAPPY_FRAMED_HEADER);
    while (in.n > 0) {
        struct pp_str part = {in.p, in.n < CHUNK_CONTENT_MAX ? in.n : CHUNK_CONTENT_MAX};
        size_t at = out->len;

        out->len += prefix;
        if (!encode_block(part, out, err))
            return false;
        out->data[at] = CHUNK_COMPRESSED;
        write_le(out->data + at + 1, (uint32_t)(out->len - at - CHUNK_HEADER_SIZE), 3);
        write_le(out->data + at + CHUNK_HEADER_SIZE, mask_crc(pp_crc32c(part)), CHUNK_CRC_SIZE);
        in.p += part.n;
        in.n -= part.n;
    }
    return true;
}
