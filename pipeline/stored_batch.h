/* A batch as a record of a log (pipeline/record_log.h): the bytes it came as, and a head with what has to be known without them. Bytes in, structs out,
 * no I/O.
 *
 *   head   version:1 encoding:1 layout:1 zero:1  samples:8 wire_bytes:8  peer_bytes:4 peer  entries:4 (key_bytes:4 value_bytes:4 key value)...
 *
 * All little-endian. Of the request's context, peer and metadata are kept, for headers and partitions; what authentication found out is not written
 * anywhere. */
#ifndef PP_PIPELINE_STORED_BATCH_H
#define PP_PIPELINE_STORED_BATCH_H

#include "profiles/batch.h"

/* What a head says without looking at the body. */
struct pp_stored_info {
    uint64_t samples;
    uint64_t wire_bytes; /* pp_batch_wire_bytes of the batch that was stored */
};

/* Appends the head; *ret_body with one reference. PP_ERR_NOMEM. */
bool pp_stored_batch_write(struct pp_batch *batch, struct pp_buf *head, struct pp_bytes **ret_body, struct pp_error *err);
/* PP_ERR_INVALID: not such a head. */
bool pp_stored_batch_info(struct pp_str head, struct pp_stored_info *ret, struct pp_error *err);
/* The batch again; `body` stays the caller's. PP_ERR_INVALID, PP_ERR_NOMEM. */
bool pp_stored_batch_read(struct pp_str head, struct pp_bytes *body, struct pp_batch **ret, struct pp_error *err);

#endif
