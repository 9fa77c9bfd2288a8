#include "config/groups/auth.h"

#define SERVER_ROW                                                                                 \
    PP_ROW_EXTENSION(struct pp_auth_config, authenticator, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,  \
                     PP_OFFERS_SERVER_AUTH, "Id of the extension that checks who sends.")

static const struct pp_field http_server_fields[] = {
    SERVER_ROW,
    PP_ROW_STRINGS(struct pp_auth_config, request_params, 0,
                   "Query parameters handed to it beside the headers."),
    PP_ROW_END,
};

const struct pp_group pp_http_server_auth_group = {
    .name = "auth",
    .size = sizeof(struct pp_auth_config),
    .fields = http_server_fields,
};

static const struct pp_field grpc_server_fields[] = {SERVER_ROW, PP_ROW_END};

const struct pp_group pp_grpc_server_auth_group = {
    .name = "auth",
    .size = sizeof(struct pp_auth_config),
    .fields = grpc_server_fields,
};

static const struct pp_field client_fields[] = {
    PP_ROW_EXTENSION(struct pp_auth_config, authenticator, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                     PP_OFFERS_CLIENT_AUTH, "Id of the extension that signs what is sent."),
    PP_ROW_END,
};

const struct pp_group pp_client_auth_group = {
    .name = "auth",
    .size = sizeof(struct pp_auth_config),
    .fields = client_fields,
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
