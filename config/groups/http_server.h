/* An HTTP server's keys, as the Collector's confighttp.ServerConfig. Durations in nanoseconds. */
#ifndef PP_CONFIG_GROUPS_HTTP_SERVER_H
#define PP_CONFIG_GROUPS_HTTP_SERVER_H

#include "config/groups/auth.h"
#include "config/groups/cors.h"
#include "config/groups/net.h"
#include "config/groups/tls.h"

struct pp_http_server_keepalive {
    int64_t idle_timeout;
};

struct pp_http_server_config {
    const char *endpoint;
    int transport;                    /* enum pp_transport */
    struct pp_tls_server_config *tls; /* NULL: plaintext */
    struct pp_cors_config *cors;
    struct pp_auth_config *auth;
    int64_t max_request_body_size;         /* bytes, as sent and as inflated; 0: the default */
    bool include_metadata;                 /* the request's headers travel with the batch */
    struct pp_string_map response_headers; /* sent with every answer */
    struct pp_string_list
        compression_algorithms; /* accepted Content-Encodings; "" stands for none at all */
    int64_t read_timeout;       /* 0: none, here and in the next three, but for the guard of a minute on headers */
    int64_t read_header_timeout;
    int64_t write_timeout;
    union { /* by its old key and by that of the block that has it since 0.162 */
        int64_t idle_timeout;
        struct pp_http_server_keepalive keepalive;
    };
    bool keep_alives_enabled;
    struct pp_group_list middlewares;
};

/* The Collector's is 20 MiB; the OTLP specification asks for 64. */
#define PP_HTTP_MAX_BODY_BYTES_DEFAULT (64ll << 20)

extern const char *const pp_http_server_encodings[];
#define PP_HTTP_SERVER_ENCODINGS 8

/* What every server shares; the Collector's generic timeouts are in the second, the OTLP receiver
 * has none. Add the component's own `.endpoint = ...` behind it in the initialiser. */
#define PP_HTTP_SERVER_DEFAULTS_BODY                                                               \
    .transport = PP_TRANSPORT_TCP, .max_request_body_size = PP_HTTP_MAX_BODY_BYTES_DEFAULT,        \
    .compression_algorithms = {pp_http_server_encodings, PP_HTTP_SERVER_ENCODINGS},                \
    .keep_alives_enabled = true
#define PP_HTTP_SERVER_TIMEOUTS                                                                    \
    .read_header_timeout = PP_NS(60), .write_timeout = PP_NS(30), .idle_timeout = PP_NS(60)

extern const struct pp_field pp_http_server_fields[];
/* Its endpoint is required and without a default; see pp_grpc_server_group. */
extern const struct pp_group pp_http_server_group;
void pp_http_server_validate(const void *config, struct pp_check *check);

static inline uint64_t pp_http_server_body_bytes_max(const struct pp_http_server_config *config)
{
    int64_t bytes = config->max_request_body_size;

    return (uint64_t)(bytes ? bytes : PP_HTTP_MAX_BODY_BYTES_DEFAULT);
}

#endif
