/* Names of encodings, as the Collector's configcompression. */
#ifndef PP_CONFIG_GROUPS_COMPRESSION_H
#define PP_CONFIG_GROUPS_COMPRESSION_H

#include "config/rows.h"

/* Positions in both lists of choices below. The empty name means the same as "none". */
enum pp_compression {
    PP_COMPRESSION_EMPTY,
    PP_COMPRESSION_NONE,
    PP_COMPRESSION_GZIP,
    PP_COMPRESSION_SNAPPY, /* block format over HTTP */
    PP_COMPRESSION_ZSTD,
    PP_COMPRESSION_SNAPPY_FRAMED, /* from here on HTTP only */
    PP_COMPRESSION_ZLIB,
    PP_COMPRESSION_DEFLATE, /* the same stream as zlib's */
    PP_COMPRESSION_LZ4,
};

extern const char *const pp_compression_grpc_choices[];
extern const char *const pp_compression_http_choices[];

static inline bool pp_compression_is_on(int compression)
{
    return compression > PP_COMPRESSION_NONE;
}

/* compression_params */
struct pp_compression_params {
    int64_t level; /* the encoding's own scale; -1: its default */
};

#define PP_COMPRESSION_LEVEL_DEFAULT (-1)
#define PP_COMPRESSION_PARAMS_DEFAULTS                                                             \
    {                                                                                              \
        .level = PP_COMPRESSION_LEVEL_DEFAULT                                                      \
    }

extern const struct pp_field pp_compression_params_fields[];
extern const struct pp_group pp_compression_params_group;

/* Whether `level` means something for the encoding; false also when the encoding has no levels and
 * one is given. */
bool pp_compression_level_valid(int compression, int64_t level);

#endif
