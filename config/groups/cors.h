/* cors block of HTTP servers, as the Collector's confighttp. Credentials are always allowed. */
#ifndef PP_CONFIG_GROUPS_CORS_H
#define PP_CONFIG_GROUPS_CORS_H

#include "config/rows.h"

struct pp_cors_config {
    struct pp_string_list allowed_origins; /* with at most one `*` each, which stands for any text;
                                              empty: CORS is off */
    struct pp_string_list allowed_headers; /* beside the simple ones and Content-Type; `*`: any */
    struct pp_string_list exposed_headers;
    int64_t max_age; /* seconds a browser may remember; 0: the header is not sent */
};

extern const struct pp_field pp_cors_fields[];
extern const struct pp_group pp_cors_group;

#endif
