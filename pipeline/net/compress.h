/* Whole messages in and out of the content encodings that OTLP peers use. Bytes in, bytes out, no sockets. Each thread keeps
 * its own contexts between calls, freed when the thread ends; every function may be called from any thread. */
#ifndef PP_NET_COMPRESS_H
#define PP_NET_COMPRESS_H

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/error.h"

/* The level that pays best on profiles: 1 for gzip, deflate and zstd (docs/decisions/0005-compression-levels.md). */
#define PP_COMPRESS_LEVEL_DEFAULT (-1)

/* The name on the wire (Content-Encoding, grpc-encoding): "gzip", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4",
 * "identity". */
const char *pp_encoding_name(enum pp_encoding encoding);
/* By wire or configuration name, in any case; "", "none" and "identity" are identity, "zlib" is deflate, "x-gzip" gzip. False
 * for an unknown name. */
bool pp_encoding_by_name(struct pp_str name, enum pp_encoding *ret);

/* What bytes labelled `encoding` really are: the framed snappy format, by its 10-byte header, under the name of the block format; else
 * the label. Whoever passes received bytes on needs to know. */
enum pp_encoding pp_encoding_detect(enum pp_encoding encoding, struct pp_str in);

/* Inflates `in` into a new block of at most `bytes_max` bytes (identity: a copy). PP_ENCODING_SNAPPY recognises the framed
 * format by its 10-byte header, as the Collector does. Memory grows with what really comes out, never by what the input claims.
 * Errors: PP_ERR_LIMIT when more than bytes_max would come out, PP_ERR_INVALID for anything that is not exactly a stream of that
 * format (cut short, damaged, bytes behind it), PP_ERR_NOMEM. */
bool pp_decompress(enum pp_encoding encoding, struct pp_str in, size_t bytes_max, struct pp_bytes **ret,
                   struct pp_error *err);

/* Deflates `in` into a new block. `level` as the format defines it (gzip and deflate 1-12, zstd 1-22, lz4 0-12; snappy has none),
 * or PP_COMPRESS_LEVEL_DEFAULT. Errors: PP_ERR_CONFIG for a level out of range, PP_ERR_NOMEM. */
bool pp_compress(enum pp_encoding encoding, int level, struct pp_str in, struct pp_bytes **ret, struct pp_error *err);

#endif
