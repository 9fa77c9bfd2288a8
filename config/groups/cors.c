#include "config/groups/cors.h"

#include <stdio.h>
#include <string.h>

const struct pp_field pp_cors_fields[] = {
    PP_ROW_STRINGS(struct pp_cors_config, allowed_origins, 0,
                   "Origins that may call; `*` in one stands for any text."),
    PP_ROW_STRINGS(struct pp_cors_config, allowed_headers, 0,
                   "Request headers allowed beside the simple ones; `*` is any."),
    PP_ROW_STRINGS(struct pp_cors_config, exposed_headers, 0, "Response headers a page may read."),
    PP_ROW_INT(struct pp_cors_config, max_age, 0, 0, 1e9,
               "Seconds a browser may remember the answer; 0 leaves it to the browser."),
    PP_ROW_END,
};

static void validate(const void *value, struct pp_check *check)
{
    const struct pp_cors_config *cors = value;
    char path[64];

    for (size_t i = 0; i < cors->allowed_origins.n; i++) {
        const char *origin = cors->allowed_origins.v[i], *star = strchr(origin, '*');
        if (!star || !strchr(star + 1, '*'))
            continue;
        snprintf(path, sizeof(path), "allowed_origins.%zu", i);
        pp_check_error(check, path, "\"%s\" has more than one `*`", origin);
    }
}

const struct pp_group pp_cors_group = {
    .name = "cors",
    .size = sizeof(struct pp_cors_config),
    .fields = pp_cors_fields,
    .validate = validate,
};
