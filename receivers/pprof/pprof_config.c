#include "pprof_config.h"

#include "config/groups/duration.h"

#define INTERVAL_MIN_S 0.01

#define CONTROLLER_DEFAULTS                                                                                            \
    {                                                                                                                  \
        .collection_interval = PP_NS(10), .initial_delay = PP_NS(1)                                                    \
    }

static const struct pp_pprof_controller controller_defaults = CONTROLLER_DEFAULTS;

static const struct pp_field controller_fields[] = {
    PP_ROW_DURATION(struct pp_pprof_controller, collection_interval, 0, INTERVAL_MIN_S, PP_DURATION_MAX_S,
                    "Time from one collection to the next."),
    PP_ROW_DURATION(struct pp_pprof_controller, initial_delay, 0, 0, PP_DURATION_MAX_S, "Time from the start to the first collection."),
    PP_ROW_END,
};

static const struct pp_group controller_group = {.name = "controller",
                                                 .size = sizeof(struct pp_pprof_controller),
                                                 .defaults = &controller_defaults,
                                                 .fields = controller_fields};

static const struct pp_pprof_remote_config remote_defaults = {.controller = CONTROLLER_DEFAULTS, .client = {PP_HTTP_CLIENT_DEFAULTS_BODY}};

static const struct pp_field remote_fields[] = {
    PP_ROW_INLINE(struct pp_pprof_remote_config, controller, &controller_group),
    PP_ROW_INLINE(struct pp_pprof_remote_config, client, &pp_http_client_group),
    PP_ROW_END,
};

static void remote_validate(const void *value, struct pp_check *check)
{
    const struct pp_pprof_remote_config *config = value;

    if (!config->client.endpoint || !*config->client.endpoint)
        pp_check_error(check, "endpoint", "is required: the URL of a profile, as in http://localhost:6060/debug/pprof/heap");
    if (config->client.tls.server_name_override)
        pp_check_error(check, "tls.server_name_override", "is not supported by this receiver");
}

static const struct pp_group remote_group = {.name = "remote",
                                             .size = sizeof(struct pp_pprof_remote_config),
                                             .defaults = &remote_defaults,
                                             .fields = remote_fields,
                                             .validate = remote_validate};

static const struct pp_pprof_file_config file_defaults = {.controller = CONTROLLER_DEFAULTS};

static const struct pp_field file_fields[] = {
    PP_ROW_INLINE(struct pp_pprof_file_config, controller, &controller_group),
    PP_ROW_STRING(struct pp_pprof_file_config, include, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                  "Files to read, with *, ? and [...] as in a shell; each is read when it is new or has changed."),
    PP_ROW_IGNORED("timeout", "Reading a file does not wait."),
    PP_ROW_END,
};

static const struct pp_group file_group = {
    .name = "file", .size = sizeof(struct pp_pprof_file_config), .defaults = &file_defaults, .fields = file_fields};

static const struct pp_pprof_self_config self_defaults = {.controller = CONTROLLER_DEFAULTS};

static const struct pp_field self_fields[] = {
    PP_ROW_INLINE(struct pp_pprof_self_config, controller, &controller_group),
    PP_ROW_DOUBLE(struct pp_pprof_self_config, block_profile_fraction, 0, 0, 1e9, "Has no meaning outside of Go."),
    PP_ROW_DOUBLE(struct pp_pprof_self_config, mutex_profile_fraction, 0, 0, 1e9, "Has no meaning outside of Go."),
    PP_ROW_IGNORED("timeout", "Nothing to wait for."),
    PP_ROW_END,
};

static const struct pp_group self_group = {
    .name = "self", .size = sizeof(struct pp_pprof_self_config), .defaults = &self_defaults, .fields = self_fields};

static const struct pp_pprof_server_config server_defaults = {.http = {PP_HTTP_SERVER_DEFAULTS_BODY, PP_HTTP_SERVER_TIMEOUTS}};

static const struct pp_field server_fields[] = {
    PP_ROW_INLINE(struct pp_pprof_server_config, http, &pp_http_server_group),
    PP_ROW_END,
};

static const struct pp_group server_group = {
    .name = "server", .size = sizeof(struct pp_pprof_server_config), .defaults = &server_defaults, .fields = server_fields};

static const struct pp_field fields[] = {
    PP_ROW_OPTIONAL(struct pp_pprof_config, remote, &remote_group, "Fetches a profile from an HTTP endpoint."),
    PP_ROW_OPTIONAL(struct pp_pprof_config, file, &file_group, "Reads profiles from files."),
    PP_ROW_OPTIONAL(struct pp_pprof_config, self, &self_group, "Profiles of profpipe itself; accepted, not yet supported."),
    PP_ROW_OPTIONAL(struct pp_pprof_config, server, &server_group, "Takes profiles that are pushed to /v1/pprof."),
    PP_ROW_STRING(struct pp_pprof_config, service_name, 0,
                  "The resource's service.name (ours); default: the name in the receiver's id (pprof/shop: shop), else unknown_service."),
    PP_ROW_END,
};

const struct pp_group pp_pprof_config_group = {.name = "pprof", .size = sizeof(struct pp_pprof_config), .fields = fields};

void pp_pprof_config_validate(const void *value, struct pp_check *check)
{
    const struct pp_pprof_config *config = value;
    bool other = config->remote || config->file || config->server;

    if (!other && !config->self)
        pp_check_error(check, "", "needs at least one of remote, file and server");
    else if (!other)
        pp_check_error(check, "self", "profpipe cannot profile itself yet; use remote, file or server");
    else if (config->self)
        pp_check_warn(check, "self", "has no effect: profpipe cannot profile itself yet");
}
