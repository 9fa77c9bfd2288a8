#include "grpc_call.h"

#include <stdio.h>

#include "net/compress.h"

void pp_grpc_calls_add(struct pp_grpc_calls *calls, struct pp_grpc_call *call)
{
    call->prev = calls->last;
    call->next = NULL;
    *(calls->last ? &calls->last->next : &calls->first) = call;
    calls->last = call;
}

void pp_grpc_calls_remove(struct pp_grpc_calls *calls, struct pp_grpc_call *call)
{
    *(call->prev ? &call->prev->next : &calls->first) = call->next;
    *(call->next ? &call->next->prev : &calls->last) = call->prev;
    call->prev = call->next = NULL;
}

void pp_grpc_call_reset(struct pp_grpc_call *call)
{
    size_t n = call->body->len;

    call->prefix[0] = call->compressed;
    call->prefix[1] = (uint8_t)(n >> 24);
    call->prefix[2] = (uint8_t)(n >> 16);
    call->prefix[3] = (uint8_t)(n >> 8);
    call->prefix[4] = (uint8_t)n;
    call->sent = 0;
    call->complete = call->refused = call->too_long = false;
    call->http_status = 0;
    pp_grpc_trailers_init(&call->trailers);
    pp_buf_done(&call->received);
    pp_buf_init(&call->received, PP_ANSWER_BYTES_MAX);
}

static void end(struct pp_grpc_call *call, const struct pp_grpc_answer *answer)
{
    struct pp_buf received = call->received;

    call->received = (struct pp_buf){0};
    call->done(call, answer); /* the call may be gone afterwards */
    pp_buf_done(&received);
}

/* The one message of an answer; false when it is none. An inflated one is in *ret_inflated. */
static bool unframe(const struct pp_grpc_call *call, struct pp_str *ret, struct pp_bytes **ret_inflated)
{
    const struct pp_grpc_trailers *trailers = &call->trailers;
    struct pp_str body = pp_buf_str(&call->received), message;
    const uint8_t *p = (const uint8_t *)body.p;

    if (body.n < PP_GRPC_PREFIX_SIZE || ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]) !=
                                            body.n - PP_GRPC_PREFIX_SIZE) {
        return false;
    }
    message = (struct pp_str){body.p + PP_GRPC_PREFIX_SIZE, body.n - PP_GRPC_PREFIX_SIZE};
    if (p[0] == 0) {
        *ret = message;
        return true;
    }
    if (p[0] != 1 || !trailers->encoding_known || trailers->encoding == PP_ENCODING_IDENTITY ||
        !pp_decompress(trailers->encoding, message, PP_ANSWER_BYTES_MAX, ret_inflated, NULL)) {
        return false;
    }
    *ret = pp_bytes_str(*ret_inflated);
    return true;
}

void pp_grpc_call_answer(struct pp_grpc_call *call)
{
    const struct pp_grpc_trailers *trailers = &call->trailers;
    struct pp_grpc_answer answer = {.code = trailers->status, .retry_delay_ms = trailers->retry_delay_ms};
    struct pp_bytes *inflated = NULL;

    memcpy(answer.message, trailers->message, sizeof(answer.message));
    if (call->too_long) {
        answer.code = PP_STATUS_RESOURCE_EXHAUSTED;
        snprintf(answer.message, sizeof(answer.message), "the answer is longer than %u bytes", PP_ANSWER_BYTES_MAX);
    } else if (!trailers->has_status) {
        answer.code = pp_grpc_status_of_http(call->http_status);
        snprintf(answer.message, sizeof(answer.message), "HTTP %ld without a gRPC status", call->http_status);
    } else if (answer.code == PP_STATUS_OK) {
        answer.body_valid = unframe(call, &answer.body, &inflated);
    }
    end(call, &answer);
    pp_bytes_unref(inflated);
}

void pp_grpc_call_fail(struct pp_grpc_call *call, int code, const char *message)
{
    struct pp_grpc_answer answer = {.code = code, .retry_delay_ms = -1};

    pp_answer_text(answer.message, pp_str_c(message));
    end(call, &answer);
}
