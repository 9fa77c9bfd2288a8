/* Content encodings of a message on the wire. Names and codecs: net/compress.h. */
#ifndef PP_BASE_ENCODING_H
#define PP_BASE_ENCODING_H

enum pp_encoding {
    PP_ENCODING_NONE,
    PP_ENCODING_GZIP,
    PP_ENCODING_ZLIB, /* "zlib" and "deflate": a zlib stream either way */
    PP_ENCODING_ZSTD,
    PP_ENCODING_SNAPPY,        /* block format */
    PP_ENCODING_SNAPPY_FRAMED, /* "x-snappy-framed" */
    PP_ENCODING_LZ4,           /* frame format */
    PP_ENCODING_COUNT,
};

#endif
