/* retry_on_failure, as the Collector's configretry. Durations in nanoseconds. */
#ifndef PP_CONFIG_GROUPS_RETRY_ON_FAILURE_H
#define PP_CONFIG_GROUPS_RETRY_ON_FAILURE_H

#include "config/groups/duration.h"
#include "config/rows.h"

struct pp_retry_config {
    bool enabled;
    int64_t initial_interval;
    double randomization_factor; /* 0..1: the wait is drawn from interval * [1 - f, 1 + f] */
    double multiplier;
    int64_t max_interval;
    int64_t max_elapsed_time; /* 0: retry for ever */
};

#define PP_RETRY_DEFAULTS                                                                          \
    {                                                                                              \
        .enabled = true, .initial_interval = PP_NS(5), .randomization_factor = 0.5,                \
        .multiplier = 1.5, .max_interval = PP_NS(30), .max_elapsed_time = PP_NS(300),              \
    }

extern const struct pp_field pp_retry_fields[];
extern const struct pp_group pp_retry_group;

#endif
