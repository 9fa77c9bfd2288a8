#include "config/groups/timeout.h"

const struct pp_field pp_timeout_fields[] = {
    PP_ROW_DURATION(struct pp_timeout_config, timeout, 0, 0, PP_DURATION_MAX_S,
                    "Longest time for one attempt; 0 sets no limit."),
    PP_ROW_END,
};

const struct pp_group pp_timeout_group = {
    .name = "timeout",
    .size = sizeof(struct pp_timeout_config),
    .defaults = &(const struct pp_timeout_config)PP_TIMEOUT_DEFAULTS,
    .fields = pp_timeout_fields,
};
