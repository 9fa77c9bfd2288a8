/* Sends batches to an OTLP server over gRPC. */
#include "base/mem.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "config/groups/timeout.h"
#include "grpc_client.h"
#include "grpc_credentials.h"
#include "grpc_h2_client.h"
#include "grpc_library.h"
#include "grpc_target.h"
#include "net/grpc.h"
#include "otlp_client/otlp_partial.h"
#include "otlp_client/otlp_request.h"
#include "pipeline/exporter_base.h"

struct otlp_grpc_config {
    struct pp_grpc_client_config client;
    struct pp_timeout_config timeout;
    struct pp_retry_config retry_on_failure;
    struct pp_sending_queue_config sending_queue;
    bool references;
};

static const struct otlp_grpc_config otlp_grpc_defaults = {
    .client = PP_GRPC_CLIENT_DEFAULTS,
    .timeout = PP_TIMEOUT_DEFAULTS,
    .retry_on_failure = PP_RETRY_DEFAULTS,
    .sending_queue = PP_SENDING_QUEUE_DEFAULTS,
};

static const struct pp_field otlp_grpc_fields[] = {
    PP_ROW_INLINE(struct otlp_grpc_config, client, &pp_grpc_client_group),
    PP_ROW_INLINE(struct otlp_grpc_config, timeout, &pp_timeout_group),
    PP_ROW_GROUP(struct otlp_grpc_config, retry_on_failure, &pp_retry_group,
                 "How what failed is tried again."),
    PP_ROW_GROUP(struct otlp_grpc_config, sending_queue, &pp_sending_queue_group,
                 "What waits to be sent, and how many send."),
    PP_ROW_BOOL(struct otlp_grpc_config, references, 0,
                "Write attribute keys and values as references into the string table (ours): "
                "smaller, but only for servers that "
                "resolve them (the Collector from 0.163)."),
    PP_ROW_END,
};

static const struct pp_group otlp_grpc_group = {
    .name = "otlp_grpc",
    .size = sizeof(struct otlp_grpc_config),
    .defaults = &otlp_grpc_defaults,
    .fields = otlp_grpc_fields,
};

struct otlp_grpc {
    struct pp_exporter exporter;   /* first */
    struct pp_grpc_client *client; /* from start on, one of the two */
    struct pp_grpc_h2_client *h2;  /* for snappy and zstd */
    struct pp_otlp_request_options request;
    struct pp_counter *rejected;
};

struct worker {
    struct pp_grpc_worker *calls; /* one of the two */
    struct pp_grpc_h2_worker *h2;
    struct pp_error text; /* what the last result's message points to */
};

static const struct otlp_grpc_config *config_of(const struct pp_component *self)
{
    return self->config;
}

/* grpc core writes "identity" when told to compress with anything but gzip. */
static bool needs_h2(const struct otlp_grpc_config *config)
{
    return config->client.compression == PP_COMPRESSION_SNAPPY ||
           config->client.compression == PP_COMPRESSION_ZSTD;
}

/* What the client for snappy and zstd does otherwise than grpc core. */
static void check_h2(const struct pp_grpc_client_config *client, struct pp_check *check)
{
    const char *compression = pp_compression_grpc_choices[client->compression];

    if (client->keepalive) {
        pp_check_warn(check, "keepalive", "has no effect with compression %s", compression);
    }
    if (client->wait_for_ready) {
        pp_check_warn(check, "wait_for_ready", "has no effect with compression %s", compression);
    }
}

static void otlp_grpc_validate(const void *value, struct pp_check *check)
{
    const struct otlp_grpc_config *config = value;
    struct pp_grpc_target target;
    struct pp_error err;

    if (needs_h2(config)) {
        check_h2(&config->client, check);
    }
    if (!pp_grpc_target_parse(config->client.endpoint, &target, &err)) {
        pp_check_error(check, "endpoint", "%s", err.message);
        return;
    }
    if (!needs_h2(config) && (target.tls || pp_client_tls_wanted(&config->client.tls))) {
        pp_grpc_credentials_check(&config->client.tls, check);
    }
    if (target.http && pp_client_tls_wanted(&config->client.tls)) {
        pp_check_warn(check, "endpoint",
                      "http:// does not turn TLS off, as in the Collector; for plaintext set "
                      "tls.insecure: true");
    }
}

static void *worker_open(struct pp_component *self, struct pp_error *err)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    struct worker *worker = pp_calloc(1, sizeof(*worker));

    if (!worker) {
        pp_error_nomem(err);
        return NULL;
    }
    if (exporter->h2) {
        worker->h2 = pp_grpc_h2_worker_new(exporter->h2, err);
    } else {
        worker->calls = pp_grpc_worker_new(exporter->client, err);
    }
    if (!worker->calls && !worker->h2) {
        pp_free(worker);
        return NULL;
    }
    return worker;
}

static void worker_close(struct pp_component *self, void *worker_)
{
    struct worker *worker = worker_;

    (void)self;
    pp_grpc_worker_free(worker->calls);
    pp_grpc_h2_worker_free(worker->h2);
    pp_free(worker);
}

/* What an answer with status OK means. */
static void read_success(struct pp_component *self, struct worker *worker,
                         const struct pp_grpc_answer *answer, struct pp_result *ret)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    const char *endpoint = config_of(self)->client.endpoint;
    struct pp_otlp_answer response;

    if (!answer->body_valid || !pp_otlp_answer_parse(answer->body, &response)) {
        pp_error_set(&worker->text, PP_ERR_INVALID,
                     "%s: the answer is not an ExportProfilesServiceResponse", endpoint);
        *ret = PP_RESULT_PERMANENT(worker->text.message);
        return;
    }
    pp_otlp_partial_report(self, exporter->rejected, endpoint, &response);
    *ret = PP_RESULT_ACCEPTED;
}

static void send_batch(struct pp_component *self, void *worker_, struct pp_batch *batch,
                       uint64_t deadline_mono_ms, struct pp_result *ret)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    struct worker *worker = worker_;
    struct pp_grpc_answer answer;
    struct pp_bytes *body = pp_otlp_request_make(batch, &exporter->request, &worker->text, ret);

    if (!body) {
        return;
    }
    if (worker->h2) {
        pp_grpc_h2_call(worker->h2, body, deadline_mono_ms, &answer);
    } else {
        pp_grpc_call(worker->calls, body, exporter->request.encoding == PP_ENCODING_GZIP,
                     deadline_mono_ms, &answer);
    }
    pp_bytes_unref(body);
    if (answer.code == PP_STATUS_OK) {
        read_success(self, worker, &answer, ret);
        return;
    }
    pp_error_set(&worker->text, PP_ERR_IO, "%s: %s: %s", config_of(self)->client.endpoint,
                 pp_grpc_code_name((enum pp_grpc_code)answer.code), answer.message);
    pp_result_from_grpc(answer.code, answer.retry_delay_ms, worker->text.message, ret);
}

static const struct pp_exporter_ops otlp_grpc_ops = {
    .worker_open = worker_open,
    .send = send_batch,
    .worker_close = worker_close,
};

static enum pp_encoding encoding_of(int compression)
{
    switch (compression) {
    case PP_COMPRESSION_GZIP:
        return PP_ENCODING_GZIP;
    case PP_COMPRESSION_SNAPPY:
        return PP_ENCODING_SNAPPY_FRAMED; /* what gRPC peers mean by snappy */
    case PP_COMPRESSION_ZSTD:
        return PP_ENCODING_ZSTD;
    default:
        return PP_ENCODING_IDENTITY;
    }
}

static bool otlp_grpc_create(struct pp_component *self, struct pp_error *err)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    const struct otlp_grpc_config *config = config_of(self);

    exporter->request = (struct pp_otlp_request_options){
        .encoding = encoding_of(config->client.compression),
        .level = PP_COMPRESSION_LEVEL_DEFAULT,
        .encode.references = config->references,
    };
    exporter->rejected = pp_otlp_partial_counter(self);
    return pp_exporter_create(&exporter->exporter, &otlp_grpc_ops, &config->sending_queue,
                              &config->retry_on_failure, config->timeout.timeout, err);
}

static bool open_h2(struct otlp_grpc *exporter, struct pp_error *err)
{
    struct pp_component *self = &exporter->exporter.component;

    exporter->h2 =
        pp_grpc_h2_client_new(self, &config_of(self)->client, exporter->request.encoding, err);
    return exporter->h2 != NULL;
}

static bool open_core(struct otlp_grpc *exporter, struct pp_error *err)
{
    struct pp_component *self = &exporter->exporter.component;

    pp_grpc_library_ref();
    exporter->client = pp_grpc_client_new(self, &config_of(self)->client, err);
    if (!exporter->client) {
        pp_grpc_library_unref();
    }
    return exporter->client != NULL;
}

/* The client outlives a shutdown, so that a second start finds it. */
static bool otlp_grpc_start(struct pp_component *self, struct pp_error *err)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    bool open = exporter->client || exporter->h2;

    if (!open && !(needs_h2(config_of(self)) ? open_h2(exporter, err) : open_core(exporter, err))) {
        return false;
    }
    return pp_exporter_start(self, err);
}

static void otlp_grpc_destroy(struct pp_component *self)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;

    pp_exporter_destroy(self);
    if (exporter->client) {
        pp_grpc_client_free(exporter->client);
        pp_grpc_library_unref();
    }
    pp_grpc_h2_client_free(exporter->h2);
}

static const char *const otlp_grpc_aliases[] = {"otlp", NULL};

const struct pp_factory pp_otlp_grpc_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "otlp_grpc",
    .aliases = otlp_grpc_aliases,
    .stability = PP_ALPHA,
    .summary = "Sends batches to an OTLP server over gRPC.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct otlp_grpc),
    .config = &otlp_grpc_group,
    .readme = "exporters/otlp_grpc",
    .starts_beside_old = true,
    .validate = otlp_grpc_validate,
    .create = otlp_grpc_create,
    .start = otlp_grpc_start,
    .consume = pp_exporter_consume,
    .shutdown = pp_exporter_shutdown,
    .destroy = otlp_grpc_destroy,
};
