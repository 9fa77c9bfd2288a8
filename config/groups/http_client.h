/* An HTTP client's keys, as the Collector's confighttp.ClientConfig. Durations in nanoseconds. */
#ifndef PP_CONFIG_GROUPS_HTTP_CLIENT_H
#define PP_CONFIG_GROUPS_HTTP_CLIENT_H

#include "config/groups/auth.h"
#include "config/groups/compression.h"
#include "config/groups/tls.h"

struct pp_http_client_keepalive {
    int64_t max_idle_conns;
    int64_t idle_conn_timeout;
};

struct pp_http_client_config {
    const char *endpoint;  /* a URL; whether it may be NULL is the component's rule */
    const char *proxy_url; /* NULL: from the environment, as curl does */
    struct pp_tls_client_config tls;
    int64_t timeout; /* of a whole request; 0: none */
    struct pp_string_map headers;
    struct pp_auth_config *auth;
    int compression; /* enum pp_compression */
    struct pp_compression_params compression_params;
    int64_t max_conns_per_host; /* 0: no limit */
    union { /* the same two by their old keys and by those of the block that has them since 0.162 */
        struct {
            int64_t max_idle_conns;
            int64_t idle_conn_timeout;
        };
        struct pp_http_client_keepalive keepalive;
    };
    bool disable_keep_alives;
    bool force_attempt_http2;
    struct pp_group_list middlewares;
};

/* No compression and no timeout, as the Collector's generic client; otlp_http adds its own behind
 * it in the initialiser. */
#define PP_HTTP_CLIENT_DEFAULTS_BODY                                                               \
    .compression_params = PP_COMPRESSION_PARAMS_DEFAULTS,                                          \
    .keepalive = {.max_idle_conns = 100, .idle_conn_timeout = PP_NS(90)},                          \
    .force_attempt_http2 = true

extern const struct pp_field pp_http_client_fields[];
extern const struct pp_group pp_http_client_group;
void pp_http_client_validate(const void *config, struct pp_check *check);

#endif
