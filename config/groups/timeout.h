/* The `timeout` key of an exporter: how long one attempt may take. To be used with PP_ROW_INLINE.
 */
#ifndef PP_CONFIG_GROUPS_TIMEOUT_H
#define PP_CONFIG_GROUPS_TIMEOUT_H

#include "config/groups/duration.h"
#include "config/rows.h"

struct pp_timeout_config {
    int64_t timeout; /* nanoseconds; 0: none */
};

#define PP_TIMEOUT_DEFAULTS                                                                        \
    {                                                                                              \
        .timeout = PP_NS(5)                                                                        \
    }

extern const struct pp_field pp_timeout_fields[];
extern const struct pp_group pp_timeout_group;

#endif
