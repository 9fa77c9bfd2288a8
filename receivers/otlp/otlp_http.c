/* OTLP/HTTP: the rules are https://opentelemetry.io/docs/specs/otlp, section OTLP/HTTP; texts of 404, 405 and 415 are the Collector's. */
#include "cors.h"
#include "net/compress.h"
#include "otlp_server.h"

#define ANSWER_HEADERS_MAX 48u
#define ANSWER_BYTES_MAX 8192u

struct answer {
    int status;
    struct pp_str content_type;
    const char *retry_after;                /* NULL: none */
    const struct pp_http_header *challenge; /* NULL: none */
    struct pp_bytes *body;   /* taken */
};

static void respond(const struct pp_otlp_server *server, struct pp_http_request *request, const struct answer *answer)
{
    const struct pp_string_map *extra = &server->http_config->response_headers;
    struct pp_http_header headers[ANSWER_HEADERS_MAX];
    struct pp_cors_answer cors;
    size_t n = 0;

    pp_cors_actual(server->http_config->cors, request, &cors);
    if (answer->content_type.n)
        headers[n++] = (struct pp_http_header){PP_STR("content-type"), answer->content_type};
    if (answer->retry_after)
        headers[n++] = (struct pp_http_header){PP_STR("retry-after"), pp_str_c(answer->retry_after)};
    if (answer->challenge)
        headers[n++] = *answer->challenge;
    for (size_t i = 0; i < cors.headers_n; i++)
        headers[n++] = cors.headers[i];
    for (size_t i = 0; i < extra->n && n < ANSWER_HEADERS_MAX; i++)
        headers[n++] = (struct pp_http_header){pp_str_c(extra->v[i].key), pp_str_c(extra->v[i].value)};
    pp_http_respond(request, &(struct pp_http_response){answer->status, headers, n, answer->body});
}

static int http_status(enum pp_status_code code)
{
    switch (code) {
    case PP_STATUS_OK:
        return 200;
    case PP_STATUS_CANCELLED:
    case PP_STATUS_DEADLINE_EXCEEDED:
    case PP_STATUS_ABORTED:
    case PP_STATUS_OUT_OF_RANGE:
    case PP_STATUS_UNAVAILABLE:
    case PP_STATUS_DATA_LOSS:
        return 503;
    case PP_STATUS_RESOURCE_EXHAUSTED:
        return 429;
    case PP_STATUS_INVALID_ARGUMENT:
        return 400;
    case PP_STATUS_UNAUTHENTICATED:
        return 401;
    case PP_STATUS_PERMISSION_DENIED:
        return 403;
    case PP_STATUS_UNIMPLEMENTED:
        return 404;
    default:
        return 500;
    }
}

static struct pp_bytes *status_body(bool json, const struct pp_grpc_status *status)
{
    struct pp_bytes *body;
    struct pp_buf out;

    pp_buf_init(&out, ANSWER_BYTES_MAX);
    (void)(json ? pp_grpc_status_encode_json(status, &out) : pp_grpc_status_encode(status, &out));
    body = pp_bytes_take(&out);
    pp_buf_done(&out);
    return body;
}

/* google.rpc.Status in the request's own format. Retry-After has whole seconds: rounded up, so that nobody comes too early. */
static void respond_status(struct pp_otlp_server *server, struct pp_http_request *request, bool json, int status, enum pp_status_code code,
                           struct pp_str message, int64_t retry_after_ms)
{
    bool tell = retry_after_ms >= 0 && (status == 429 || status == 503);
    const struct pp_grpc_status rpc = {
        .code = (enum pp_grpc_code)code,
        .message = message,
        .retry_delay_ms = tell ? (uint64_t)retry_after_ms : PP_GRPC_NO_RETRY_DELAY,
    };
    struct answer answer = {
        .status = status,
        .content_type = json ? PP_STR("application/json") : PP_STR("application/x-protobuf"),
        .body = status_body(json, &rpc),
    };

    if (tell)
        answer.retry_after = pp_arena_printf(&request->arena, "%lld", (long long)(retry_after_ms + 999) / 1000);
    respond(server, request, &answer);
}

/* ExportProfilesServiceResponse; its partial_success is unset (protobuf) or empty (JSON, as the Collector writes it): the same. */
static void respond_ok(struct pp_otlp_call *call)
{
    respond(call->server, call->request,
            &(struct answer){
                .status = 200,
                .content_type = call->json ? PP_STR("application/json") : PP_STR("application/x-protobuf"),
                .body = call->json ? pp_bytes_copy(PP_STR("{\"partialSuccess\":{}}")) : NULL,
            });
}

static void answer(struct pp_otlp_call *call, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms)
{
    if (code == PP_STATUS_OK)
        respond_ok(call);
    else
        respond_status(call->server, call->request, call->json, http_status(code), code, message, retry_after_ms);
}

/* A message over a limit of ours, unlike a sender over a quota of a backend's, is 413: trying again is no cure. */
static void answer_own(struct pp_otlp_call *call, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms)
{
    int status = code == PP_STATUS_RESOURCE_EXHAUSTED ? 413 : http_status(code);

    respond_status(call->server, call->request, call->json, status, code, message, retry_after_ms);
}

static void reject_text(struct pp_otlp_server *server, struct pp_http_request *request, int status, struct pp_str text)
{
    pp_counter_add(server->rejected, 1);
    respond(server, request, &(struct answer){.status = status, .content_type = PP_STR("text/plain"), .body = pp_bytes_copy(text)});
}

/* The media type without its parameters, "" when there is none. */
static struct pp_str media_type(const struct pp_http_request *request)
{
    struct pp_str type = pp_http_request_header(request, "content-type");
    const char *semicolon = type.n ? memchr(type.p, ';', type.n) : NULL;

    if (semicolon)
        type.n = (size_t)(semicolon - type.p);
    return pp_str_trim(type);
}

static bool encoding_accepted(const struct pp_http_server_config *config, struct pp_str name)
{
    if (pp_str_eq_nocase(name, PP_STR("identity")))
        name.n = 0;
    for (size_t i = 0; i < config->compression_algorithms.n; i++)
        if (pp_str_eq_nocase(name, pp_str_c(config->compression_algorithms.v[i])))
            return true;
    return false;
}

static void respond_preflight(struct pp_otlp_server *server, struct pp_http_request *request)
{
    struct pp_cors_answer cors;

    pp_cors_preflight(server->http_config->cors, request, &cors);
    pp_http_respond(request, &(struct pp_http_response){204, cors.headers, cors.headers_n, NULL});
}

/* Whether the request is of a kind we take at all; answers when not. */
static bool is_ours(struct pp_otlp_server *server, struct pp_http_request *request)
{
    if (!pp_str_eq_c(request->path, PP_OTLP_HTTP_PATH)) {
        reject_text(server, request, 404, PP_STR("404 page not found"));
    } else if (server->http_config->cors && pp_cors_is_preflight(request)) {
        respond_preflight(server, request);
    } else if (!pp_str_eq_c(request->method, "POST")) {
        reject_text(server, request, 405, PP_STR("405 method not allowed, supported: [POST]"));
    } else if (!pp_str_eq_nocase(media_type(request), PP_STR("application/x-protobuf")) &&
               !pp_str_eq_nocase(media_type(request), PP_STR("application/json"))) {
        reject_text(server, request, 415, PP_STR("415 unsupported media type, supported: [application/json, application/x-protobuf]"));
    } else {
        return true;
    }
    return false;
}

static void on_headers(void *context, struct pp_http_request *request)
{
    struct pp_otlp_server *server = context;
    struct pp_str encoding = pp_http_request_header(request, "content-encoding");
    const char *problem;
    struct pp_otlp_call *call;
    bool json;

    if (!is_ours(server, request))
        return;
    json = pp_str_eq_nocase(media_type(request), PP_STR("application/json"));
    call = pp_arena_alloc(&request->arena, sizeof(*call));
    if (!call) {
        reject_text(server, request, 503, PP_STR("out of memory"));
        return;
    }
    *call = (struct pp_otlp_call){.server = server, .request = request, .json = json, .answer = answer, .reject = answer_own};
    problem = pp_otlp_version_problem(request);
    if (!problem && (pp_http_request_header_count(request, "content-encoding") > 1 || !encoding_accepted(server->http_config, encoding) || !pp_encoding_by_name(encoding, &call->encoding)))
        problem = "unsupported Content-Encoding";
    if (problem) {
        pp_counter_add(server->rejected, 1);
        respond_status(server, request, json, 400, PP_STATUS_INVALID_ARGUMENT, pp_str_c(problem), -1);
        return;
    }
    request->user = call;
}

static void on_request(void *context, struct pp_http_request *request)
{
    (void)context;
    pp_otlp_receive(request->user);
}

static void on_refuse(void *context, struct pp_http_request *request, int status, struct pp_str message)
{
    struct pp_otlp_server *server = context;
    bool json = pp_str_eq_nocase(media_type(request), PP_STR("application/json"));
    enum pp_status_code code = status == 413   ? PP_STATUS_RESOURCE_EXHAUSTED
                               : status == 503 ? PP_STATUS_UNAVAILABLE
                               : status == 408 ? PP_STATUS_DEADLINE_EXCEEDED
                                               : PP_STATUS_INVALID_ARGUMENT;

    pp_counter_add(server->rejected, 1);
    respond_status(server, request, json, status, code, message, status == 503 ? PP_OTLP_RETRY_DEFAULT_MS : -1);
}

/* Browsers ask without credentials whether they may call (https://fetch.spec.whatwg.org, CORS-preflight fetch). */
static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    struct pp_otlp_server *server = context;

    if (server->http_config->cors && pp_cors_is_preflight(request))
        return PP_HTTP_ADMITTED;
    return pp_http_auth_check(&server->auth, request);
}

/* google.rpc.Status as for other errors; JSON unless the request is protobuf, as in the Collector. */
void pp_otlp_http_refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal)
{
    struct pp_otlp_server *server = context;
    bool json = !pp_str_eq_nocase(media_type(request), PP_STR("application/x-protobuf"));
    bool busy = refusal->http_status == 503;
    const struct pp_grpc_status status = {
        .code = busy ? PP_GRPC_UNAVAILABLE : PP_GRPC_UNAUTHENTICATED,
        .message = refusal->why,
        .retry_delay_ms = busy ? PP_OTLP_RETRY_DEFAULT_MS : PP_GRPC_NO_RETRY_DELAY,
    };

    pp_counter_add(server->rejected, 1);
    respond(server, request,
            &(struct answer){
                .status = refusal->http_status,
                .content_type = json ? PP_STR("application/json") : PP_STR("application/x-protobuf"),
                .retry_after = busy ? "1" : NULL,
                .challenge = busy ? NULL : &refusal->challenge,
                .body = status_body(json, &status),
            });
}

const struct pp_http_handler pp_otlp_http_handler = {
    .authenticate = authenticate,
    .on_headers = on_headers,
    .on_request = on_request,
    .on_refuse = on_refuse,
    .on_warning = pp_otlp_on_warning,
    .on_protection = pp_otlp_on_protection,
};
