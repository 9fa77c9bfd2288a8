#include "net/compress.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <pthread.h>
#include <zstd.h>

#include "base/mem.h"
#include "net/compress_codec.h"

struct codec {
    const char *name;
    pp_decode_fn *decode;
    pp_encode_fn *encode;
    int level_min, level_max; /* both 0: the format has no levels and any is ignored */
};

static bool identity_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    if (in.n > out->max)
        return pp_codec_over_limit(out, err);
    return in.n == 0 || (pp_codec_reserve(out, in.n, err) && pp_buf_add_str(out, in));
}

static bool identity_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    (void)level;
    return identity_decode(in, out, err);
}

static const struct codec codecs[PP_ENCODINGS] = {
    [PP_ENCODING_IDENTITY] = {"identity", identity_decode, identity_encode, 0, 0},
    [PP_ENCODING_GZIP] = {"gzip", pp_gzip_decode, pp_gzip_encode, 1, 12},
    [PP_ENCODING_DEFLATE] = {"deflate", pp_zlib_decode, pp_zlib_encode, 1, 12},
    [PP_ENCODING_ZSTD] = {"zstd", pp_zstd_decode, pp_zstd_encode, 1, 22},
    [PP_ENCODING_SNAPPY] = {"snappy", pp_snappy_decode, pp_snappy_encode, 0, 0},
    [PP_ENCODING_SNAPPY_FRAMED] = {"x-snappy-framed", pp_snappy_framed_decode, pp_snappy_framed_encode, 0, 0},
    [PP_ENCODING_LZ4] = {"lz4", pp_lz4_decode, pp_lz4_encode, 0, 12},
};

const char *pp_encoding_name(enum pp_encoding encoding)
{
    return codecs[encoding].name;
}

bool pp_encoding_by_name(struct pp_str name, enum pp_encoding *ret)
{
    static const struct {
        const char *name;
        enum pp_encoding encoding;
    } others[] = {
        {"", PP_ENCODING_IDENTITY},
        {"none", PP_ENCODING_IDENTITY},
        {"zlib", PP_ENCODING_DEFLATE},
        {"x-gzip", PP_ENCODING_GZIP},
    };

    for (size_t i = 0; i < PP_ENCODINGS; i++) {
        if (pp_str_eq_nocase(name, pp_str_c(codecs[i].name))) {
            *ret = (enum pp_encoding)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (pp_str_eq_nocase(name, pp_str_c(others[i].name))) {
            *ret = others[i].encoding;
            return true;
        }
    }
    return false;
}

/* What is held beyond the content is given back when it is worth a copy. */
#define SLACK_SHARE 4

static struct pp_bytes *take_tight(struct pp_buf *out)
{
    char *data;

    if (out->cap - out->len > out->len / SLACK_SHARE) {
        data = pp_realloc(out->data, out->len);
        if (data) {
            out->data = data;
            out->cap = out->len;
        }
    }
    return pp_bytes_take(out);
}

static bool finish(bool ok, struct pp_buf *out, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_bytes *bytes = NULL;

    if (ok) {
        /* An empty result is a block too. */
        bytes = out->data ? take_tight(out) : pp_bytes_new(0);
        ok = bytes || pp_error_nomem(err);
    }
    pp_buf_done(out);
    if (ok)
        *ret = bytes;
    return ok;
}

bool pp_decompress(enum pp_encoding encoding, struct pp_str in, size_t bytes_max, struct pp_bytes **ret,
                   struct pp_error *err)
{
    struct pp_buf out;

    pp_buf_init(&out, bytes_max);
    return finish(codecs[encoding].decode(in, &out, err), &out, ret, err);
}

bool pp_compress(enum pp_encoding encoding, int level, struct pp_str in, struct pp_bytes **ret, struct pp_error *err)
{
    const struct codec *codec = &codecs[encoding];
    struct pp_buf out;

    if (codec->level_max > 0 && level != PP_COMPRESS_LEVEL_DEFAULT &&
        (level < codec->level_min || level > codec->level_max))
        return pp_error_set(err, PP_ERR_CONFIG, "compression level %d is out of range for %s (%d to %d)", level,
                            codec->name, codec->level_min, codec->level_max);
    pp_buf_init(&out, SIZE_MAX);
    return finish(codec->encode(in, level, &out, err), &out, ret, err);
}

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void contexts_free(void *p)
{
    struct pp_codec_contexts *contexts = p;

    libdeflate_free_decompressor(contexts->inflater);
    libdeflate_free_compressor(contexts->deflater);
    pp_free(contexts->igzip);
    ZSTD_freeDCtx(contexts->zstd_decoder);
    ZSTD_freeCCtx(contexts->zstd_encoder);
    LZ4F_freeDecompressionContext(contexts->lz4_decoder);
    pp_free(contexts);
}

static void contexts_key_make(void)
{
    pthread_key_create(&contexts_key, contexts_free);
}

struct pp_codec_contexts *pp_codec_contexts(void)
{
    struct pp_codec_contexts *contexts;

    pthread_once(&contexts_once, contexts_key_make);
    contexts = pthread_getspecific(contexts_key);
    if (contexts)
        return contexts;
    contexts = pp_calloc(1, sizeof(*contexts));
    if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
        pp_free(contexts);
        return NULL;
    }
    return contexts;
}

bool pp_codec_over_limit(const struct pp_buf *out, struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_LIMIT, "decompressed size is over the limit of %zu bytes", out->max);
}

bool pp_codec_invalid(const char *format, const char *why, struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_INVALID, "not valid %s: %s", format, why);
}

bool pp_codec_reserve(struct pp_buf *out, size_t n, struct pp_error *err)
{
    char *data;

    if (n <= out->cap - out->len)
        return true;
    data = pp_realloc(out->data, out->len + n);
    if (!data)
        return pp_error_nomem(err);
    out->data = data;
    out->cap = out->len + n;
    return true;
}

enum pp_encoding pp_encoding_detect(enum pp_encoding encoding, struct pp_str in)
{
    struct pp_str id = PP_SNAPPY_FRAMED_HEADER;
    bool framed = in.n >= id.n && memcmp(in.p, id.p, id.n) == 0;

    return encoding == PP_ENCODING_SNAPPY && framed ? PP_ENCODING_SNAPPY_FRAMED : encoding;
}

#define STREAM_STEP_MIN (64u * 1024)

/* Makes free room within out->max, growing by half of what is there; with none left to grow into there is no more room, which is
 * no error: the stream may end right there. */
static bool stream_room(struct pp_buf *out, struct pp_error *err)
{
    size_t left = out->max - out->len;
    size_t want = out->len / 2 > STREAM_STEP_MIN ? out->len / 2 : STREAM_STEP_MIN;

    return out->cap > out->len || left == 0 || pp_codec_reserve(out, want < left ? want : left, err);
}

bool pp_codec_stream(const char *format, pp_codec_step *step, void *context, struct pp_str in, struct pp_buf *out,
                     struct pp_error *err)
{
    size_t pending = 1;

    while (in.n > 0 || pending > 0) {
        size_t used = 0, made = 0, room;
        char beyond[1]; /* where a byte past the limit shows */
        const char *why;
        bool full;

        if (!stream_room(out, err))
            return false;
        room = out->cap - out->len;
        full = room == 0;
        why = step(context, in, &used, full ? beyond : out->data + out->len, full ? sizeof(beyond) : room, &made, &pending);
        if (why)
            return pp_codec_invalid(format, why, err);
        if (full && made > 0)
            return pp_codec_over_limit(out, err);
        if (used == 0 && made == 0 && pending > 0)
            return pp_codec_invalid(format, "cut short", err);
        out->len += made;
        in.p += used;
        in.n -= used;
    }
    return true;
}
