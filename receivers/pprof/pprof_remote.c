/* Block `remote`: fetches one URL every interval. */
#include <curl/curl.h>
#include <stdio.h>

#include "base/mem.h"
#include "convert/pprof_open.h"
#include "pprof_block.h"
#include "pprof_fetch.h"

struct pp_pprof_remote {
    struct pp_component *self;
    const struct pp_pprof_remote_config *config;
    struct pp_pprof_ticker ticker;
    struct pp_fetcher *fetcher;
    struct pp_buf body;
    char *host, *port, *path; /* of the URL */
    char instance[320];       /* host:port */
    bool failing;
};

/* Each failure is said when it begins; while it lasts the component's status shows it. */
static void note_failure(struct pp_pprof_remote *r, const char *message)
{
    if (!r->failing)
        pp_log(PP_LOG_WARN, r->self->log_id, "%s", message);
    else
        pp_log(PP_LOG_DEBUG, r->self->log_id, "%s", message);
    r->failing = true;
    pp_component_report(r->self, PP_COMPONENT_RECOVERABLE_ERROR, "%s", message);
}

static void note_success(struct pp_pprof_remote *r)
{
    if (!r->failing)
        return;
    r->failing = false;
    pp_log(PP_LOG_INFO, r->self->log_id, "%s: works again", r->config->client.endpoint);
    pp_component_report(r->self, PP_COMPONENT_OK, "%s", "");
}

static void send_batch(struct pp_pprof_remote *r, struct pp_batch *batch)
{
    char reason[PP_WAIT_MESSAGE_BYTES], message[PP_ERROR_MESSAGE_MAX];

    if (pp_emit_and_wait(r->self, "http", batch, &r->ticker.stop, reason) == PP_ACCEPTED) {
        note_success(r);
        return;
    }
    snprintf(message, sizeof(message), "%.200s: a profile is lost: %.250s", r->config->client.endpoint, reason);
    note_failure(r, message);
}

static void collect(void *arg)
{
    struct pp_pprof_remote *r = arg;
    struct pp_pprof_source source = {.transport = "http",
                                     .attributes = {{"service.instance.id", pp_str_c(r->instance)},
                                                    {"server.address", pp_str_c(r->host)},
                                                    {"server.port", pp_str_c(r->port)},
                                                    {"url.path", pp_str_c(r->path)}},
                                     .attributes_n = 4};
    struct pp_error err = {0};
    struct pp_batch *batch;
    bool ok = pp_fetcher_get(r->fetcher, &r->ticker.stop, &r->body, &err);

    if (ok && !pp_pprof_ingest(r->self, &source, pp_buf_str(&r->body), &batch, &err)) {
        pp_error_prefix(&err, "%.300s", r->config->client.endpoint);
        ok = false;
    }
    pp_buf_done(&r->body);
    pp_buf_init(&r->body, PP_PPROF_FILE_BYTES_MAX);
    if (!ok) {
        if (!atomic_load(&r->ticker.stop))
            note_failure(r, err.message);
    } else if (batch) {
        send_batch(r, batch);
    } else {
        note_success(r);
    }
}

static bool split_url(struct pp_pprof_remote *r, struct pp_error *err)
{
    CURLU *url = curl_url();
    bool ok = url && curl_url_set(url, CURLUPART_URL, r->config->client.endpoint, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &r->host, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_PORT, &r->port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_PATH, &r->path, 0) == CURLUE_OK;

    curl_url_cleanup(url);
    if (!ok)
        return pp_error_set(err, PP_ERR_CONFIG, "%s: not a usable URL", r->config->client.endpoint);
    snprintf(r->instance, sizeof(r->instance), "%.300s:%.10s", r->host, r->port);
    return true;
}

struct pp_pprof_remote *pp_pprof_remote_new(struct pp_component *self, const struct pp_pprof_remote_config *config, struct pp_error *err)
{
    struct pp_pprof_remote *r = pp_calloc(1, sizeof(*r));
    const struct pp_client_auth *auth;

    if (!r) {
        pp_error_nomem(err);
        return NULL;
    }
    r->self = self;
    r->config = config;
    r->ticker.self = self;
    r->ticker.controller = &config->controller;
    r->ticker.collect = collect;
    r->ticker.arg = r;
    pp_buf_init(&r->body, PP_PPROF_FILE_BYTES_MAX);
    if (pp_client_auth_find(self, config->client.auth, false, &auth, err))
        r->fetcher = pp_fetcher_new(&config->client, auth, err);
    if (r->fetcher && split_url(r, err) && pp_pprof_ticker_start(&r->ticker, err))
        return r;
    pp_pprof_remote_free(r);
    return NULL;
}

void pp_pprof_remote_tell(struct pp_pprof_remote *r)
{
    if (!r)
        return;
    pp_pprof_ticker_tell(&r->ticker);
    pp_fetcher_wake(r->fetcher);
}

void pp_pprof_remote_free(struct pp_pprof_remote *r)
{
    if (!r)
        return;
    if (r->fetcher)
        pp_pprof_remote_tell(r);
    pp_pprof_ticker_join(&r->ticker);
    pp_fetcher_free(r->fetcher);
    curl_free(r->host);
    curl_free(r->port);
    curl_free(r->path);
    pp_buf_done(&r->body);
    pp_free(r);
}
