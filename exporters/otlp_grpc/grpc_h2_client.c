#include "grpc_h2_client.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "grpc_method.h"
#include "h2_call.h"
#include "net/compress.h"
#include "net/grpc.h"
#include "net/server_config.h"
#include "otlp_client/client_tls.h"
#include "otlp_client/otlp_request.h"
#include "pipeline/exporter_base.h"

/* A header's value, encoded for the wire, in bytes. */
#define VALUE_BYTES_MAX 65536
/* Headers beside the user's. */
#define PROTOCOL_HEADERS_MAX 12

struct pp_grpc_h2_client {
    struct pp_component *owner;
    struct pp_arena arena; /* texts of the headers */
    struct pp_grpc_target target;
    struct pp_tls_client *tls; /* NULL: plaintext */
    struct pp_h2_peer peer;
    nghttp2_nv *headers;
    size_t headers_n;
};

struct pp_grpc_h2_worker {
    struct pp_grpc_h2_client *client;
    struct pp_h2_conn *conn; /* NULL: not connected */
    struct pp_bytes *body;   /* of the last answer */
};

static void add_header(struct pp_grpc_h2_client *client, const char *name, const char *value)
{
    if (name && value) {
        client->headers[client->headers_n++] =
            (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
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
static bool add_metadata(struct pp_grpc_h2_client *client, const struct pp_string_pair *pair,
                         struct pp_error *err)
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
        return pp_error_set(err, PP_ERR_CONFIG,
                            "headers: the value of \"%s\" has bytes that a header cannot hold",
                            pair->key);
    }
    add_header(client, name, value);
    return true;
}

static const char *authority_of(const struct pp_grpc_h2_client *client,
                                const struct pp_grpc_client_config *config)
{
    const char *override = config->tls.server_name_override;

    if (config->authority && *config->authority) {
        return config->authority;
    }
    if (override && *override) {
        return override;
    }
    return client->target.local ? "localhost" : strrchr(client->target.name, '/') + 1;
}

static bool make_headers(struct pp_grpc_h2_client *client,
                         const struct pp_grpc_client_config *config, enum pp_encoding encoding,
                         struct pp_error *err)
{
    /* Everyone's gRPC snappy is the framed format under the short name. */
    const char *name =
        encoding == PP_ENCODING_SNAPPY_FRAMED ? "snappy" : pp_encoding_name(encoding);
    const char *agent =
        config->user_agent && *config->user_agent ? config->user_agent : "profpipe/" PP_VERSION;

    client->headers = pp_arena_array(&client->arena, config->headers.n + PROTOCOL_HEADERS_MAX,
                                     sizeof(*client->headers));
    if (!client->headers) {
        return pp_error_nomem(err);
    }
    add_header(client, ":method", "POST");
    add_header(client, ":scheme", client->tls ? "https" : "http");
    add_header(client, ":path", PP_GRPC_METHOD);
    add_header(client, ":authority", authority_of(client, config));
    add_header(client, "te", "trailers");
    add_header(client, "content-type", "application/grpc");
    add_header(client, "grpc-encoding", name);
    add_header(client, "grpc-accept-encoding", "identity");
    add_header(client, "user-agent", agent);
    add_header(client, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION);
    for (size_t i = 0; i < config->headers.n; i++) {
        if (!add_metadata(client, &config->headers.v[i], err)) {
            return false;
        }
    }
    return true;
}

static bool make_tls(struct pp_grpc_h2_client *client, const struct pp_grpc_client_config *config,
                     struct pp_error *err)
{
    struct pp_tls_options options;

    if (!client->target.tls && !pp_client_tls_wanted(&config->tls)) {
        return true;
    }
    pp_tls_options_from(&config->tls.common, &options);
    options.insecure_skip_verify = config->tls.insecure_skip_verify;
    client->tls = pp_tls_client_new(&options, err);
    return client->tls != NULL;
}

struct pp_grpc_h2_client *pp_grpc_h2_client_new(struct pp_component *owner,
                                                const struct pp_grpc_client_config *config,
                                                enum pp_encoding encoding, struct pp_error *err)
{
    struct pp_grpc_h2_client *client = pp_calloc(1, sizeof(*client));

    if (!client) {
        pp_error_nomem(err);
        return NULL;
    }
    client->owner = owner;
    if (!pp_grpc_target_parse(config->endpoint, &client->target, err) ||
        !make_tls(client, config, err) || !make_headers(client, config, encoding, err)) {
        pp_grpc_h2_client_free(client);
        return NULL;
    }
    client->peer = (struct pp_h2_peer){
        .target = &client->target,
        .tls = client->tls,
        .server_name = config->tls.server_name_override,
        .verify = !config->tls.insecure_skip_verify,
    };
    return client;
}

void pp_grpc_h2_client_free(struct pp_grpc_h2_client *client)
{
    if (!client) {
        return;
    }
    pp_tls_client_free(client->tls);
    pp_arena_done(&client->arena);
    pp_free(client);
}

struct pp_grpc_h2_worker *pp_grpc_h2_worker_new(struct pp_grpc_h2_client *client,
                                                struct pp_error *err)
{
    struct pp_grpc_h2_worker *worker = pp_calloc(1, sizeof(*worker));

    if (!worker) {
        pp_error_nomem(err);
        return NULL;
    }
    worker->client = client;
    return worker;
}

void pp_grpc_h2_worker_free(struct pp_grpc_h2_worker *worker)
{
    if (!worker) {
        return;
    }
    pp_h2_conn_free(worker->conn);
    pp_bytes_unref(worker->body);
    pp_free(worker);
}

/* The message behind its prefix: compressed flag and length. */
static struct pp_bytes *framed(const struct pp_bytes *message)
{
    struct pp_bytes *bytes = pp_bytes_new(PP_GRPC_PREFIX_SIZE + message->len);

    if (bytes) {
        bytes->data[0] = 1;
        bytes->data[1] = (char)(message->len >> 24);
        bytes->data[2] = (char)(message->len >> 16);
        bytes->data[3] = (char)(message->len >> 8);
        bytes->data[4] = (char)message->len;
        memcpy(bytes->data + PP_GRPC_PREFIX_SIZE, message->data, message->len);
    }
    return bytes;
}

/* The one message of an answer, inflated; NULL when it is none. */
static struct pp_bytes *unframed(struct pp_str body, const struct pp_grpc_trailers *trailers)
{
    const uint8_t *p = (const uint8_t *)body.p;
    struct pp_bytes *inflated;
    struct pp_str message;

    if (body.n < PP_GRPC_PREFIX_SIZE ||
        ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]) !=
            body.n - PP_GRPC_PREFIX_SIZE) {
        return NULL;
    }
    message = (struct pp_str){body.p + PP_GRPC_PREFIX_SIZE, body.n - PP_GRPC_PREFIX_SIZE};
    if (p[0] == 0) {
        return pp_bytes_copy(message);
    }
    return p[0] == 1 && trailers->encoding_known && trailers->encoding != PP_ENCODING_IDENTITY &&
                   pp_decompress(trailers->encoding, message, PP_ANSWER_BYTES_MAX, &inflated, NULL)
               ? inflated
               : NULL;
}

struct patience {
    struct pp_component *owner;
    uint64_t deadline_mono_ms;
};

static bool is_over(void *patience_)
{
    struct patience *patience = patience_;

    return pp_clock_mono_ms() >= pp_exporter_deadline(patience->owner, patience->deadline_mono_ms);
}

/* A connection that takes one more request. */
static bool connected(struct pp_grpc_h2_worker *worker, const struct pp_h2_patience *patience,
                      struct pp_error *err)
{
    struct pp_h2_socket socket;
    struct pp_error warning;

    if (worker->conn && pp_h2_conn_usable(worker->conn)) {
        return true;
    }
    pp_h2_conn_free(worker->conn);
    worker->conn = NULL;
    if (!pp_h2_socket_open(&worker->client->peer, patience, &socket, &warning, err)) {
        return false;
    }
    if (warning.kind != PP_ERR_NONE) {
        pp_log(PP_LOG_WARN, worker->client->owner->log_id, "%s", warning.message);
    }
    worker->conn = pp_h2_conn_new(&socket);
    return worker->conn || pp_error_nomem(err);
}

/* An answer that ended. */
static void read_answer(struct pp_grpc_h2_worker *worker, const struct pp_h2_answer *answer,
                        struct pp_grpc_answer *ret)
{
    const struct pp_grpc_trailers *trailers = &answer->trailers;

    *ret = (struct pp_grpc_answer){.code = trailers->status,
                                   .retry_delay_ms = trailers->retry_delay_ms};
    memcpy(ret->message, trailers->message, sizeof(ret->message));
    if (!trailers->has_status) {
        ret->code = pp_grpc_status_of_http(answer->http_status);
        snprintf(ret->message, sizeof(ret->message), "HTTP %ld without a gRPC status",
                 answer->http_status);
    }
    if (ret->code == PP_STATUS_OK) {
        worker->body = answer->body_cut ? NULL : unframed(pp_buf_str(&answer->body), trailers);
        ret->body_valid = worker->body != NULL;
        ret->body = ret->body_valid ? pp_bytes_str(worker->body) : (struct pp_str){0};
    }
}

static void no_answer(const struct pp_h2_patience *patience, const struct pp_error *err,
                      struct pp_grpc_answer *ret)
{
    *ret = (struct pp_grpc_answer){
        .code = patience->over(patience->arg) ? PP_STATUS_DEADLINE_EXCEEDED : PP_STATUS_UNAVAILABLE,
        .retry_delay_ms = -1,
    };
    pp_answer_text(ret->message, pp_str_c(err->message));
}

void pp_grpc_h2_call(struct pp_grpc_h2_worker *worker, struct pp_bytes *message,
                     uint64_t deadline_mono_ms, struct pp_grpc_answer *ret)
{
    struct pp_grpc_h2_client *client = worker->client;
    struct patience waiting = {client->owner, deadline_mono_ms};
    const struct pp_h2_patience patience = {is_over, &waiting};
    struct pp_bytes *body = framed(message);
    struct pp_h2_answer answer = {0};
    struct pp_error err = {0};

    pp_bytes_unref(worker->body);
    worker->body = NULL;
    pp_buf_init(&answer.body, PP_ANSWER_BYTES_MAX);
    pp_grpc_trailers_init(&answer.trailers);
    if (!body) {
        pp_error_nomem(&err);
        no_answer(&patience, &err, ret);
    } else if (connected(worker, &patience, &err) &&
               pp_h2_call(worker->conn, client->headers, client->headers_n, pp_bytes_str(body),
                          &patience, &answer, &err)) {
        read_answer(worker, &answer, ret);
    } else {
        no_answer(&patience, &err, ret);
    }
    pp_bytes_unref(body);
    pp_buf_done(&answer.body);
}
