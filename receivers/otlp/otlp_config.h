/* Configuration of the otlp receiver: the Collector's keys, plus `layout`. */
#ifndef PP_OTLP_RECEIVER_CONFIG_H
#define PP_OTLP_RECEIVER_CONFIG_H

#include "config/groups/grpc_server.h"
#include "config/groups/http_server.h"

struct pp_otlp_protocols {
    struct pp_grpc_server_config *grpc; /* NULL: not served */
    struct pp_http_server_config *http;
};

struct pp_otlp_receiver_config {
    struct pp_otlp_protocols protocols;
    int layout; /* enum pp_layout */
};

extern const struct pp_group pp_otlp_receiver_group;

#endif
