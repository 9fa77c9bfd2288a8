/* How the bytes of a message are compressed. Shared by the transports and by batches, which keep the bytes that came. */
#ifndef PP_BASE_ENCODING_H
#define PP_BASE_ENCODING_H

enum pp_encoding {
    PP_ENCODING_IDENTITY, /* not compressed */
    PP_ENCODING_GZIP,     /* RFC 1952, one member or several */
    PP_ENCODING_DEFLATE,  /* RFC 1950 (zlib); HTTP calls it deflate, the Collector also zlib */
    PP_ENCODING_ZSTD,     /* RFC 8878, one frame or several */
    PP_ENCODING_SNAPPY,   /* block format; HTTP peers also send the framed one under this name */
    PP_ENCODING_SNAPPY_FRAMED,
    PP_ENCODING_LZ4, /* LZ4 frame format */
    PP_ENCODINGS,    /* how many there are */
};

#endif
