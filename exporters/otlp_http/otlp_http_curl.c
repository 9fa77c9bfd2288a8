/* Sending on worker threads, by libcurl. */
#include "base/mem.h"
#include "http_post.h"
#include "otlp_http.h"

struct worker {
    struct pp_http_poster *poster;
    struct pp_error text; /* what the last result's message points to */
};

static void *worker_open(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    struct worker *worker = pp_calloc(1, sizeof(*worker));
    struct pp_http_post_options options = pp_otlp_http_options(exporter);

    if (!worker) {
        pp_error_nomem(err);
        return NULL;
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
    pp_otlp_http_read_answer(exporter, &answer, &worker->text, ret);
}

const struct pp_exporter_ops pp_otlp_http_curl_ops = {
    .worker_open = worker_open,
    .send = send_batch,
    .worker_close = worker_close,
};
