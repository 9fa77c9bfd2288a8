/* OTLP/gRPC. */
#include "net/compress.h"
#include "otlp_server.h"

static void answer_request(struct pp_http_request *request, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms)
{
    const struct pp_grpc_status status = {
        .code = (enum pp_grpc_code)code,
        .message = message,
        .retry_delay_ms = retry_after_ms < 0 ? PP_GRPC_NO_RETRY_DELAY : (uint64_t)retry_after_ms,
    };

    pp_grpc_respond(request, &status, NULL);
}

static void answer(struct pp_otlp_call *call, enum pp_status_code code, struct pp_str message, int64_t retry_after_ms)
{
    answer_request(call->request, code, message, retry_after_ms);
}

static void reject(struct pp_otlp_server *server, struct pp_http_request *request, enum pp_status_code code, const char *message)
{
    pp_counter_add(server->rejected, 1);
    answer_request(request, code, pp_str_c(message), -1);
}

/* Another protocol on the gRPC port: said by HTTP status, which is all that such a client reads. */
static void reject_protocol(struct pp_otlp_server *server, struct pp_http_request *request)
{
    bool post = pp_str_eq_c(request->method, "POST");
    const struct pp_http_header type = {PP_STR("content-type"), PP_STR("text/plain")};

    pp_counter_add(server->rejected, 1);
    pp_http_respond(request, &(struct pp_http_response){
                                 .status = post ? 415 : 405,
                                 .headers = &type,
                                 .headers_n = 1,
                                 .body = pp_bytes_copy(PP_STR("this port speaks gRPC: POST with content type application/grpc")),
                             });
}

static void on_headers(void *context, struct pp_http_request *request)
{
    struct pp_otlp_server *server = context;
    struct pp_str encoding = pp_http_request_header(request, "grpc-encoding");
    const char *problem;
    struct pp_otlp_call *call;

    if (!request->grpc) {
        reject_protocol(server, request);
        return;
    }
    if (!pp_str_eq_c(request->path, PP_OTLP_GRPC_PATH)) {
        reject(server, request, PP_STATUS_UNIMPLEMENTED, "unknown method; this server has " PP_OTLP_GRPC_PATH);
        return;
    }
    problem = pp_otlp_version_problem(request);
    if (problem) {
        reject(server, request, PP_STATUS_INVALID_ARGUMENT, problem);
        return;
    }
    call = pp_arena_alloc(&request->arena, sizeof(*call));
    if (!call) {
        answer_request(request, PP_STATUS_UNAVAILABLE, PP_STR("out of memory"), PP_OTLP_RETRY_DEFAULT_MS);
        return;
    }
    *call = (struct pp_otlp_call){.server = server, .request = request, .answer = answer, .reject = answer};
    if (pp_http_request_header_count(request, "grpc-encoding") > 1 || !pp_encoding_by_name(encoding, &call->encoding)) {
        reject(server, request, PP_STATUS_UNIMPLEMENTED, "unsupported grpc-encoding; there are gzip, zstd, snappy and more");
        return;
    }
    request->user = call;
}

static void on_request(void *context, struct pp_http_request *request)
{
    struct pp_otlp_call *call = request->user;

    if (!request->grpc_compressed)
        call->encoding = PP_ENCODING_IDENTITY;
    else if (call->encoding == PP_ENCODING_IDENTITY) {
        reject(context, request, PP_STATUS_INTERNAL, "the message is flagged as compressed but grpc-encoding names no compression");
        return;
    }
    pp_otlp_receive(call);
}

static void on_refuse(void *context, struct pp_http_request *request, int http_status, struct pp_str message)
{
    struct pp_otlp_server *server = context;
    enum pp_status_code code = http_status == 413   ? PP_STATUS_RESOURCE_EXHAUSTED
                               : http_status == 408 ? PP_STATUS_DEADLINE_EXCEEDED
                               : http_status == 503 ? PP_STATUS_UNAVAILABLE
                                                    : PP_STATUS_INTERNAL;

    pp_counter_add(server->rejected, 1);
    answer_request(request, code, message, http_status == 503 ? PP_OTLP_RETRY_DEFAULT_MS : -1);
}

/* Who does not even speak gRPC hears of that first. */
static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    struct pp_otlp_server *server = context;

    return request->grpc ? pp_http_auth_check(&server->auth, request) : PP_HTTP_ADMITTED;
}

void pp_otlp_grpc_refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal)
{
    struct pp_otlp_server *server = context;
    bool busy = refusal->http_status == 503;

    pp_counter_add(server->rejected, 1);
    answer_request(request, busy ? PP_STATUS_UNAVAILABLE : PP_STATUS_UNAUTHENTICATED, refusal->why, busy ? PP_OTLP_RETRY_DEFAULT_MS : -1);
}

const struct pp_http_handler pp_otlp_grpc_handler = {
    .authenticate = authenticate,
    .on_headers = on_headers,
    .on_request = on_request,
    .on_refuse = on_refuse,
    .on_warning = pp_otlp_on_warning,
    .on_protection = pp_otlp_on_protection,
};
