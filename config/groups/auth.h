/* auth and middlewares: names of extensions. None of those exists yet, so that naming one is an
 * error: a server that went on without its authenticator would be open. */
#ifndef PP_CONFIG_GROUPS_AUTH_H
#define PP_CONFIG_GROUPS_AUTH_H

#include "config/rows.h"

struct pp_auth_config {
    const char *authenticator;            /* an extension's id */
    struct pp_string_list request_params; /* HTTP servers: query parameters handed to it */
};

extern const struct pp_field pp_auth_fields[];
extern const struct pp_group pp_auth_group;

struct pp_middleware_config {
    const char *id; /* an extension's id */
};

extern const struct pp_field pp_middleware_fields[];
extern const struct pp_group pp_middleware_group;

#endif
