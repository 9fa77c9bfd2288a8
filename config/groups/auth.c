#include "config/groups/auth.h"

const struct pp_field pp_auth_fields[] = {
    PP_ROW_STRING(struct pp_auth_config, authenticator, PP_FIELD_REQUIRED,
                  "Id of the extension that authenticates."),
    PP_ROW_STRINGS(struct pp_auth_config, request_params, 0,
                   "Query parameters handed to it (HTTP servers)."),
    PP_ROW_END,
};

static void validate_auth(const void *value, struct pp_check *check)
{
    const struct pp_auth_config *auth = value;

    pp_check_error(check, "authenticator",
                   "\"%s\" is not an authentication extension: none is built in yet",
                   auth->authenticator);
}

const struct pp_group pp_auth_group = {
    .name = "auth",
    .size = sizeof(struct pp_auth_config),
    .fields = pp_auth_fields,
    .validate = validate_auth,
};

const struct pp_field pp_middleware_fields[] = {
    PP_ROW_STRING(struct pp_middleware_config, id, PP_FIELD_REQUIRED,
                  "Id of the extension that stands in between."),
    PP_ROW_END,
};

static void validate_middleware(const void *value, struct pp_check *check)
{
    const struct pp_middleware_config *middleware = value;

    pp_check_error(check, "id", "\"%s\" is not a middleware extension: none is built in yet",
                   middleware->id);
}

const struct pp_group pp_middleware_group = {
    .name = "middleware",
    .size = sizeof(struct pp_middleware_config),
    .fields = pp_middleware_fields,
    .validate = validate_middleware,
};
