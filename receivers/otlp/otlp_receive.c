/* From a request's body to an answer. */
#include "net/compress.h"
#include "otlp_server.h"
#include "profiles/otlp_json.h"

const char *pp_otlp_version_problem(const struct pp_http_request *request)
{
    size_t n = pp_http_request_header_count(request, PP_OTLP_VERSION_HEADER);

    if (n == 0 || (n == 1 && pp_str_eq_c(pp_http_request_header(request, PP_OTLP_VERSION_HEADER), "1")))
        return NULL;
    return "invalid or unsupported " PP_OTLP_VERSION_HEADER ": supported version is 1";
}

/* HTTP header names and gRPC metadata keys alike; what the protocol itself uses is left in, as the Collector does. */
static struct pp_context *make_context(const struct pp_otlp_call *call)
{
    const struct pp_http_request *request = call->request;
    size_t n = call->server->include_metadata ? request->headers_n : 0;
    struct pp_metadata *entries = pp_arena_array(&call->request->arena, n + request->auth_n + 1, sizeof(*entries));

    if (!entries)
        return NULL;
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct pp_metadata){request->headers[i].name, request->headers[i].value};
    for (size_t i = 0; i < request->auth_n; i++)
        entries[n + i] = (struct pp_metadata){request->auth[i].name, request->auth[i].value};
    return pp_context_new_auth(request->peer, entries, n, entries + n, request->auth_n);
}

static bool inflate_body(const struct pp_otlp_call *call, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_bytes *body = call->request->body;

    if (call->encoding == PP_ENCODING_IDENTITY) {
        *ret = pp_bytes_ref(body);
        return true;
    }
    return pp_decompress(call->encoding, pp_bytes_str(body), call->server->message_bytes_max, ret, err);
}

static bool decode(const struct pp_otlp_call *call, struct pp_bytes *wire, struct pp_context *context, struct pp_batch **ret,
                   struct pp_error *err)
{
    struct pp_batch_source source = {.wire = wire, .layout = call->server->layout, .context = context};

    if (call->json)
        return pp_batch_from_json(pp_bytes_str(wire), context, ret, err);
    if (call->encoding != PP_ENCODING_IDENTITY) {
        source.packed = call->request->body;
        source.packed_encoding = pp_encoding_detect(call->encoding, pp_bytes_str(call->request->body));
    }
    return pp_batch_from_otlp(&source, ret, err);
}

static bool make_batch(const struct pp_otlp_call *call, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_context *context;
    struct pp_bytes *wire;
    bool ok;

    if (!inflate_body(call, &wire, err))
        return false;
    context = make_context(call);
    ok = context ? decode(call, wire, context, ret, err) : pp_error_nomem(err);
    pp_context_unref(context);
    pp_bytes_unref(wire);
    return ok;
}

static void answer_error(struct pp_otlp_call *call, const struct pp_error *err)
{
    enum pp_status_code code = PP_STATUS_INVALID_ARGUMENT;
    int64_t retry_after_ms = -1;

    pp_counter_add(call->server->rejected, 1);
    if (err->kind == PP_ERR_LIMIT) {
        code = PP_STATUS_RESOURCE_EXHAUSTED;
    } else if (err->kind == PP_ERR_NOMEM) {
        code = PP_STATUS_UNAVAILABLE;
        retry_after_ms = PP_OTLP_RETRY_DEFAULT_MS;
    }
    call->reject(call, code, pp_str_c(err->message), retry_after_ms);
}

/* What became of the batch, in the sender's terms. Any thread. */
static void on_done(struct pp_done *done, const struct pp_result *result)
{
    struct pp_otlp_call *call = (struct pp_otlp_call *)done;
    int64_t retry_after_ms = result->retry_after_ms;
    enum pp_status_code code = result->status;

    if (result->outcome == PP_ACCEPTED) {
        call->answer(call, PP_STATUS_OK, PP_STR(""), -1);
        return;
    }
    if (code == PP_STATUS_NONE || code == PP_STATUS_OK) {
        code = result->outcome == PP_RETRY ? PP_STATUS_UNAVAILABLE : PP_STATUS_INTERNAL;
        if (result->outcome == PP_RETRY && retry_after_ms < 0)
            retry_after_ms = PP_OTLP_RETRY_DEFAULT_MS;
    }
    call->answer(call, code, pp_str_c(result->message), result->outcome == PP_RETRY ? retry_after_ms : -1);
}

void pp_otlp_receive(struct pp_otlp_call *call)
{
    struct pp_error err = {0};
    struct pp_batch *batch;

    if (!make_batch(call, &batch, &err)) {
        answer_error(call, &err);
        return;
    }
    call->done.fn = on_done;
    if (pp_batch_samples(batch) == 0) {
        pp_batch_unref(batch);
        pp_done_call(&call->done, &PP_RESULT_ACCEPTED);
        return;
    }
    pp_receiver_emit(call->server->component, call->server->transport, batch, &call->done);
}

void pp_otlp_on_warning(void *context, const char *message)
{
    const struct pp_otlp_server *server = context;

    pp_log(PP_LOG_WARN, server->component->log_id, "%s", message);
}

void pp_otlp_on_protection(void *context, enum pp_http_protection protection)
{
    const struct pp_otlp_server *server = context;

    pp_counter_add(server->protections[protection], 1);
}
