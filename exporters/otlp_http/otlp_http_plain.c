/* Sending on the loops, by our own HTTP/1.1 client. */
#include "base/clock.h"
#include "base/mem.h"
#include "h1_pool.h"
#include "http_headers.h"
#include "otlp_http.h"
#include "pipeline/service.h"

/* Headers of one request. */
#define HEADER_BYTES_MAX (1u << 20)

/* What there is on one loop. */
struct lane {
    struct otlp_http *exporter;
    struct pp_http_post_options options;
    struct pp_h1_pool *pool;
    struct pp_buf head;   /* without an authenticator: every request's */
    struct pp_error text; /* what the last result's message points to */
};

struct attempt {
    struct pp_h1_call call;
    struct lane *lane;
    struct pp_exporter_send *send;
    struct pp_buf head; /* with an authenticator: this request's */
};

static void lane_close(void *lane_)
{
    struct lane *lane = lane_;

    pp_h1_pool_free(lane->pool);
    pp_buf_done(&lane->head);
    pp_free(lane);
}

/* A loop's share of the connections allowed, and at least one. */
static size_t share(const struct pp_component *self, int64_t all)
{
    size_t loops = pp_service_loops(self->service)->n;

    return all == 0 ? 0 : (size_t)all < loops ? 1 : (size_t)all / loops;
}

static struct pp_h1_pool_options pool_options(const struct otlp_http *exporter)
{
    const struct pp_component *self = &exporter->exporter.component;
    const struct pp_http_client_config *client = &pp_otlp_http_config(self)->client;

    return (struct pp_h1_pool_options){
        .host = exporter->url.name,
        .port = exporter->url.port,
        .connections_max = share(self, client->max_conns_per_host),
        .idle_max = share(self, client->max_idle_conns),
        .idle_timeout_ms = (uint64_t)client->idle_conn_timeout / PP_NS_PER_MS,
        .keep_alive = !client->disable_keep_alives,
    };
}

static void *lane_open(struct pp_component *self, struct pp_loop *loop, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    struct pp_h1_pool_options options = pool_options(exporter);
    struct lane *lane = pp_calloc(1, sizeof(*lane));

    if (!lane) {
        pp_error_nomem(err);
        return NULL;
    }
    lane->exporter = exporter;
    lane->options = pp_otlp_http_options(exporter);
    pp_buf_init(&lane->head, HEADER_BYTES_MAX);
    lane->pool = pp_h1_pool_new(loop, &options, err);
    if (lane->pool && (exporter->auth || pp_http_head_make(&lane->options, NULL, &lane->head, err))) {
        return lane;
    }
    lane_close(lane);
    return NULL;
}

static bool is_light(struct pp_component *self, struct pp_batch *batch)
{
    return pp_otlp_request_is_light(batch, &((struct otlp_http *)self)->request);
}

static struct pp_bytes *prepare(struct pp_component *self, struct pp_batch *batch, struct pp_error *text, struct pp_result *ret)
{
    return pp_otlp_request_make(batch, &((struct otlp_http *)self)->request, text, ret);
}

static void attempt_free(struct attempt *attempt)
{
    pp_buf_done(&attempt->head);
    pp_free(attempt);
}

static void on_done(struct pp_h1_call *call, const struct pp_http_answer *answer)
{
    struct attempt *attempt = pp_container_of(call, struct attempt, call);
    struct pp_exporter_send *send = attempt->send;
    struct lane *lane = attempt->lane;
    struct pp_result result;

    pp_otlp_http_read_answer(lane->exporter, answer, &lane->text, &result);
    attempt_free(attempt);
    pp_exporter_sent(send, &result);
}

static void lane_send(void *lane_, struct pp_exporter_send *send)
{
    struct lane *lane = lane_;
    struct attempt *attempt = pp_calloc(1, sizeof(*attempt));
    struct pp_result result;

    if (!attempt) {
        pp_exporter_sent(send, &PP_RESULT_RETRY("out of memory"));
        return;
    }
    attempt->lane = lane;
    attempt->send = send;
    attempt->call = (struct pp_h1_call){.head = pp_buf_str(&lane->head), .body = send->body, .done = on_done};
    send->state = attempt;
    pp_buf_init(&attempt->head, HEADER_BYTES_MAX);
    if (lane->exporter->auth) {
        if (!pp_http_head_make(&lane->options, pp_batch_context(send->batch), &attempt->head, &lane->text)) {
            pp_error_prefix(&lane->text, "%s", lane->exporter->url.shown);
            pp_result_from_error(&lane->text, &result);
            attempt_free(attempt);
            pp_exporter_sent(send, &result);
            return;
        }
        attempt->call.head = pp_buf_str(&attempt->head);
    }
    pp_h1_pool_send(lane->pool, &attempt->call);
}

static void lane_cancel(void *lane_, struct pp_exporter_send *send, struct pp_result *ret)
{
    struct lane *lane = lane_;
    struct attempt *attempt = send->state;
    const char *trouble;

    pp_h1_pool_cancel(lane->pool, &attempt->call, &trouble);
    attempt_free(attempt);
    pp_error_set(&lane->text, PP_ERR_IO, "%s: %s", lane->exporter->url.shown, trouble);
    *ret = PP_RESULT_RETRY(lane->text.message);
}

const struct pp_exporter_ops pp_otlp_http_plain_ops = {
    .lane_open = lane_open,
    .is_light = is_light,
    .prepare = prepare,
    .lane_send = lane_send,
    .lane_cancel = lane_cancel,
    .lane_close = lane_close,
};
