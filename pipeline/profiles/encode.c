#include "profiles/batch_impl.h"

static bool unchanged(const struct pp_batch *batch, const struct pp_encode_options *options)
{
    return batch->wire && !pp_layout_is_old(batch->info.layout) && (options->references || !batch->info.references);
}

bool pp_batch_encode(struct pp_batch *batch, const struct pp_encode_options *options, struct pp_bytes **ret, struct pp_error *err)
{
    if (unchanged(batch, options)) {
        *ret = pp_bytes_ref(batch->wire);
        return true;
    }
    return pp_error_set(err, PP_ERR_UNSUPPORTED, "encoding of edited batches");
}

struct pp_bytes *pp_batch_packed(struct pp_batch *batch, enum pp_encoding encoding, const struct pp_encode_options *options)
{
    if (!batch->packed || batch->packed_encoding != encoding || !unchanged(batch, options))
        return NULL;
    return pp_bytes_ref(batch->packed);
}
