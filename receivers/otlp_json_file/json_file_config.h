/* Keys of the otlp_json_file receiver, as the Collector's. Durations in nanoseconds. */
#ifndef PP_JSON_FILE_CONFIG_H
#define PP_JSON_FILE_CONFIG_H

#include "config/groups/duration.h"
#include "config/rows.h"

enum pp_json_file_start { PP_START_END, PP_START_BEGINNING };

struct pp_json_file_config {
    struct pp_string_list include, exclude;
    int start_at; /* enum pp_json_file_start */
    int64_t poll_interval;
    int64_t max_log_size; /* bytes of one line */
    bool replay_file;
};

extern const struct pp_group pp_json_file_config_group;

#endif
