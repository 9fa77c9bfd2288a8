#include "grpc_client.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "grpc_method.h"
#include "net/compress.h"
#include "net/server_config.h"
#include "net/tls.h"
#include "otlp_client/client_tls.h"
#include "otlp_client/otlp_request.h"

/* A header's value, encoded for the wire, in bytes. */
#define VALUE_BYTES_MAX 65536
/* Headers beside the user's. */
#define PROTOCOL_HEADERS_MAX 12

struct pp_grpc_client {
    struct pp_arena arena; /* texts of the headers */
    struct pp_grpc_channel_config channel;
    char host[PP_GRPC_TARGET_MAX];
    nghttp2_nv *headers;
    size_t headers_n;
};

static void add_header(struct pp_grpc_client *client, const char *name, const char *value)
{
    const uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

    if (name && value) {
        client->headers[client->headers_n++] =
            (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), flags};
    }
}

static bool is_binary(const char *key)
{
    size_t n = strlen(key);

    return n > 4 && strcmp(key + n - 4, "-bin") == 0;
}

static char *lower(struct pp_arena *arena, const char *text)
{
    char *copy = pp_arena_strdup(arena, pp_str_c(text));

    for (char *p = copy; p && *p; p++) {
        *p |= *p >= 'A' && *p <= 'Z' ? 0x20 : 0;
    }
    return copy;
}

static char *base64(struct pp_arena *arena, const char *text)
{
    struct pp_buf coded;
    char *copy = NULL;

    pp_buf_init(&coded, VALUE_BYTES_MAX);
    if (pp_base64_add(&coded, pp_str_c(text))) {
        copy = pp_arena_strdup(arena, pp_buf_str(&coded));
    }
    pp_buf_done(&coded);
    return copy;
}

/* The user's metadata, binary values in base64. */
static bool add_metadata(struct pp_grpc_client *client, const struct pp_string_pair *pair, struct pp_error *err)
{
    char *name = lower(&client->arena, pair->key);
    const char *value = is_binary(pair->key) ? base64(&client->arena, pair->value) : pair->value;

    if (!name || !value) {
        return pp_error_nomem(err);
    }
    if (!nghttp2_check_header_name((const uint8_t *)name, strlen(name)) || name[0] == ':') {
        return pp_error_set(err, PP_ERR_CONFIG, "headers: \"%s\" is not a legal name", pair->key);
    }
    if (!nghttp2_check_header_value((const uint8_t *)value, strlen(value))) {
        return pp_error_set(err, PP_ERR_CONFIG, "headers: the value of \"%s\" has bytes that a header cannot hold",
                            pair->key);
    }
    add_header(client, name, value);
    return true;
}

static bool is_set(const char *text)
{
    return text && *text;
}

static const char *authority_of(const struct pp_grpc_client *client, const struct pp_grpc_client_config *config)
{
    if (is_set(config->authority)) {
        return config->authority;
    }
    if (is_set(config->tls.server_name_override)) {
        return config->tls.server_name_override;
    }
    return client->channel.target.local ? "localhost" : strrchr(client->channel.target.name, '/') + 1;
}

/* Ours, behind what the user puts before it. NULL when memory is out. */
static const char *user_agent(struct pp_grpc_client *client, const struct pp_grpc_client_config *config)
{
    char agent[256];

    if (!is_set(config->user_agent)) {
        return "profpipe/" PP_VERSION;
    }
    snprintf(agent, sizeof(agent), "%.200s profpipe/" PP_VERSION, config->user_agent);
    return pp_arena_strdup(&client->arena, pp_str_c(agent));
}

static bool make_headers(struct pp_grpc_client *client, const struct pp_grpc_client_config *config,
                         enum pp_encoding encoding, struct pp_error *err)
{
    /* Everyone's gRPC snappy is the framed format under the short name. */
    const char *name = encoding == PP_ENCODING_SNAPPY_FRAMED ? "snappy" : pp_encoding_name(encoding);
    const char *agent = user_agent(client, config);

    client->headers =
        pp_arena_array(&client->arena, config->headers.n + PROTOCOL_HEADERS_MAX, sizeof(*client->headers));
    if (!client->headers || !agent) {
        return pp_error_nomem(err);
    }
    add_header(client, ":method", "POST");
    add_header(client, ":scheme", client->channel.peer.tls ? "https" : "http");
    add_header(client, ":path", PP_GRPC_METHOD);
    add_header(client, ":authority", authority_of(client, config));
    add_header(client, "te", "trailers");
    add_header(client, "content-type", "application/grpc");
    add_header(client, "grpc-encoding", encoding == PP_ENCODING_IDENTITY ? NULL : name);
    add_header(client, "grpc-accept-encoding", "identity,gzip");
    add_header(client, "user-agent", agent);
    add_header(client, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION);
    for (size_t i = 0; i < config->headers.n; i++) {
        if (!add_metadata(client, &config->headers.v[i], err)) {
            return false;
        }
    }
    client->channel.peer.headers = client->headers;
    client->channel.peer.headers_n = client->headers_n;
    return true;
}

static bool make_tls(struct pp_grpc_client *client, const struct pp_grpc_client_config *config, struct pp_error *err)
{
    struct pp_grpc_peer *peer = &client->channel.peer;
    struct pp_tls_options options;

    if (!client->channel.target.tls && !pp_client_tls_wanted(&config->tls)) {
        return true;
    }
    pp_tls_options_from(&config->tls.common, &options);
    options.insecure_skip_verify = config->tls.insecure_skip_verify;
    peer->tls = pp_tls_client_new(&options, err);
    peer->server_name = is_set(config->tls.server_name_override) ? config->tls.server_name_override : client->host;
    peer->verify = !config->tls.insecure_skip_verify;
    return peer->tls != NULL;
}

static uint64_t to_ms(int64_t ns)
{
    return ns > 0 ? ((uint64_t)ns + PP_NS_PER_MS - 1) / PP_NS_PER_MS : 0;
}

static void set_options(struct pp_grpc_client *client, const struct pp_grpc_client_config *config)
{
    struct pp_grpc_channel_config *channel = &client->channel;
    const char *port;

    if (channel->target.local) {
        snprintf(client->host, sizeof(client->host), "localhost");
    } else {
        pp_grpc_target_split(&channel->target, client->host, &port);
    }
    channel->round_robin = config->balancer_name && strcmp(config->balancer_name, "round_robin") == 0;
    channel->wait_for_ready = config->wait_for_ready;
    if (config->keepalive) {
        channel->keepalive = (struct pp_grpc_keepalive){
            .time_ms = to_ms(config->keepalive->time),
            .timeout_ms = to_ms(config->keepalive->timeout),
            .without_calls = config->keepalive->permit_without_stream,
        };
    }
}

struct pp_grpc_client *pp_grpc_client_new(const char *log_id, const struct pp_grpc_client_config *config,
                                          enum pp_encoding encoding, struct pp_error *err)
{
    struct pp_grpc_client *client = pp_calloc(1, sizeof(*client));

    if (!client) {
        pp_error_nomem(err);
        return NULL;
    }
    client->channel.peer.log_id = log_id;
    if (!pp_grpc_target_parse(config->endpoint, &client->channel.target, err)) {
        pp_grpc_client_free(client);
        return NULL;
    }
    set_options(client, config);
    if (!make_tls(client, config, err) || !make_headers(client, config, encoding, err)) {
        pp_grpc_client_free(client);
        return NULL;
    }
    return client;
}

void pp_grpc_client_free(struct pp_grpc_client *client)
{
    if (!client) {
        return;
    }
    pp_tls_client_free(client->channel.peer.tls);
    pp_arena_done(&client->arena);
    pp_free(client);
}

const struct pp_grpc_channel_config *pp_grpc_client_channel_config(const struct pp_grpc_client *client)
{
    return &client->channel;
}
