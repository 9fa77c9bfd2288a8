/* keepalive blocks of gRPC servers and clients, as the Collector's configgrpc. Durations in
 * nanoseconds. */
#ifndef PP_CONFIG_GROUPS_KEEPALIVE_H
#define PP_CONFIG_GROUPS_KEEPALIVE_H

#include "config/groups/duration.h"
#include "config/rows.h"

struct pp_keepalive_server_parameters {
    int64_t max_connection_idle; /* 0: for ever, here and in the next two */
    int64_t max_connection_age;
    int64_t max_connection_age_grace;
    int64_t time;    /* silence before a ping */
    int64_t timeout; /* wait for its answer */
};

struct pp_keepalive_enforcement_policy {
    int64_t min_time; /* between two pings of a client; below it the connection is closed */
    bool permit_without_stream;
};

struct pp_keepalive_server_config {
    struct pp_keepalive_server_parameters server_parameters;
    struct pp_keepalive_enforcement_policy enforcement_policy;
};

/* grpc-go's own: nothing ages, a ping every two hours, clients may ping every five minutes. */
#define PP_KEEPALIVE_SERVER_DEFAULTS                                                               \
    {                                                                                              \
        .server_parameters = {.time = PP_NS(7200), .timeout = PP_NS(20)},                          \
        .enforcement_policy = {.min_time = PP_NS(300)},                                            \
    }

struct pp_keepalive_client_config {
    int64_t time;
    int64_t timeout;
    bool permit_without_stream;
};

#define PP_KEEPALIVE_CLIENT_DEFAULTS                                                               \
    {                                                                                              \
        .time = PP_NS(10), .timeout = PP_NS(10)                                                    \
    }

extern const struct pp_group pp_keepalive_server_group;
extern const struct pp_group pp_keepalive_client_group;

#endif
