#include "config/groups/keepalive.h"

#define DURATION(struct_, member, doc)                                                             \
    PP_ROW_DURATION(struct struct_, member, 0, 0, PP_DURATION_MAX_S, doc)

static const struct pp_field parameter_fields[] = {
    DURATION(pp_keepalive_server_parameters, max_connection_idle,
             "An idle connection is closed after this time; 0 never."),
    DURATION(pp_keepalive_server_parameters, max_connection_age,
             "A connection is closed at this age; 0 never."),
    DURATION(pp_keepalive_server_parameters, max_connection_age_grace,
             "Time running requests get when it is; 0 is for ever."),
    DURATION(pp_keepalive_server_parameters, time, "Silence after which the client is pinged."),
    DURATION(pp_keepalive_server_parameters, timeout,
             "Wait for the answer before the connection is closed."),
    PP_ROW_END,
};

static const struct pp_group parameter_group = {
    .name = "server_parameters",
    .size = sizeof(struct pp_keepalive_server_parameters),
    .fields = parameter_fields,
};

static const struct pp_field policy_fields[] = {
    DURATION(pp_keepalive_enforcement_policy, min_time,
             "A client that pings more often is cut off."),
    PP_ROW_BOOL(struct pp_keepalive_enforcement_policy, permit_without_stream, 0,
                "Clients may ping without a running request."),
    PP_ROW_END,
};

static const struct pp_group policy_group = {
    .name = "enforcement_policy",
    .size = sizeof(struct pp_keepalive_enforcement_policy),
    .fields = policy_fields,
};

static const struct pp_field server_fields[] = {
    PP_ROW_GROUP(struct pp_keepalive_server_config, server_parameters, &parameter_group,
                 "Pings and the age of connections."),
    PP_ROW_GROUP(struct pp_keepalive_server_config, enforcement_policy, &policy_group,
                 "What clients may do."),
    PP_ROW_END,
};

const struct pp_group pp_keepalive_server_group = {
    .name = "keepalive",
    .size = sizeof(struct pp_keepalive_server_config),
    .defaults = &(const struct pp_keepalive_server_config)PP_KEEPALIVE_SERVER_DEFAULTS,
    .fields = server_fields,
};

static const struct pp_field client_fields[] = {
    DURATION(pp_keepalive_client_config, time, "Silence after which the server is pinged."),
    DURATION(pp_keepalive_client_config, timeout,
             "Wait for the answer before the connection is closed."),
    PP_ROW_BOOL(struct pp_keepalive_client_config, permit_without_stream, 0,
                "Ping also without a running request."),
    PP_ROW_END,
};

const struct pp_group pp_keepalive_client_group = {
    .name = "keepalive",
    .size = sizeof(struct pp_keepalive_client_config),
    .defaults = &(const struct pp_keepalive_client_config)PP_KEEPALIVE_CLIENT_DEFAULTS,
    .fields = client_fields,
};
