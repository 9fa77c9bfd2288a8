/* A pprof as it lies in a file or comes from an endpoint: gzip, zstd or plain protobuf. */
#ifndef PP_CONVERT_PPROF_OPEN_H
#define PP_CONVERT_PPROF_OPEN_H

#include "base/bytes.h"
#include "pprof/pprof.h"

#define PP_PPROF_FILE_BYTES_MAX ((size_t)64 << 20)      /* as it comes */
#define PP_PPROF_INFLATED_BYTES_MAX ((size_t)128 << 20) /* uncompressed */

struct pp_pprof_file {
    struct pp_bytes *bytes; /* what the profile's strings point into */
    struct pp_pprof profile;
};

/* Recognises the encoding by its first bytes, inflates to at most PP_PPROF_INFLATED_BYTES_MAX and decodes. PP_ERR_INVALID for what is no profile (an HTML or
 * JSON page is named as such), PP_ERR_LIMIT for what is too large. `ret` is to be given to pp_pprof_file_done; untouched on failure. */
bool pp_pprof_file_open(struct pp_str content, struct pp_pprof_file *ret, struct pp_error *err);
void pp_pprof_file_done(struct pp_pprof_file *file);

#endif
