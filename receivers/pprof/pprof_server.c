/* Block `server`: takes profiles that are pushed, POST /v1/pprof, one a request. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "convert/pprof_open.h"
#include "net/compress.h"
#include "net/server_config.h"
#include "pipeline/http_auth.h"
#include "pprof_block.h"

#define PUSH_PATH "/v1/pprof"
#define RETRY_AFTER_S_DEFAULT 1
#define HEADERS_MAX 64 /* of response_headers */

struct pp_pprof_server {
    struct pp_component *self;
    const struct pp_pprof_server_config *config;
    struct pp_http_auth auth;
    struct pp_tls_server *tls;
    struct pp_http_server *http;
};

/* A request whose batch is on its way. */
struct push {
    struct pp_done done;
    struct pp_pprof_server *server;
    struct pp_http_request *request;
};

/* Answers with the configured headers and, where one is given, a header of its own; `text` may be empty. */
static void respond(struct pp_pprof_server *s, struct pp_http_request *request, int status, struct pp_str text, const struct pp_http_header *own)
{
    const struct pp_string_map *configured = &s->config->http.response_headers;
    struct pp_http_header headers[HEADERS_MAX + 2];
    struct pp_http_response response = {.status = status, .headers = headers};

    for (size_t i = 0; i < configured->n && i < HEADERS_MAX; i++)
        headers[response.headers_n++] = (struct pp_http_header){pp_str_c(configured->v[i].key), pp_str_c(configured->v[i].value)};
    if (own)
        headers[response.headers_n++] = *own;
    if (text.n) {
        headers[response.headers_n++] = (struct pp_http_header){PP_STR("content-type"), PP_STR("text/plain; charset=utf-8")};
        response.body = pp_bytes_copy(text);
    }
    pp_http_respond(request, &response);
}

/* What the pipeline said, as HTTP. */
static int status_of(const struct pp_result *result)
{
    if (result->outcome == PP_ACCEPTED)
        return 204;
    switch (result->status) {
    case PP_STATUS_INVALID_ARGUMENT:
        return 400;
    case PP_STATUS_UNAUTHENTICATED:
        return 401;
    case PP_STATUS_PERMISSION_DENIED:
        return 403;
    case PP_STATUS_RESOURCE_EXHAUSTED:
        return result->outcome == PP_RETRY ? 429 : 413;
    default:
        return result->outcome == PP_RETRY ? 503 : 500;
    }
}

static void answer(struct pp_pprof_server *s, struct pp_http_request *request, const struct pp_result *result)
{
    int64_t wait_ms = result->retry_after_ms >= 0 ? result->retry_after_ms : RETRY_AFTER_S_DEFAULT * 1000;
    char seconds[24];
    struct pp_http_header retry_after = {PP_STR("retry-after"), {seconds, 0}};

    retry_after.value.n = (size_t)snprintf(seconds, sizeof(seconds), "%" PRId64, (wait_ms + 999) / 1000);
    respond(s, request, status_of(result), pp_str_c(result->outcome == PP_ACCEPTED ? "" : result->message),
            result->outcome == PP_RETRY ? &retry_after : NULL);
}

static void push_done(struct pp_done *done, const struct pp_result *result)
{
    struct push *push = pp_container_of(done, struct push, done);

    answer(push->server, push->request, result);
    pp_free(push);
}

static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    struct pp_pprof_server *s = context;

    return pp_http_auth_check(&s->auth, request);
}

static void refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal)
{
    const struct pp_http_header retry_after = {PP_STR("retry-after"), PP_STR("1")};

    respond(context, request, refusal->http_status, refusal->why, refusal->http_status == 401 ? &refusal->challenge : &retry_after);
}

static void on_headers(void *context, struct pp_http_request *request)
{
    struct pp_pprof_server *s = context;
    struct pp_http_header allow = {PP_STR("allow"), PP_STR("POST")};

    request->body_bytes_max = pp_http_server_body_bytes_max(&s->config->http);
    if (request->body_bytes_max > PP_PPROF_FILE_BYTES_MAX)
        request->body_bytes_max = PP_PPROF_FILE_BYTES_MAX;
    if (!pp_str_eq_c(request->path, PUSH_PATH))
        respond(s, request, 404, PP_STR("profiles are pushed to " PUSH_PATH), NULL);
    else if (!pp_str_eq_c(request->method, "POST"))
        respond(s, request, 405, PP_STR("405 method not allowed, supported: [POST]"), &allow);
}

static bool encoding_accepted(const struct pp_pprof_server *s, enum pp_encoding encoding)
{
    const struct pp_string_list *accepted = &s->config->http.compression_algorithms;

    for (size_t i = 0; i < accepted->n; i++) {
        enum pp_encoding one;

        if (pp_encoding_by_name(pp_str_c(accepted->v[i]), &one) && one == encoding)
            return true;
    }
    return encoding == PP_ENCODING_IDENTITY;
}

/* Undoes Content-Encoding; a profile is gzip inside of that again, as a rule. */
static bool undo_encoding(struct pp_pprof_server *s, struct pp_http_request *request, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_str name = pp_http_request_header(request, "content-encoding");
    enum pp_encoding encoding = PP_ENCODING_IDENTITY;

    if (name.n && (!pp_encoding_by_name(name, &encoding) || !encoding_accepted(s, encoding)))
        return pp_error_set(err, PP_ERR_UNSUPPORTED, "unsupported Content-Encoding \"" PP_STR_FMT "\"", (int)(name.n < 64 ? name.n : 64), name.p);
    if (encoding == PP_ENCODING_IDENTITY) {
        *ret = pp_bytes_ref(request->body);
        return true;
    }
    return pp_decompress(encoding, pp_bytes_str(request->body), request->body_bytes_max, ret, err);
}

static struct pp_context *make_context(struct pp_http_request *request)
{
    struct pp_metadata *auth = pp_arena_array(&request->arena, request->auth_n + 1, sizeof(*auth));

    if (!auth)
        return NULL;
    for (size_t i = 0; i < request->auth_n; i++)
        auth[i] = (struct pp_metadata){request->auth[i].name, request->auth[i].value};
    return pp_context_new_auth(request->peer, NULL, 0, auth, request->auth_n);
}

static bool read_batch(struct pp_pprof_server *s, struct pp_http_request *request, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_context *context = make_context(request);
    struct pp_pprof_source source = {.transport = "http", .context = context};
    struct pp_bytes *content = NULL;
    bool ok = context || pp_error_nomem(err);

    ok = ok && undo_encoding(s, request, &content, err) && pp_pprof_ingest(s->self, &source, pp_bytes_str(content), ret, err);
    pp_bytes_unref(content);
    pp_context_unref(context);
    return ok;
}

static int status_of_error(const struct pp_error *err)
{
    switch (err->kind) {
    case PP_ERR_LIMIT:
        return 413;
    case PP_ERR_NOMEM:
        return 503;
    default:
        return 400;
    }
}

static void on_request(void *context, struct pp_http_request *request)
{
    struct pp_pprof_server *s = context;
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};
    struct push *push;

    if (!read_batch(s, request, &batch, &err)) {
        respond(s, request, status_of_error(&err), pp_str_c(err.message), NULL);
        return;
    }
    if (!batch) {
        respond(s, request, 204, (struct pp_str){0}, NULL);
        return;
    }
    push = pp_calloc(1, sizeof(*push));
    if (!push) {
        pp_batch_unref(batch);
        respond(s, request, 503, PP_STR("out of memory"), NULL);
        return;
    }
    push->done.fn = push_done;
    push->server = s;
    push->request = request;
    pp_receiver_emit(s->self, "http", batch, &push->done);
}

struct pp_pprof_server *pp_pprof_server_new(struct pp_component *self, const struct pp_pprof_server_config *config, struct pp_error *err)
{
    struct pp_pprof_server *s = pp_calloc(1, sizeof(*s));
    struct pp_http_server_options options;
    struct pp_http_handler handler = {.authenticate = authenticate, .on_headers = on_headers, .on_request = on_request};

    if (!s) {
        pp_error_nomem(err);
        return NULL;
    }
    s->self = self;
    s->config = config;
    handler.context = s;
    if (!pp_http_auth_init(&s->auth, self, config->http.auth, refuse, s, err) ||
        !pp_http_server_options_from(&config->http, self->log_id, &options, &s->tls, err)) {
        pp_free(s);
        return NULL;
    }
    s->http = pp_http_server_new(&options, &handler, pp_service_loops(self->service), err);
    if (!s->http) {
        pp_pprof_server_free(s);
        return NULL;
    }
    return s;
}

bool pp_pprof_server_start(struct pp_pprof_server *s, struct pp_error *err)
{
    if (!pp_http_server_start(s->http, err))
        return false;
    pp_log(PP_LOG_INFO, s->self->log_id, "takes profiles at %s%s", pp_http_server_address(s->http), PUSH_PATH);
    return true;
}

void pp_pprof_server_stop(struct pp_pprof_server *s, uint64_t deadline_mono_ms)
{
    uint64_t now_ms = pp_clock_mono_ms();

    if (s)
        pp_http_server_stop(s->http, deadline_mono_ms > now_ms ? deadline_mono_ms - now_ms : 0);
}

void pp_pprof_server_free(struct pp_pprof_server *s)
{
    if (!s)
        return;
    pp_http_server_free(s->http);
    pp_http_auth_drain(&s->auth);
    pp_tls_server_free(s->tls);
    pp_free(s);
}
