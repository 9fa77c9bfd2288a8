#include <lz4frame.h>

#include "net/compress_codec.h"

static const char *lz4_step(void *context, struct pp_str in, size_t *ret_used, char *out, size_t room, size_t *ret_made,
                            size_t *ret_pending)
{
    size_t used = in.n, made = room;
    size_t pending = LZ4F_decompress(context, out, &made, in.p, &used, NULL);

    if (LZ4F_isError(pending))
        return LZ4F_getErrorName(pending);
    *ret_used = used;
    *ret_made = made;
    *ret_pending = pending;
    return NULL;
}

bool pp_lz4_decode(struct pp_str in, struct pp_buf *out, struct pp_error *err)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();

    if (contexts && !contexts->lz4_decoder &&
        LZ4F_isError(LZ4F_createDecompressionContext(&contexts->lz4_decoder, LZ4F_VERSION)))
        contexts->lz4_decoder = NULL;
    if (!contexts || !contexts->lz4_decoder)
        return pp_error_nomem(err);
    LZ4F_resetDecompressionContext(contexts->lz4_decoder);
    return pp_codec_stream("lz4", lz4_step, contexts->lz4_decoder, in, out, err);
}

bool pp_lz4_encode(struct pp_str in, int level, struct pp_buf *out, struct pp_error *err)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max1MB, .contentSize = in.n},
        .compressionLevel = level == PP_COMPRESS_LEVEL_DEFAULT ? 0 : level,
    };
    size_t bound = LZ4F_compressFrameBound(in.n, &preferences), n;

    if (!pp_codec_reserve(out, bound, err))
        return false;
    n = LZ4F_compressFrame(out->data, bound, in.p, in.n, &preferences);
    if (LZ4F_isError(n))
        return pp_error_set(err, PP_ERR_INTERNAL, "lz4: %s", LZ4F_getErrorName(n));
    out->len = n;
    return true;
}
