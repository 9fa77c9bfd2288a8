#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_test_caller.h"

static void make_channel(void *caller_)
{
    struct caller *caller = caller_;
    struct pp_error err;

    caller->channel = pp_grpc_channel_new(caller->loop, pp_grpc_client_channel_config(caller->client), &err);
}

static void free_channel(void *caller_)
{
    struct caller *caller = caller_;

    pp_grpc_channel_free(caller->channel);
}

void caller_open(struct caller *caller, const struct pp_grpc_client_config *config, enum pp_encoding encoding)
{
    struct pp_error err = {0};

    *caller = (struct caller){.client = pp_grpc_client_new("exporter otlp_grpc", config, encoding, &err)};
    if (!caller->client) {
        fail_msg("%s", err.message);
    }
    caller->loop = pp_loop_new("test", &err);
    assert_non_null(caller->loop);
    assert_true(pp_loop_call(caller->loop, make_channel, caller));
    assert_non_null(caller->channel);
}

void caller_close(struct caller *caller)
{
    if (!caller->loop) {
        return;
    }
    pp_loop_call(caller->loop, free_channel, caller);
    pp_loop_stop(caller->loop);
    pp_loop_unref(caller->loop);
    pp_grpc_client_free(caller->client);
    *caller = (struct caller){0};
}

static void on_done(struct pp_grpc_call *call_, const struct pp_grpc_answer *answer)
{
    struct waiting_call *call = (struct waiting_call *)call_;

    assert_true(pp_loop_is_current(call->caller->loop));
    call->answer = *answer;
    if (answer->body_valid) {
        assert_true(answer->body.n <= sizeof(call->body));
        memcpy(call->body, answer->body.p ? answer->body.p : "", answer->body.n);
        call->answer.body.p = call->body;
    }
    sem_post(&call->ended);
}

static void start_call(void *call_)
{
    struct waiting_call *call = call_;

    pp_grpc_channel_call(call->caller->channel, &call->call);
}

void caller_start(struct caller *caller, struct waiting_call *call, struct pp_bytes *body, bool compressed, int timeout_ms)
{
    call->call = (struct pp_grpc_call){
        .body = body,
        .compressed = compressed,
        .deadline_mono_ms = pp_clock_mono_ms() + (uint64_t)timeout_ms,
        .done = on_done,
    };
    call->caller = caller;
    call->task = (struct pp_task){.run = start_call, .arg = call};
    sem_init(&call->ended, 0, 0);
    assert_true(pp_loop_post(caller->loop, &call->task));
}

static void give_up(void *call_)
{
    struct waiting_call *call = call_;
    int ended;

    sem_getvalue(&call->ended, &ended);
    if (ended) {
        return;
    }
    call->answer = (struct pp_grpc_answer){.code = PP_STATUS_DEADLINE_EXCEEDED, .retry_delay_ms = -1};
    snprintf(call->answer.message, sizeof(call->answer.message), "%s", pp_grpc_channel_trouble(call->caller->channel));
    pp_grpc_channel_cancel(call->caller->channel, &call->call);
    sem_post(&call->ended);
}

const struct pp_grpc_answer *caller_wait(struct waiting_call *call, int timeout_ms)
{
    struct timespec until;
    int rc;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000l;
    if (until.tv_nsec >= 1000000000l) {
        until.tv_nsec -= 1000000000l;
        until.tv_sec++;
    }
    while ((rc = sem_timedwait(&call->ended, &until)) != 0 && errno == EINTR) {
    }
    if (rc != 0) {
        assert_true(pp_loop_call(call->caller->loop, give_up, call));
        while (sem_wait(&call->ended) != 0) {
        }
    }
    sem_destroy(&call->ended);
    return &call->answer;
}

const struct pp_grpc_answer *caller_call(struct caller *caller, struct pp_str message, bool compressed, int timeout_ms)
{
    static struct waiting_call call;
    struct pp_bytes *body = pp_bytes_copy(message);
    const struct pp_grpc_answer *answer;

    assert_non_null(body);
    caller_start(caller, &call, body, compressed, timeout_ms);
    answer = caller_wait(&call, timeout_ms);
    pp_bytes_unref(body);
    return answer;
}
