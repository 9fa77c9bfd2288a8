/* Sends batches to an OTLP server over gRPC. */
#include "base/mem.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "config/groups/timeout.h"
#include "grpc_client.h"
#include "grpc_target.h"
#include "net/grpc.h"
#include "otlp_client/client_tls.h"
#include "otlp_client/otlp_partial.h"
#include "otlp_client/otlp_request.h"
#include "pipeline/client_auth.h"
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
    struct pp_grpc_client *client; /* from start on */
    const struct pp_client_auth *auth; /* NULL: nothing signs */
    struct pp_otlp_request_options request;
    struct pp_counter *rejected;
    char server[PP_GRPC_TARGET_MAX]; /* host, where it is no unix socket */
    struct pp_grpc_target target;
};

/* What there is on one loop. */
struct lane {
    struct otlp_grpc *exporter;
    struct pp_grpc_channel *channel;
    struct pp_error text; /* what the last result's message points to */
};

struct attempt {
    struct pp_grpc_call call;
    struct lane *lane;
    struct pp_exporter_send *send;
    struct pp_arena arena; /* of what an extension adds to the call's headers */
};

static const struct otlp_grpc_config *config_of(const struct pp_component *self)
{
    return self->config;
}

static void otlp_grpc_validate(const void *value, struct pp_check *check)
{
    const struct otlp_grpc_config *config = value;
    struct pp_grpc_target target;
    struct pp_error err;

    if (!pp_grpc_target_parse(config->client.endpoint, &target, &err)) {
        pp_check_error(check, "endpoint", "%s", err.message);
        return;
    }
    if (target.http && pp_client_tls_wanted(&config->client.tls)) {
        pp_check_warn(check, "endpoint",
                      "http:// does not turn TLS off, as in the Collector; for plaintext set "
                      "tls.insecure: true");
    }
}

static void *lane_open(struct pp_component *self, struct pp_loop *loop, struct pp_error *err)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;
    struct lane *lane = pp_calloc(1, sizeof(*lane));

    if (!lane) {
        pp_error_nomem(err);
        return NULL;
    }
    lane->exporter = exporter;
    lane->channel = pp_grpc_channel_new(loop, pp_grpc_client_channel_config(exporter->client), err);
    if (!lane->channel) {
        pp_free(lane);
        return NULL;
    }
    return lane;
}

static void lane_close(void *lane_)
{
    struct lane *lane = lane_;

    pp_grpc_channel_free(lane->channel);
    pp_free(lane);
}

static bool is_light(struct pp_component *self, struct pp_batch *batch)
{
    return pp_otlp_request_is_light(batch, &((struct otlp_grpc *)self)->request);
}

static struct pp_bytes *prepare(struct pp_component *self, struct pp_batch *batch, struct pp_error *text, struct pp_result *ret)
{
    return pp_otlp_request_make(batch, &((struct otlp_grpc *)self)->request, text, ret);
}

/* What an answer with status OK means. */
static struct pp_result read_success(struct lane *lane, const struct pp_grpc_answer *answer)
{
    struct pp_component *self = &lane->exporter->exporter.component;
    const char *endpoint = config_of(self)->client.endpoint;
    struct pp_otlp_answer response;

    if (!answer->body_valid || !pp_otlp_answer_parse(answer->body, &response)) {
        pp_error_set(&lane->text, PP_ERR_INVALID, "%s: the answer is not an ExportProfilesServiceResponse", endpoint);
        return PP_RESULT_PERMANENT(lane->text.message);
    }
    pp_otlp_partial_report(self, lane->exporter->rejected, endpoint, &response);
    return PP_RESULT_ACCEPTED;
}

static void set_failure(struct lane *lane, int code, int64_t retry_delay_ms, const char *message, struct pp_result *ret)
{
    pp_error_set(&lane->text, PP_ERR_IO, "%s: %s: %s", config_of(&lane->exporter->exporter.component)->client.endpoint,
                 pp_grpc_code_name((enum pp_grpc_code)code), message);
    pp_result_from_grpc(code, retry_delay_ms, lane->text.message, ret);
}

static void attempt_free(struct attempt *attempt)
{
    pp_arena_done(&attempt->arena);
    pp_free(attempt);
}

static void on_done(struct pp_grpc_call *call, const struct pp_grpc_answer *answer)
{
    struct attempt *attempt = pp_container_of(call, struct attempt, call);
    struct lane *lane = attempt->lane;
    struct pp_exporter_send *send = attempt->send;
    struct pp_result result;

    if (answer->code == PP_STATUS_OK) {
        result = read_success(lane, answer);
    } else {
        set_failure(lane, answer->code, answer->retry_delay_ms, answer->message, &result);
    }
    attempt_free(attempt);
    pp_exporter_sent(send, &result);
}

/* The headers of this attempt; what came with the data may go with it, tokens may be new since the last. */
static bool sign(struct attempt *attempt, struct pp_error *err)
{
    const struct pp_client_auth *auth = attempt->lane->exporter->auth;
    struct pp_header_set set = {.arena = &attempt->arena};
    struct pp_grpc_header *headers;

    if (!auth) {
        return true;
    }
    if (!pp_client_auth_metadata(auth, pp_batch_context(attempt->send->batch), &set, err)) {
        return false;
    }
    headers = pp_arena_array(&attempt->arena, set.n + 1, sizeof(*headers));
    if (!headers) {
        return pp_error_nomem(err);
    }
    for (size_t i = 0; i < set.n; i++) {
        headers[i] = (struct pp_grpc_header){set.v[i].name, set.v[i].value};
    }
    attempt->call.headers = headers;
    attempt->call.headers_n = set.n;
    return true;
}

/* Ends an attempt that could not be signed. */
static void give_up(struct attempt *attempt)
{
    struct lane *lane = attempt->lane;
    struct pp_exporter_send *send = attempt->send;
    struct pp_result result;

    attempt_free(attempt);
    pp_error_prefix(&lane->text, "%s", config_of(&lane->exporter->exporter.component)->client.endpoint);
    pp_result_from_error(&lane->text, &result);
    pp_exporter_sent(send, &result);
}

static void lane_send(void *lane_, struct pp_exporter_send *send)
{
    struct lane *lane = lane_;
    struct attempt *attempt = pp_calloc(1, sizeof(*attempt));

    if (!attempt) {
        pp_exporter_sent(send, &PP_RESULT_RETRY("out of memory"));
        return;
    }
    attempt->lane = lane;
    attempt->send = send;
    attempt->call = (struct pp_grpc_call){
        .body = send->body,
        .compressed = lane->exporter->request.encoding != PP_ENCODING_IDENTITY,
        .deadline_mono_ms = send->deadline_mono_ms,
        .done = on_done,
    };
    if (!sign(attempt, &lane->text)) {
        give_up(attempt);
        return;
    }
    send->state = attempt;
    pp_grpc_channel_call(lane->channel, &attempt->call);
}

static void lane_cancel(void *lane_, struct pp_exporter_send *send, struct pp_result *ret)
{
    struct lane *lane = lane_;
    struct attempt *attempt = send->state;
    const char *trouble = pp_grpc_channel_trouble(lane->channel);

    pp_grpc_channel_cancel(lane->channel, &attempt->call);
    attempt_free(attempt);
    set_failure(lane, PP_STATUS_DEADLINE_EXCEEDED, -1, trouble[0] ? trouble : "no answer by the deadline", ret);
}

static const struct pp_exporter_ops otlp_grpc_ops = {
    .lane_open = lane_open,
    .is_light = is_light,
    .prepare = prepare,
    .lane_send = lane_send,
    .lane_cancel = lane_cancel,
    .lane_close = lane_close,
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

static bool find_auth(struct otlp_grpc *exporter, struct pp_error *err)
{
    struct pp_component *self = &exporter->exporter.component;
    const struct pp_grpc_client_config *client = &config_of(self)->client;
    bool in_the_clear = !exporter->target.tls && !pp_client_tls_wanted(&client->tls);

    return pp_client_auth_find(self, client->auth, in_the_clear, &exporter->auth, err);
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
    if (!pp_grpc_target_parse(config->client.endpoint, &exporter->target, err)) {
        return false;
    }
    if (!exporter->target.local) {
        pp_grpc_target_split(&exporter->target, exporter->server, &exporter->exporter.destination.server_port);
        exporter->exporter.destination.server_address = exporter->server;
    }
    return find_auth(exporter, err) &&
           pp_exporter_create(&exporter->exporter, &otlp_grpc_ops, &config->sending_queue,
                              &config->retry_on_failure, config->timeout.timeout, err);
}

/* The client outlives a shutdown, so that a second start finds it. */
static bool otlp_grpc_start(struct pp_component *self, struct pp_error *err)
{
    struct otlp_grpc *exporter = (struct otlp_grpc *)self;

    if (!exporter->client) {
        exporter->client =
            pp_grpc_client_new(self->log_id, &config_of(self)->client, exporter->request.encoding, err);
    }
    return exporter->client && pp_exporter_start(self, err);
}

static void otlp_grpc_destroy(struct pp_component *self)
{
    pp_exporter_destroy(self);
    pp_grpc_client_free(((struct otlp_grpc *)self)->client);
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
