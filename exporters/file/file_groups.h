/* group_by: one file for each value of a resource attribute, the least recently written closed when too many are open. Not thread-safe. */
#ifndef PP_FILE_GROUPS_H
#define PP_FILE_GROUPS_H

#include "base/vec.h"
#include "file_stream.h"
#include "profiles/batch.h"

#define PP_FILE_GROUP_MISSING "MISSING" /* the value of resources that lack the attribute */

struct pp_file_group {
    struct pp_file_stream stream;
    uint64_t used; /* tick of the last write */
};

struct pp_file_groups {
    const struct pp_file_config *config;
    PP_VEC(struct pp_file_group) open;
    uint64_t tick;
};

/* Encodes a part and adds it to a stream. */
typedef bool pp_file_put(void *arg, struct pp_file_stream *stream, struct pp_batch *part, struct pp_error *err);

/* Cuts the batch by the attribute and hands each part with its stream to `put`. On failure parts before the one that failed have been put. */
bool pp_file_groups_write(struct pp_file_groups *groups, struct pp_batch *batch, pp_file_put *put, void *arg, struct pp_error *err);

/* Whether the folder that all files lie in can be written; makes it when it is missing. */
bool pp_file_groups_check(const struct pp_file_groups *groups, struct pp_error *err);

/* All open files; the first error is reported, the rest is still done. */
bool pp_file_groups_flush(struct pp_file_groups *groups, struct pp_error *err);
bool pp_file_groups_close(struct pp_file_groups *groups, uint64_t *lost_bytes, struct pp_error *err);

#endif
