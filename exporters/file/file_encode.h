/* A batch as one message of the json and proto formats. */
#ifndef PP_FILE_ENCODE_H
#define PP_FILE_ENCODE_H

#include "base/bytes.h"
#include "file_config.h"
#include "profiles/batch.h"

/* Encoded and, where configured, compressed; one reference. */
bool pp_file_encode(const struct pp_file_config *config, struct pp_batch *batch, struct pp_bytes **ret, struct pp_error *err);

#endif
