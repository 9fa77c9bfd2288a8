/* auth and middlewares: names of extensions. */
#ifndef PP_CONFIG_GROUPS_AUTH_H
#define PP_CONFIG_GROUPS_AUTH_H

#include "config/rows.h"

/* Looked up by pp_component_server_auth and pp_component_client_auth (pipeline/auth.h). */
struct pp_auth_config {
    const char *authenticator;            /* an extension's id */
    struct pp_string_list request_params; /* HTTP servers: query parameters handed to it beside the headers */
};

extern const struct pp_group pp_http_server_auth_group;
/* Without request_params. */
extern const struct pp_group pp_grpc_server_auth_group, pp_client_auth_group;

struct pp_middleware_config {
    const char *id; /* an extension's id */
};

extern const struct pp_field pp_middleware_fields[];
extern const struct pp_group pp_middleware_group;

#endif
