#include "file_encode.h"

#include "net/compress.h"
#include "profiles/otlp_json.h"

#define JSON_BYTES_MAX ((size_t)1 << 30)

static bool encode_json(struct pp_batch *batch, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_buf buf;
    bool ok;

    pp_buf_init(&buf, JSON_BYTES_MAX);
    ok = pp_batch_to_json(batch, &buf, err);
    if (ok) {
        *ret = pp_bytes_take(&buf);
        ok = *ret || pp_error_nomem(err);
    }
    pp_buf_done(&buf);
    return ok;
}

static bool encode_plain(const struct pp_file_config *config, struct pp_batch *batch, struct pp_bytes **ret, struct pp_error *err)
{
    if (config->format == PP_FILE_JSON)
        return encode_json(batch, ret, err);
    return pp_batch_encode(batch, &(struct pp_encode_options){0}, ret, err);
}

bool pp_file_encode(const struct pp_file_config *config, struct pp_batch *batch, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_bytes *plain;
    bool ok;

    if (config->compression != PP_FILE_COMPRESSION_ZSTD)
        return encode_plain(config, batch, ret, err);
    if (!encode_plain(config, batch, &plain, err))
        return false;
    ok = pp_compress(PP_ENCODING_ZSTD, (int)config->compression_params.level, pp_bytes_str(plain), ret, err);
    pp_bytes_unref(plain);
    return ok;
}
