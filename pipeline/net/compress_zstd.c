#include <zstd.h>

#include "net/compress_codec.h"

/* A frame's window is memory beside the output. 8 MiB is what RFC 9659 allows on the web; encoders at their best level use up to
 * 128 MiB, accepted as far as the caller's own limit on the content goes. */
#define WINDOW_LOG_MIN 23
#define WINDOW_LOG_MAX 27
/* A context that has grown past this is not kept for the next message. */
#define CONTEXT_KEEP_MAX (16u * 1024 * 1024)
/* What the Collector uses over HTTP, too. */
#define LEVEL_DEFAULT 1

static int window_log(size_t bytes_max)
{
    int log = WINDOW_LOG_MIN;

    while (log < WINDOW_LOG_MAX && ((size_t)1 << log) < bytes_max)
        log++;
    return log;
}

static const char *zstd_step(void *context, struct pp_str in, size_t *ret_used, char *out, size_t room, size_t *ret_made,
                             size_t *ret_pending)
{
    ZSTD_inBuffer input = {in.p, in.n, 0};
    ZSTD_outBuffer output = {out, room, 0};
    size_t pending = ZSTD_decompressStream(context, &output, &input);

    if (ZSTD_isError(pending))
        return ZSTD_getErrorName(pending);
    *ret_used = input.pos;
    *ret_made = output.pos;
    *ret_pending = pending;
    return NULL;
}

bool pp_zstd_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();
    unsigned long long declared;
    bool ok;

    if (contexts && !contexts->zstd_decoder)
        contexts->zstd_decoder = ZSTD_createDCtx();
    if (!contexts || !contexts->zstd_decoder)
        return pp_error_nomem(err);
    ZSTD_DCtx_reset(contexts->zstd_decoder, ZSTD_reset_session_and_parameters);
    ZSTD_DCtx_setParameter(contexts->zstd_decoder, ZSTD_d_windowLogMax, window_log(out->max));
    declared = ZSTD_getFrameContentSize(in.p, in.n);
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared != ZSTD_CONTENTSIZE_ERROR && declared > out->max)
        return pp_codec_over_limit(out, err);
    ok = pp_codec_stream("zstd", zstd_step, contexts->zstd_decoder, in, out, err);
    if (ZSTD_sizeof_DCtx(contexts->zstd_decoder) > CONTEXT_KEEP_MAX) {
        ZSTD_freeDCtx(contexts->zstd_decoder);
        contexts->zstd_decoder = NULL;
    }
    return ok;
}

bool pp_zstd_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();
    size_t bound = ZSTD_compressBound(in.n), n;

    if (contexts && !contexts->zstd_encoder)
        contexts->zstd_encoder = ZSTD_createCCtx();
    if (!contexts || !contexts->zstd_encoder)
        return pp_error_nomem(err);
    if (!pp_codec_reserve(out, bound, err))
        return false;
    n = ZSTD_compressCCtx(contexts->zstd_encoder, out->data, bound, in.p, in.n,
                          level == PP_COMPRESS_LEVEL_DEFAULT ? LEVEL_DEFAULT : level);
    if (ZSTD_sizeof_CCtx(contexts->zstd_encoder) > CONTEXT_KEEP_MAX) {
        ZSTD_freeCCtx(contexts->zstd_encoder);
        contexts->zstd_encoder = NULL;
    }
    if (ZSTD_isError(n))
        return pp_error_set(err, PP_ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(n));
    out->len = n;
    return true;
}
