/* Keys of the pprof receiver: the Collector's blocks remote, file, self and server. Durations in nanoseconds. */
#ifndef PP_PPROF_CONFIG_H
#define PP_PPROF_CONFIG_H

#include "config/groups/http_client.h"
#include "config/groups/http_server.h"
#include "config/rows.h"

struct pp_pprof_controller {
    int64_t collection_interval, initial_delay;
};

struct pp_pprof_remote_config {
    struct pp_pprof_controller controller;
    struct pp_http_client_config client; /* with the controller's timeout, which has the same name */
};

struct pp_pprof_file_config {
    struct pp_pprof_controller controller;
    const char *include;
};

struct pp_pprof_self_config {
    struct pp_pprof_controller controller;
    double block_profile_fraction, mutex_profile_fraction;
};

struct pp_pprof_server_config {
    struct pp_http_server_config http;
};

struct pp_pprof_config {
    struct pp_pprof_remote_config *remote;
    struct pp_pprof_file_config *file;
    struct pp_pprof_self_config *self;
    struct pp_pprof_server_config *server;
    const char *service_name;
};

extern const struct pp_group pp_pprof_config_group;
void pp_pprof_config_validate(const void *config, struct pp_check *check);

#endif
