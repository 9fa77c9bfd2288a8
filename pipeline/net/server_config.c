#include "net/server_config.h"

#include "base/clock.h"

/* Rounded up: a limit of a microsecond is not "no limit". */
static uint64_t ms_from_ns(int64_t ns)
{
    return ns <= 0 ? 0 : ((uint64_t)ns + PP_NS_PER_MS - 1) / PP_NS_PER_MS;
}

static const char *version_name(int version)
{
    static const char *const names[] = {
        [PP_TLS_VERSION_DEFAULT] = NULL, [PP_TLS_1_0] = "1.0", [PP_TLS_1_1] = "1.1", [PP_TLS_1_2] = "1.2", [PP_TLS_1_3] = "1.3"};

    return names[version];
}

void pp_tls_options_from(const struct pp_tls_config *config, struct pp_tls_options *ret)
{
    *ret = (struct pp_tls_options){
        .ca = {.file = config->ca_file, .pem = config->ca_pem},
        .cert = {.file = config->cert_file, .pem = config->cert_pem},
        .key = {.file = config->key_file, .pem = config->key_pem},
        .include_system_ca = config->include_system_ca_certs_pool,
        .min_version = version_name(config->min_version),
        .max_version = version_name(config->max_version),
        .cipher_suites = config->cipher_suites.v,
        .cipher_suites_n = config->cipher_suites.n,
        .curves = config->curve_preferences.v,
        .curves_n = config->curve_preferences.n,
        .reload_interval_ms = ms_from_ns(config->reload_interval),
    };
}

static bool make_tls(const struct pp_tls_server_config *config, struct pp_tls_server **ret, struct pp_error *err)
{
    struct pp_tls_options options;

    *ret = NULL;
    if (!config)
        return true;
    pp_tls_options_from(&config->common, &options);
    options.client_ca.file = config->client_ca_file;
    options.client_ca_reload = config->client_ca_file_reload;
    *ret = pp_tls_server_new(&options, err);
    return *ret != NULL;
}

static const char *transport_name(int transport)
{
    return pp_transport_choices[transport];
}

/* The budget for all bodies must let one of the largest through, with room for how its memory grows. */
static void set_body_max(struct pp_http_server_options *options, uint64_t bytes_max)
{
    options->body_bytes_max = bytes_max;
    if (options->inflight_bytes_max < 2 * bytes_max)
        options->inflight_bytes_max = 2 * bytes_max;
}

bool pp_http_server_options_from(const struct pp_http_server_config *config, const char *owner, struct pp_http_server_options *ret,
                                 struct pp_tls_server **ret_tls, struct pp_error *err)
{
    struct pp_tls_server *tls;

    if (!make_tls(config->tls, &tls, err))
        return false;
    *ret = PP_HTTP_SERVER_DEFAULTS;
    ret->endpoint = config->endpoint;
    ret->transport = transport_name(config->transport);
    ret->owner = owner;
    ret->tls = tls;
    set_body_max(ret, pp_http_server_body_bytes_max(config));
    ret->keep_alives = config->keep_alives_enabled;
    if (config->read_timeout)
        ret->read_timeout_ms = ms_from_ns(config->read_timeout);
    if (config->read_header_timeout)
        ret->header_timeout_ms = ms_from_ns(config->read_header_timeout);
    if (config->write_timeout)
        ret->write_timeout_ms = ms_from_ns(config->write_timeout);
    if (config->idle_timeout)
        ret->idle_timeout_ms = ms_from_ns(config->idle_timeout);
    *ret_tls = tls;
    return true;
}

static void add_keepalive(const struct pp_keepalive_server_config *keepalive, struct pp_http_server_options *ret)
{
    const struct pp_keepalive_server_parameters *server = &keepalive->server_parameters;

    if (server->max_connection_idle)
        ret->idle_timeout_ms = ms_from_ns(server->max_connection_idle);
    ret->max_connection_age_ms = ms_from_ns(server->max_connection_age);
    ret->max_connection_age_grace_ms = ms_from_ns(server->max_connection_age_grace);
    ret->ping_time_ms = ms_from_ns(server->time);
    ret->ping_timeout_ms = ms_from_ns(server->timeout);
    ret->ping_min_time_ms = ms_from_ns(keepalive->enforcement_policy.min_time);
    ret->ping_without_stream = keepalive->enforcement_policy.permit_without_stream;
}

bool pp_grpc_server_options_from(const struct pp_grpc_server_config *config, const char *owner, struct pp_http_server_options *ret,
                                 struct pp_tls_server **ret_tls, struct pp_error *err)
{
    static const struct pp_keepalive_server_config keepalive_defaults = PP_KEEPALIVE_SERVER_DEFAULTS;
    struct pp_tls_server *tls;

    if (!make_tls(config->tls, &tls, err))
        return false;
    *ret = PP_HTTP_SERVER_DEFAULTS;
    ret->endpoint = config->endpoint;
    ret->transport = transport_name(config->transport);
    ret->owner = owner;
    ret->tls = tls;
    ret->http2_only = true;
    set_body_max(ret, pp_grpc_server_message_bytes_max(config));
    if (config->max_concurrent_streams)
        ret->streams_max = (uint32_t)config->max_concurrent_streams;
    add_keepalive(config->keepalive ? config->keepalive : &keepalive_defaults, ret);
    *ret_tls = tls;
    return true;
}
