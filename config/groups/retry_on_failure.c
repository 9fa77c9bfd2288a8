#include "config/groups/retry_on_failure.h"

const struct pp_field pp_retry_fields[] = {
    PP_ROW_BOOL(struct pp_retry_config, enabled, 0,
                "Whether a request that failed for a passing reason is sent again."),
    PP_ROW_DURATION(struct pp_retry_config, initial_interval, 0, 0, PP_DURATION_MAX_S,
                    "Wait before the first retry."),
    PP_ROW_DOUBLE(struct pp_retry_config, randomization_factor, 0, 0, 1,
                  "Each wait is drawn from interval * [1 - f, 1 + f]."),
    PP_ROW_DOUBLE(struct pp_retry_config, multiplier, 0, 0, 1e6,
                  "Growth of the wait from one retry to the next."),
    PP_ROW_DURATION(struct pp_retry_config, max_interval, 0, 0, PP_DURATION_MAX_S,
                    "Longest wait between two retries."),
    PP_ROW_DURATION(struct pp_retry_config, max_elapsed_time, 0, 0, PP_DURATION_MAX_S,
                    "Time after which a request is given up; 0 retries for ever."),
    PP_ROW_END,
};

static void validate(const void *value, struct pp_check *check)
{
    const struct pp_retry_config *retry = value;

    if (!retry->enabled || retry->max_elapsed_time == 0)
        return;
    if (retry->max_elapsed_time < retry->initial_interval)
        pp_check_error(check, "max_elapsed_time", "must not be less than initial_interval");
    if (retry->max_elapsed_time < retry->max_interval)
        pp_check_error(check, "max_elapsed_time", "must not be less than max_interval");
}

const struct pp_group pp_retry_group = {
    .name = "retry_on_failure",
    .size = sizeof(struct pp_retry_config),
    .defaults = &(const struct pp_retry_config)PP_RETRY_DEFAULTS,
    .fields = pp_retry_fields,
    .validate = validate,
};
