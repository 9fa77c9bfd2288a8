#include "config/groups/compression.h"

const char *const pp_compression_grpc_choices[] = {"", "none", "gzip", "snappy", "zstd", NULL};

const char *const pp_compression_http_choices[] = {
    "", "none", "gzip", "snappy", "zstd", "x-snappy-framed", "zlib", "deflate", "lz4", NULL,
};

const struct pp_field pp_compression_params_fields[] = {
    PP_ROW_INT(struct pp_compression_params, level, 0, -2, 22,
               "Level on the encoding's own scale; -1 is its default."),
    PP_ROW_END,
};

const struct pp_group pp_compression_params_group = {
    .name = "compression_params",
    .size = sizeof(struct pp_compression_params),
    .defaults = &(const struct pp_compression_params)PP_COMPRESSION_PARAMS_DEFAULTS,
    .fields = pp_compression_params_fields,
};

bool pp_compression_level_valid(int compression, int64_t level)
{
    if (level == PP_COMPRESSION_LEVEL_DEFAULT || level == 0)
        return true;
    switch (compression) {
    case PP_COMPRESSION_GZIP:
    case PP_COMPRESSION_ZLIB:
    case PP_COMPRESSION_DEFLATE:
        return level >= 1 && level <= 9;
    case PP_COMPRESSION_ZSTD:
        return level >= 1 && level <= 22;
    default:
        return false;
    }
}
