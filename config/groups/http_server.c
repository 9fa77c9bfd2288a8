#include "config/groups/http_server.h"

#include <stdio.h>

#include "base/str.h"

#define CONFIG struct pp_http_server_config
#define DURATION(member, doc) PP_ROW_DURATION(CONFIG, member, 0, 0, PP_DURATION_MAX_S, doc)
#define BODY_BYTES_MAX (2048.0 * 1024 * 1024) /* protobuf stops at 2 GiB */

const char *const pp_http_server_encodings[] = {
    "", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed", NULL,
};
_Static_assert(sizeof(pp_http_server_encodings) / sizeof(pp_http_server_encodings[0]) ==
                   PP_HTTP_SERVER_ENCODINGS + 1,
               "the count in the header and the list differ");

static const struct pp_field keepalive_fields[] = {
    PP_ROW_DURATION(struct pp_http_server_keepalive, idle_timeout, 0, 0, PP_DURATION_MAX_S,
                    "An idle connection is closed after this time; 0 never."),
    PP_ROW_END,
};

static const struct pp_group keepalive_group = {
    .name = "keepalive",
    .size = sizeof(struct pp_http_server_keepalive),
    .fields = keepalive_fields,
};

const struct pp_field pp_http_server_fields[] = {
    PP_ROW_STRING(CONFIG, endpoint, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                  "Address to listen on: host:port, or a path with transport unix."),
    PP_ROW_ENUM(CONFIG, transport, 0, pp_transport_choices, "Kind of socket."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, tls, &pp_tls_server_group,
                            "Speak TLS; plaintext without this block."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, cors, &pp_cors_group, "Browsers of which origins may call."),
    PP_ROW_OPTIONAL_OR_NULL(CONFIG, auth, &pp_http_server_auth_group, "Who may send."),
    PP_ROW_INT(CONFIG, max_request_body_size, 0, 0, BODY_BYTES_MAX,
               "Largest body in bytes, as sent and as inflated; 0 is the default."),
    PP_ROW_BOOL(CONFIG, include_metadata, 0, "The request's headers travel with the data."),
    PP_ROW_STRING_MAP(CONFIG, response_headers, PP_FIELD_SECRET, "Headers sent with every answer."),
    PP_ROW_STRINGS(CONFIG, compression_algorithms, 0,
                   "Content-Encodings accepted; \"\" stands for none at all."),
    DURATION(read_timeout, "Longest time to read a whole request; 0 sets no limit."),
    DURATION(read_header_timeout, "Longest time to read a request's headers; 0 is the server's own guard, a minute."),
    DURATION(write_timeout, "Longest time to write an answer; 0 sets no limit."),
    DURATION(idle_timeout, "An idle connection is closed after this time; 0 never."),
    PP_ROW_GROUP(CONFIG, keepalive, &keepalive_group,
                 "The same key, as the Collector has it since 0.162."),
    PP_ROW_BOOL(CONFIG, keep_alives_enabled, 0, "A connection may carry several requests."),
    PP_ROW_LIST(CONFIG, middlewares, 0, &pp_middleware_group, "Extensions that stand in between."),
    PP_ROW_IGNORED("dialer", "Has no meaning for a server."),
    PP_ROW_END,
};

static bool encoding_known(const char *name)
{
    for (const char *const *known = pp_http_server_encodings; *known; known++) {
        if (strcmp(*known, name) == 0)
            return true;
    }
    return false;
}

static void check_encoding(struct pp_check *check, const char *name, size_t index)
{
    const char *nearest = pp_str_nearest(pp_str_c(name), pp_http_server_encodings);
    char path[64];

    snprintf(path, sizeof(path), "compression_algorithms.%zu", index);
    if (nearest && *nearest)
        pp_check_error(check, path, "\"%s\" is not an encoding; did you mean \"%s\"?", name,
                       nearest);
    else
        pp_check_error(check, path, "\"%s\" is not an encoding", name);
}

void pp_http_server_validate(const void *value, struct pp_check *check)
{
    const struct pp_http_server_config *config = value;
    const struct pp_string_list *encodings = &config->compression_algorithms;

    pp_endpoint_check(check, "endpoint", config->endpoint, config->transport);
    for (size_t i = 0; i < encodings->n; i++) {
        if (!encoding_known(encodings->v[i]))
            check_encoding(check, encodings->v[i], i);
    }
}

const struct pp_group pp_http_server_group = {
    .name = "http server",
    .size = sizeof(struct pp_http_server_config),
    .defaults = &(const struct pp_http_server_config){PP_HTTP_SERVER_DEFAULTS_BODY,
                                                      PP_HTTP_SERVER_TIMEOUTS},
    .fields = pp_http_server_fields,
    .validate = pp_http_server_validate,
};
