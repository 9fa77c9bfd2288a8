/* A client's log: a folder of segments, a lock on it, and the place up to which it has been read. */
#ifndef PP_FILE_STORAGE_FILE_LOG_H
#define PP_FILE_STORAGE_FILE_LOG_H

#include "file_ops.h"
#include "pipeline/record_log.h"

/* A segment is followed by the next one at this size. Larger ones make fewer files; smaller ones give room back sooner. */
#define PP_SEGMENT_BYTES_DEFAULT (16u << 20)
/* With max_size set, a segment is at most this share of it, so that room comes back before all is full. */
#define PP_SEGMENTS_PER_LOG_MIN 8u

struct pp_file_log_options {
    const char *path;          /* of the folder, which is there; copied */
    uint64_t lock_timeout_ms;  /* for another holder to let go */
    bool sync;                 /* records survive the machine's death */
    bool keep_broken;          /* segments with damage are renamed when they would be removed */
    uint64_t bytes_max;        /* on the disk; 0: no limit */
    uint64_t segment_bytes;    /* 0: PP_SEGMENT_BYTES_DEFAULT */
    const struct pp_file_ops *ops;
};

bool pp_file_log_open(const struct pp_file_log_options *options, const struct pp_record_log_events *events, struct pp_record_log **ret,
                      struct pp_error *err);

#endif
