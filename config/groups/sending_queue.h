/* sending_queue, as the Collector's exporterhelper, and our max_bytes_mib beside it. Durations in
 * nanoseconds. */
#ifndef PP_CONFIG_GROUPS_SENDING_QUEUE_H
#define PP_CONFIG_GROUPS_SENDING_QUEUE_H

#include "config/groups/duration.h"
#include "config/rows.h"

enum pp_sizer {
    PP_SIZER_REQUESTS,
    PP_SIZER_ITEMS, /* of profiles: samples */
    PP_SIZER_BYTES,
};

struct pp_batch_partition {
    struct pp_string_list metadata_keys; /* requests that differ in one of these are never merged */
};

struct pp_batch_config {
    int64_t flush_timeout;
    int64_t min_size;
    int64_t max_size; /* 0: no limit */
    int sizer;        /* enum pp_sizer, never PP_SIZER_REQUESTS */
    struct pp_batch_partition partition;
};

#define PP_BATCH_DEFAULTS                                                                          \
    {                                                                                              \
        .flush_timeout = PP_NS(0.2), .min_size = 8192, .sizer = PP_SIZER_ITEMS,                    \
    }

struct pp_sending_queue_config {
    bool enabled;
    int64_t num_consumers;
    int64_t queue_size;    /* in `sizer` */
    int64_t max_bytes_mib; /* of memory held by queued batches; 0: no limit. The queue refuses at
                              whichever comes first */
    int sizer;             /* enum pp_sizer */
    bool block_on_overflow;
    bool wait_for_result;
    const char *storage;           /* id of a storage extension, or NULL */
    struct pp_batch_config *batch; /* NULL: requests go out as they came */
};

#define PP_SENDING_QUEUE_MAX_BYTES_MIB_DEFAULT 128

#define PP_SENDING_QUEUE_DEFAULTS                                                                  \
    {                                                                                              \
        .enabled = true, .num_consumers = 10, .queue_size = 1000,                                  \
        .max_bytes_mib = PP_SENDING_QUEUE_MAX_BYTES_MIB_DEFAULT, .sizer = PP_SIZER_REQUESTS,       \
    }

extern const struct pp_field pp_batch_fields[];
extern const struct pp_group pp_batch_group;
extern const struct pp_field pp_sending_queue_fields[];
extern const struct pp_group pp_sending_queue_group;

#endif
