/* The codecs behind compress.h; private to this layer. */
#ifndef PP_NET_COMPRESS_CODEC_H
#define PP_NET_COMPRESS_CODEC_H

#include "net/compress.h"

/* A decoder appends to `out`, whose `max` is the caller's limit, and fails as pp_decompress does. */
typedef bool pp_decode_fn(struct pp_str in, struct pp_buf *out, struct pp_error *err);
/* A level is valid or PP_COMPRESS_LEVEL_DEFAULT; `out` has no limit worth the name. */
typedef bool pp_encode_fn(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err);

pp_decode_fn pp_gzip_decode, pp_zlib_decode, pp_zstd_decode, pp_snappy_decode, pp_snappy_framed_decode, pp_lz4_decode;
pp_encode_fn pp_gzip_encode, pp_zlib_encode, pp_zstd_encode, pp_snappy_encode, pp_snappy_framed_encode, pp_lz4_encode;

/* Deflates as one gzip or zlib stream into at most `room` bytes. The number made; 0 when they do not fit, memory is out or the
 * input is too long for this compressor: then libdeflate is for it. */
size_t pp_igzip_deflate(bool gzip, struct pp_str in, char *out, size_t room);

/* The stream identifier that starts the framed snappy format. */
#define PP_SNAPPY_FRAMED_HEADER PP_STR("\xff\x06\x00\x00sNaPpY")

/* Thread-local contexts, freed when their thread ends. */
struct pp_codec_contexts {
    struct libdeflate_decompressor *inflater;
    struct libdeflate_compressor *deflater;
    int deflater_level;
    struct pp_igzip *igzip;
    struct ZSTD_DCtx_s *zstd_decoder;
    struct ZSTD_CCtx_s *zstd_encoder;
    struct LZ4F_dctx_s *lz4_decoder;
};

/* NULL when memory is out. */
struct pp_codec_contexts *pp_codec_contexts(void);

/* Errors in one voice. Both return false. */
bool pp_codec_over_limit(const struct pp_buf *out, struct pp_error *err);
bool pp_codec_invalid(const char *format, const char *why, struct pp_error *err);
/* One step of a streaming decoder: consumes and makes what it can. *ret_pending: bytes still expected, 0 at the end of a frame.
 * What is wrong with the input, or NULL. */
typedef const char *pp_codec_step(void *context, struct pp_str in, size_t *ret_used, char *out, size_t room, size_t *ret_made,
                                  size_t *ret_pending);
/* Runs it over all frames of `in`. */
bool pp_codec_stream(const char *format, pp_codec_step *step, void *context, struct pp_str in, struct pp_buf *out,
                     struct pp_error *err);
/* Grows `out` to have `n` free bytes exactly (n fits in out->max), so that a known size costs no slack. */
bool pp_codec_reserve(struct pp_buf *out, size_t n, struct pp_error *err);

#endif
