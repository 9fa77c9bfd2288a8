#include "config/groups/grpc_client.h"

#include <string.h>

#define CONFIG struct pp_grpc_client_config

const struct pp_field pp_grpc_client_fields[] = {
    PP_ROW_STRING(
        CONFIG, endpoint, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
        "Where to send: host:port, or with http://, https://, unix: or dns:/// before it."),
    PP_ROW_ENUM(CONFIG, compression, 0, pp_compression_grpc_choices, "Encoding of what is sent."),
    PP_ROW_GROUP(CONFIG, tls, &pp_tls_client_group,
                 "How to trust the server; TLS is on unless insecure is set."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, keepalive, &pp_keepalive_client_group,
                            "Pings; none without this block."),
    PP_ROW_BOOL(CONFIG, wait_for_ready, 0,
                "A request waits for a connection instead of failing at once."),
    PP_ROW_STRING_MAP(CONFIG, headers, PP_FIELD_SECRET, "Metadata sent with every request."),
    PP_ROW_STRING(CONFIG, balancer_name, 0,
                  "How requests spread over the addresses of a name: round_robin or pick_first."),
    PP_ROW_STRING(CONFIG, authority, 0, "Value of :authority instead of the endpoint's host."),
    PP_ROW_STRING(CONFIG, user_agent, 0, "Put before our own user agent."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, auth, &pp_client_auth_group, "Extension that signs requests."),
    PP_ROW_LIST(CONFIG, middlewares, 0, &pp_middleware_group, "Extensions that stand in between."),
    PP_ROW_IGNORED("read_buffer_size", "Buffers size themselves."),
    PP_ROW_IGNORED("write_buffer_size", "Buffers size themselves."),
    PP_ROW_END,
};

static void validate(const void *value, struct pp_check *check)
{
    const struct pp_grpc_client_config *config = value;
    const char *balancer = config->balancer_name;

    if (balancer && *balancer && strcmp(balancer, "round_robin") != 0 &&
        strcmp(balancer, "pick_first") != 0)
        pp_check_error(check, "balancer_name",
                       "\"%s\" is not known; expected round_robin or pick_first", balancer);
}

const struct pp_group pp_grpc_client_group = {
    .name = "grpc client",
    .size = sizeof(struct pp_grpc_client_config),
    .defaults = &(const struct pp_grpc_client_config)PP_GRPC_CLIENT_DEFAULTS,
    .fields = pp_grpc_client_fields,
    .validate = validate,
};
