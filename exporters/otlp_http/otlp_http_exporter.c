/* Sends batches to an OTLP server over HTTP. */
#include <curl/curl.h>

#include "base/mem.h"
#include "config/groups/http_client.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "http_post.h"
#include "http_tls.h"
#include "net/compress.h"
#include "otlp_client/otlp_partial.h"
#include "otlp_client/otlp_request.h"
#include "otlp_url.h"
#include "pipeline/exporter_base.h"

#define TYPE_PROTOBUF "application/x-protobuf"
#define TYPE_JSON "application/json"

enum { ENCODING_PROTO, ENCODING_JSON };

static const char *const encoding_choices[] = {"proto", "json", NULL};

struct otlp_http_config {
    struct pp_http_client_config client;
    const char *profiles_endpoint;
    int encoding;
    struct pp_retry_config retry_on_failure;
    struct pp_sending_queue_config sending_queue;
    bool references;
};

static const struct otlp_http_config otlp_http_defaults = {
    .client = {PP_HTTP_CLIENT_DEFAULTS_BODY, .timeout = PP_NS(30),
               .compression = PP_COMPRESSION_GZIP},
    .retry_on_failure = PP_RETRY_DEFAULTS,
    .sending_queue = PP_SENDING_QUEUE_DEFAULTS,
};

static const struct pp_field otlp_http_fields[] = {
    PP_ROW_INLINE(struct otlp_http_config, client, &pp_http_client_group),
    PP_ROW_STRING(struct otlp_http_config, profiles_endpoint, 0,
                  "URL that profiles go to as it stands, in place of endpoint with "
                  "/v1development/profiles added."),
    PP_ROW_IGNORED("traces_endpoint", "Only profiles are sent."),
    PP_ROW_IGNORED("metrics_endpoint", "Only profiles are sent."),
    PP_ROW_IGNORED("logs_endpoint", "Only profiles are sent."),
    PP_ROW_ENUM(struct otlp_http_config, encoding, 0, encoding_choices,
                "Form of the request: protobuf or OTLP/JSON."),
    PP_ROW_GROUP(struct otlp_http_config, retry_on_failure, &pp_retry_group,
                 "How what failed is tried again."),
    PP_ROW_GROUP(struct otlp_http_config, sending_queue, &pp_sending_queue_group,
                 "What waits to be sent, and how many send."),
    PP_ROW_BOOL(struct otlp_http_config, references, 0,
                "Write attribute keys and values as references into the string table (ours): "
                "smaller, but only for servers that "
                "resolve them (the Collector from 0.161)."),
    PP_ROW_END,
};

static const struct pp_group otlp_http_group = {
    .name = "otlp_http",
    .size = sizeof(struct otlp_http_config),
    .defaults = &otlp_http_defaults,
    .fields = otlp_http_fields,
};

struct otlp_http {
    struct pp_exporter exporter; /* first */
    struct pp_otlp_url url;
    struct pp_client_tls *tls; /* from start on, with https */
    const struct pp_client_auth *auth;
    struct pp_otlp_request_options request;
    struct pp_counter *rejected;
};

struct worker {
    struct pp_http_poster *poster;
    struct pp_error text; /* what the last result's message points to */
};

static const struct otlp_http_config *config_of(const struct pp_component *self)
{
    return self->config;
}

static void otlp_http_validate(const void *value, struct pp_check *check)
{
    const struct otlp_http_config *config = value;
    struct pp_otlp_url url;
    struct pp_error err;

    if (!pp_http_headers_check(&config->client.headers, &err)) {
        pp_check_error(check, "headers", "%s", err.message);
    }
    if (!pp_otlp_url_make(config->client.endpoint, config->profiles_endpoint,
                          config->client.tls.server_name_override, &url, &err)) {
        pp_check_error(check, config->profiles_endpoint ? "profiles_endpoint" : "endpoint", "%s",
                       err.message);
        return;
    }
    if (url.tls) {
        pp_http_tls_check(&config->client.tls, check);
    }
    pp_otlp_url_done(&url);
}

static enum pp_encoding encoding_of(int compression)
{
    switch (compression) {
    case PP_COMPRESSION_GZIP:
        return PP_ENCODING_GZIP;
    case PP_COMPRESSION_SNAPPY:
        return PP_ENCODING_SNAPPY;
    case PP_COMPRESSION_SNAPPY_FRAMED:
        return PP_ENCODING_SNAPPY_FRAMED;
    case PP_COMPRESSION_ZSTD:
        return PP_ENCODING_ZSTD;
    case PP_COMPRESSION_ZLIB:
    case PP_COMPRESSION_DEFLATE:
        return PP_ENCODING_DEFLATE;
    case PP_COMPRESSION_LZ4:
        return PP_ENCODING_LZ4;
    default:
        return PP_ENCODING_IDENTITY;
    }
}

static void *worker_open(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    const struct otlp_http_config *config = config_of(self);
    struct worker *worker = pp_calloc(1, sizeof(*worker));
    struct pp_http_post_options options = {
        .owner = self,
        .config = &config->client,
        .url = &exporter->url,
        .tls = exporter->tls,
        .auth = exporter->auth,
        .content_type = exporter->request.json ? TYPE_JSON : TYPE_PROTOBUF,
    };

    if (!worker) {
        pp_error_nomem(err);
        return NULL;
    }
    if (config->client.compression == PP_COMPRESSION_ZLIB) {
        options.content_encoding =
            "zlib"; /* the Collector's name for what the standards call deflate */
    } else if (exporter->request.encoding != PP_ENCODING_IDENTITY) {
        options.content_encoding = pp_encoding_name(exporter->request.encoding);
    }
    worker->poster = pp_http_poster_new(&options, err);
    if (!worker->poster) {
        pp_free(worker);
        return NULL;
    }
    return worker;
}

static void worker_close(struct pp_component *self, void *worker_)
{
    struct worker *worker = worker_;

    (void)self;
    pp_http_poster_free(worker->poster);
    pp_free(worker);
}

/* What a 2xx answer means. A body of another type than the two of OTLP is nobody's business, as in
 * the Collector. */
static void read_success(struct pp_component *self, struct worker *worker,
                         const struct pp_http_answer *answer, struct pp_result *ret)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    struct pp_str type = pp_str_c(answer->content_type);
    struct pp_otlp_answer response = {0};
    bool ok = true;

    if (pp_str_eq_nocase(type, PP_STR(TYPE_PROTOBUF))) {
        ok = answer->body_whole && pp_otlp_answer_parse(answer->body, &response);
    } else if (pp_str_eq_nocase(type, PP_STR(TYPE_JSON)) && answer->body.n) {
        ok = answer->body_whole && pp_otlp_answer_parse_json(answer->body, &response);
    }
    if (!ok) {
        pp_error_set(&worker->text, PP_ERR_INVALID,
                     "%s: HTTP %ld, but the answer is not an ExportProfilesServiceResponse",
                     exporter->url.shown, answer->status);
        *ret = PP_RESULT_PERMANENT(worker->text.message);
        return;
    }
    pp_otlp_partial_report(self, exporter->rejected, exporter->url.shown, &response);
    *ret = PP_RESULT_ACCEPTED;
}

/* The reason in an error's body: a google.rpc.Status of either form, or plain text. */
static void read_reason(const struct pp_http_answer *answer, char out[PP_ANSWER_TEXT_MAX])
{
    struct pp_str type = pp_str_c(answer->content_type);
    struct pp_rpc_status status;

    if ((pp_str_eq_nocase(type, PP_STR(TYPE_PROTOBUF)) &&
         pp_rpc_status_parse(answer->body, &status)) ||
        (pp_str_eq_nocase(type, PP_STR(TYPE_JSON)) &&
         pp_rpc_status_parse_json(answer->body, &status))) {
        memcpy(out, status.message, PP_ANSWER_TEXT_MAX);
    } else if (answer->redirect[0]) {
        memcpy(out, answer->redirect,
               PP_ANSWER_TEXT_MAX); /* redirects are not followed: the endpoint should say where */
    } else {
        pp_answer_text(out, pp_str_trim(answer->body));
    }
}

static void read_failure(struct otlp_http *exporter, struct worker *worker,
                         const struct pp_http_answer *answer, struct pp_result *ret)
{
    char reason[PP_ANSWER_TEXT_MAX];

    if (answer->status == 0) {
        pp_error_set(&worker->text, PP_ERR_IO, "%s: %s", exporter->url.shown, answer->message);
        *ret = PP_RESULT_RETRY(worker->text.message);
        return;
    }
    read_reason(answer, reason);
    pp_error_set(&worker->text, PP_ERR_IO, "%s: HTTP %ld%s%s", exporter->url.shown, answer->status,
                 reason[0] ? ": " : "", reason);
    pp_result_from_http(answer->status, answer->retry_after_ms, worker->text.message, ret);
}

static void send_batch(struct pp_component *self, void *worker_, struct pp_batch *batch,
                       uint64_t deadline_mono_ms, struct pp_result *ret)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    struct worker *worker = worker_;
    struct pp_http_answer answer;
    struct pp_bytes *body;

    if (exporter->auth &&
        !pp_http_post_sign(worker->poster, pp_batch_context(batch), &worker->text)) {
        pp_error_prefix(&worker->text, "%s", exporter->url.shown);
        pp_result_from_error(&worker->text, ret);
        return;
    }
    body = pp_otlp_request_make(batch, &exporter->request, &worker->text, ret);
    if (!body) {
        return;
    }
    pp_http_post(worker->poster, pp_bytes_str(body), deadline_mono_ms, &answer);
    pp_bytes_unref(body);
    if (answer.status >= 200 && answer.status <= 299) {
        read_success(self, worker, &answer, ret);
    } else {
        read_failure(exporter, worker, &answer, ret);
    }
}

static const struct pp_exporter_ops otlp_http_ops = {
    .worker_open = worker_open,
    .send = send_batch,
    .worker_close = worker_close,
};

static bool otlp_http_create(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    const struct otlp_http_config *config = config_of(self);
    const struct pp_http_client_config *client = &config->client;

    exporter->request = (struct pp_otlp_request_options){
        .encoding = encoding_of(client->compression),
        .level = client->compression_params.level == 0 ? PP_COMPRESS_LEVEL_DEFAULT
                                                       : (int)client->compression_params.level,
        .json = config->encoding == ENCODING_JSON,
        .encode.references = config->references,
    };
    if (!pp_client_auth_find(self, client->auth, false, &exporter->auth, err)) {
        return false;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return pp_error_set(err, PP_ERR_INTERNAL, "libcurl does not start");
    }
    if (!pp_otlp_url_make(client->endpoint, config->profiles_endpoint,
                          client->tls.server_name_override, &exporter->url, err)) {
        curl_global_cleanup();
        return false;
    }
    exporter->rejected = pp_otlp_partial_counter(self);
    if (!pp_exporter_create(&exporter->exporter, &otlp_http_ops, &config->sending_queue,
                            &config->retry_on_failure, client->timeout, err)) {
        pp_otlp_url_done(&exporter->url);
        curl_global_cleanup();
        return false;
    }
    return true;
}

/* The certificates outlive a shutdown, so that a second start finds them. */
static bool otlp_http_start(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;

    if (exporter->url.tls && !exporter->tls) {
        exporter->tls = pp_client_tls_new(&config_of(self)->client.tls, err);
        if (!exporter->tls) {
            return false;
        }
    }
    return pp_exporter_start(self, err);
}

static void otlp_http_destroy(struct pp_component *self)
{
    struct otlp_http *exporter = (struct otlp_http *)self;

    pp_exporter_destroy(self);
    pp_client_tls_free(exporter->tls);
    pp_otlp_url_done(&exporter->url);
    curl_global_cleanup();
}

static const char *const otlp_http_aliases[] = {"otlphttp", NULL};

const struct pp_factory pp_otlp_http_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "otlp_http",
    .aliases = otlp_http_aliases,
    .stability = PP_ALPHA,
    .summary = "Sends batches to an OTLP server over HTTP.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct otlp_http),
    .config = &otlp_http_group,
    .readme = "exporters/otlp_http",
    .starts_beside_old = true,
    .validate = otlp_http_validate,
    .create = otlp_http_create,
    .start = otlp_http_start,
    .consume = pp_exporter_consume,
    .shutdown = pp_exporter_shutdown,
    .destroy = otlp_http_destroy,
};
