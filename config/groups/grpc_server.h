/* A gRPC server's keys, as the Collector's configgrpc.ServerConfig. */
#ifndef PP_CONFIG_GROUPS_GRPC_SERVER_H
#define PP_CONFIG_GROUPS_GRPC_SERVER_H

#include "config/groups/auth.h"
#include "config/groups/keepalive.h"
#include "config/groups/net.h"
#include "config/groups/tls.h"

struct pp_grpc_server_config {
    const char *endpoint;
    int transport;                  /* enum pp_transport */
    int64_t max_recv_msg_size_mib;  /* one message, as sent and as inflated; 0: the default */
    int64_t max_concurrent_streams; /* per connection; 0: no limit of ours */
    struct pp_keepalive_server_config *keepalive; /* NULL: PP_KEEPALIVE_SERVER_DEFAULTS */
    struct pp_tls_server_config *tls;             /* NULL: plaintext */
    struct pp_auth_config *auth;
    bool include_metadata; /* the request's headers travel with the batch */
    struct pp_group_list middlewares;
};

/* The Collector's is 4 MiB; the OTLP specification asks for 64. */
#define PP_GRPC_MAX_RECV_MIB_DEFAULT 64

/* Add the component's own `.endpoint = ...` behind it in the initialiser. */
#define PP_GRPC_SERVER_DEFAULTS_BODY                                                               \
    .transport = PP_TRANSPORT_TCP, .max_recv_msg_size_mib = PP_GRPC_MAX_RECV_MIB_DEFAULT

extern const struct pp_field pp_grpc_server_fields[];
/* Its endpoint is required and without a default. A component with one defines its own pp_group
 * over the same fields, and names pp_grpc_server_validate in it. */
extern const struct pp_group pp_grpc_server_group;
void pp_grpc_server_validate(const void *config, struct pp_check *check);

static inline uint64_t pp_grpc_server_message_bytes_max(const struct pp_grpc_server_config *config)
{
    int64_t mib = config->max_recv_msg_size_mib;

    return (uint64_t)(mib ? mib : PP_GRPC_MAX_RECV_MIB_DEFAULT) << 20;
}

#endif
