/* A gRPC client's keys, as the Collector's configgrpc.ClientConfig. */
#ifndef PP_CONFIG_GROUPS_GRPC_CLIENT_H
#define PP_CONFIG_GROUPS_GRPC_CLIENT_H

#include "config/groups/auth.h"
#include "config/groups/compression.h"
#include "config/groups/keepalive.h"
#include "config/groups/tls.h"

struct pp_grpc_client_config {
    const char *endpoint; /* host:port, or with http://, https://, unix:, dns:///; never NULL after
                             validation */
    int compression;      /* enum pp_compression, up to ZSTD */
    struct pp_tls_client_config tls;
    struct pp_keepalive_client_config *keepalive; /* NULL: no pings */
    bool wait_for_ready;
    struct pp_string_map headers;
    const char *balancer_name; /* round_robin or pick_first */
    const char *authority;
    const char *user_agent;
    struct pp_auth_config *auth;
    struct pp_group_list middlewares;
};

#define PP_GRPC_CLIENT_DEFAULTS                                                                    \
    {                                                                                              \
        .compression = PP_COMPRESSION_GZIP, .balancer_name = "round_robin",                        \
    }

extern const struct pp_field pp_grpc_client_fields[];
extern const struct pp_group pp_grpc_client_group;

#endif
