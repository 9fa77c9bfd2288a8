/* gzip and zlib through libdeflate, which wants the whole output in one block: sizes are guessed and, when wrong, doubled. */
#include <libdeflate.h>

#include "net/compress_codec.h"

/* DEFLATE codes at best 258 bytes in 2 bits. */
#define DEFLATE_RATIO_MAX 1032u
/* First guess without a better hint: profiles shrink to a third. */
#define GUESS_RATIO 4u
#define GUESS_MIN 4096u
/* Shortest gzip member: 10 bytes of header, 2 of data, 8 behind. */
#define GZIP_MEMBER_MIN 20u
/* Where no level is configured and ISA-L could not do it. */
#define LEVEL_DEFAULT 1
/* A stored block holds at most 65,535 bytes and takes 5 more; header and trailer take 18. */
#define STORED_BLOCK_BYTES 65535u
#define STORED_BLOCK_COST 5u
#define STREAM_COST 64u
/* Compressors of higher levels hold megabytes and are not kept for the next message. */
#define LEVEL_KEPT_MAX 9

typedef enum libdeflate_result member_fn(struct libdeflate_decompressor *, const void *, size_t, void *, size_t, size_t *,
                                         size_t *);

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A gzip stream ends with its size modulo 2^32. The hint is the sender's word, hence never trusted beyond what is possible. */
static size_t gzip_size_hint(struct pp_str in)
{
    const unsigned char *p = (const unsigned char *)in.p + in.n - 4;

    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* Inflates one member at the start of `in`; tells how much of it that was. */
static bool inflate_member(member_fn *fn, const char *format, struct pp_str in, size_t guess, struct pp_buf *out,
                           size_t *ret_used, struct pp_error *err)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();
    size_t left = out->max - out->len;
    size_t possible = in.n > left / DEFLATE_RATIO_MAX ? left : in.n * DEFLATE_RATIO_MAX;
    size_t free_now = min_size(out->cap - out->len, left);
    size_t room = min_size(guess, possible);

    if (room < free_now)
        room = free_now;
    if (contexts && !contexts->inflater)
        contexts->inflater = libdeflate_alloc_decompressor();
    if (!contexts || !contexts->inflater)
        return pp_error_nomem(err);
    for (;;) {
        size_t made = 0;

        if (!pp_codec_reserve(out, room ? room : 1, err))
            return false;
        switch (fn(contexts->inflater, in.p, in.n, out->data + out->len, room, ret_used, &made)) {
        case LIBDEFLATE_SUCCESS:
            out->len += made;
            return true;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            if (room >= left)
                return pp_codec_over_limit(out, err);
            if (room >= possible) /* cannot be: more came out than any stream of this length holds */
                return pp_codec_invalid(format, "impossible size", err);
            room = room > possible / 2 ? possible : room * 2;
            break;
        default:
            return pp_codec_invalid(format, "damaged or cut short", err);
        }
    }
}

bool pp_gzip_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    do {
        size_t used = 0, guess;

        if (in.n < GZIP_MEMBER_MIN)
            return pp_codec_invalid("gzip", "cut short", err);
        guess = gzip_size_hint(in);
        if (guess < GUESS_MIN)
            guess = GUESS_MIN;
        if (!inflate_member(libdeflate_gzip_decompress_ex, "gzip", in, guess, out, &used, err))
            return false;
        in.p += used;
        in.n -= used;
    } while (in.n > 0);
    return true;
}

bool pp_zlib_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    size_t used = 0;
    size_t guess = in.n > SIZE_MAX / GUESS_RATIO ? SIZE_MAX : in.n * GUESS_RATIO + GUESS_MIN;

    if (!inflate_member(libdeflate_zlib_decompress_ex, "zlib", in, guess, out, &used, err))
        return false;
    return used == in.n || pp_codec_invalid("zlib", "bytes behind the end", err);
}

/* The thread's, when it is of that level, else a new one; NULL when memory is out. */
static struct libdeflate_compressor *take_compressor(int level)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();
    struct libdeflate_compressor *compressor = contexts ? contexts->deflater : NULL;

    if (!compressor || contexts->deflater_level != level)
        return libdeflate_alloc_compressor(level);
    contexts->deflater = NULL;
    return compressor;
}

static void give_back_compressor(struct libdeflate_compressor *compressor, int level)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();

    if (contexts && level <= LEVEL_KEPT_MAX) {
        struct libdeflate_compressor *old = contexts->deflater;

        contexts->deflater = compressor;
        contexts->deflater_level = level;
        compressor = old;
    }
    libdeflate_free_compressor(compressor);
}

static bool deflate_at_level(bool gzip, struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    struct libdeflate_compressor *compressor = take_compressor(level);
    size_t bound, n = 0;
    bool ok;

    if (!compressor)
        return pp_error_nomem(err);
    bound = gzip ? libdeflate_gzip_compress_bound(compressor, in.n) : libdeflate_zlib_compress_bound(compressor, in.n);
    ok = pp_codec_reserve(out, bound, err);
    if (ok) {
        n = gzip ? libdeflate_gzip_compress(compressor, in.p, in.n, out->data, bound)
                 : libdeflate_zlib_compress(compressor, in.p, in.n, out->data, bound);
        ok = n > 0 || pp_error_set(err, PP_ERR_INTERNAL, "libdeflate refused to compress");
    }
    out->len = n;
    give_back_compressor(compressor, level);
    return ok;
}

static bool deflate_default(bool gzip, struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    size_t bound = in.n + (in.n / STORED_BLOCK_BYTES + 1) * STORED_BLOCK_COST + STREAM_COST;

    if (!pp_codec_reserve(out, bound, err))
        return false;
    out->len = pp_igzip_deflate(gzip, in, out->data, bound);
    return out->len > 0 || deflate_at_level(gzip, in, LEVEL_DEFAULT, out, err);
}

static bool deflate_whole(bool gzip, struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    return level == PP_COMPRESS_LEVEL_DEFAULT ? deflate_default(gzip, in, out, err) : deflate_at_level(gzip, in, level, out, err);
}

bool pp_gzip_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    return deflate_whole(true, in, level, out, err);
}

bool pp_zlib_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    return deflate_whole(false, in, level, out, err);
}
