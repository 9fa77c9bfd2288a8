#include "config/groups/grpc_server.h"

#define CONFIG struct pp_grpc_server_config
#define MAX_MESSAGE_MIB                                                                            \
    2048 /* a gRPC frame's length field has 32 bits; protobuf stops at 2 GiB                       \
          */

const struct pp_field pp_grpc_server_fields[] = {
    PP_ROW_STRING(CONFIG, endpoint, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                  "Address to listen on: host:port, or a path with transport unix."),
    PP_ROW_ENUM(CONFIG, transport, 0, pp_transport_choices, "Kind of socket."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, tls, &pp_tls_server_group,
                            "Speak TLS; plaintext without this block."),
    PP_ROW_INT(CONFIG, max_recv_msg_size_mib, 0, 0, MAX_MESSAGE_MIB,
               "Largest message in MiB, as sent and as inflated; 0 is the default."),
    PP_ROW_INT(CONFIG, max_concurrent_streams, 0, 0, UINT32_MAX,
               "Most requests running on one connection; 0 sets no limit."),
    PP_ROW_OPTIONAL(CONFIG, keepalive, &pp_keepalive_server_group,
                    "Pings and the age of connections."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, auth, &pp_grpc_server_auth_group, "Who may send."),
    PP_ROW_BOOL(CONFIG, include_metadata, 0, "The request's metadata travels with the data."),
    PP_ROW_LIST(CONFIG, middlewares, 0, &pp_middleware_group, "Extensions that stand in between."),
    PP_ROW_IGNORED("read_buffer_size", "Buffers size themselves."),
    PP_ROW_IGNORED("write_buffer_size", "Buffers size themselves."),
    PP_ROW_IGNORED("dialer", "Has no meaning for a server."),
    PP_ROW_END,
};

void pp_grpc_server_validate(const void *value, struct pp_check *check)
{
    const struct pp_grpc_server_config *config = value;

    pp_endpoint_check(check, "endpoint", config->endpoint, config->transport);
}

const struct pp_group pp_grpc_server_group = {
    .name = "grpc server",
    .size = sizeof(struct pp_grpc_server_config),
    .defaults = &(const struct pp_grpc_server_config){PP_GRPC_SERVER_DEFAULTS_BODY},
    .fields = pp_grpc_server_fields,
    .validate = pp_grpc_server_validate,
};
