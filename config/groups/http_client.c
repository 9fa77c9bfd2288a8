#include "config/groups/http_client.h"

#include <string.h>

#define CONFIG struct pp_http_client_config

static const struct pp_field keepalive_fields[] = {
    PP_ROW_INT(struct pp_http_client_keepalive, max_idle_conns, 0, 0, 1e6,
               "Idle connections kept open; 0 sets no limit."),
    PP_ROW_DURATION(struct pp_http_client_keepalive, idle_conn_timeout, 0, 0, PP_DURATION_MAX_S,
                    "An idle connection is closed after this time; 0 never."),
    PP_ROW_IGNORED("max_idle_conns_per_host", "max_idle_conns bounds them."),
    PP_ROW_END,
};

static const struct pp_group keepalive_group = {
    .name = "keepalive",
    .size = sizeof(struct pp_http_client_keepalive),
    .fields = keepalive_fields,
};

const struct pp_field pp_http_client_fields[] = {
    PP_ROW_STRING(CONFIG, endpoint, 0, "URL to talk to: http:// or https://."),
    PP_ROW_STRING(CONFIG, proxy_url, 0, "Proxy to go through; from the environment when empty."),
    PP_ROW_GROUP(CONFIG, tls, &pp_tls_client_group, "How to trust an https server."),
    PP_ROW_DURATION(CONFIG, timeout, 0, 0, PP_DURATION_MAX_S,
                    "Longest time for one request; 0 sets no limit."),
    PP_ROW_STRING_MAP(CONFIG, headers, PP_FIELD_SECRET, "Headers sent with every request."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, auth, &pp_client_auth_group, "Extension that signs requests."),
    PP_ROW_ENUM(CONFIG, compression, 0, pp_compression_http_choices, "Encoding of what is sent."),
    PP_ROW_GROUP(CONFIG, compression_params, &pp_compression_params_group, "How hard to compress."),
    PP_ROW_INT(CONFIG, max_idle_conns, 0, 0, 1e6, "Idle connections kept open; 0 sets no limit."),
    PP_ROW_INT(CONFIG, max_conns_per_host, 0, 0, 1e6, "Connections to one host; 0 sets no limit."),
    PP_ROW_DURATION(CONFIG, idle_conn_timeout, 0, 0, PP_DURATION_MAX_S,
                    "An idle connection is closed after this time; 0 never."),
    PP_ROW_GROUP(CONFIG, keepalive, &keepalive_group,
                 "The same two keys, as the Collector has them since 0.162."),
    PP_ROW_BOOL(CONFIG, disable_keep_alives, 0, "Every request gets a connection of its own."),
    PP_ROW_BOOL(CONFIG, force_attempt_http2, 0, "Offer HTTP/2 to the server."),
    PP_ROW_LIST(CONFIG, middlewares, 0, &pp_middleware_group, "Extensions that stand in between."),
    PP_ROW_IGNORED("max_idle_conns_per_host", "max_idle_conns bounds them."),
    PP_ROW_IGNORED("http2_read_idle_timeout", "A dead connection shows by the request's timeout."),
    PP_ROW_IGNORED("http2_ping_timeout", "A dead connection shows by the request's timeout."),
    PP_ROW_IGNORED("read_buffer_size", "Buffers size themselves."),
    PP_ROW_IGNORED("write_buffer_size", "Buffers size themselves."),
    PP_ROW_IGNORED("cookies", "Cookies are not kept."),
    PP_ROW_END,
};

static bool url_has_scheme(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

void pp_http_client_validate(const void *value, struct pp_check *check)
{
    const struct pp_http_client_config *config = value;

    if (config->endpoint && *config->endpoint && !url_has_scheme(config->endpoint))
        pp_check_error(check, "endpoint", "\"%s\" is not an http:// or https:// URL",
                       config->endpoint);
    if (!pp_compression_level_valid(config->compression, config->compression_params.level))
        pp_check_error(check, "compression_params.level", "%lld is not a level of %s",
                       (long long)config->compression_params.level,
                       pp_compression_is_on(config->compression)
                           ? pp_compression_http_choices[config->compression]
                           : "no compression");
}

const struct pp_group pp_http_client_group = {
    .name = "http client",
    .size = sizeof(struct pp_http_client_config),
    .defaults = &(const struct pp_http_client_config){PP_HTTP_CLIENT_DEFAULTS_BODY},
    .fields = pp_http_client_fields,
    .validate = pp_http_client_validate,
};
