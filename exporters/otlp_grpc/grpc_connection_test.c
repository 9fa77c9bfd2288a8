/* Connections that end, refuse, are narrow, or go quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_test_caller.h"
#include "grpc_test_server.h"

#define CALLS 12

struct fixture {
    struct test_server *server;
    struct pp_grpc_client_config config;
    struct pp_keepalive_client_config keepalive;
    char endpoint[128];
    struct caller caller;
    struct waiting_call calls[CALLS];
};

static void start(struct fixture *f, const struct test_server_options *options)
{
    f->server = test_server_new_with(options);
    if (options->path) {
        snprintf(f->endpoint, sizeof(f->endpoint), "unix:%s", options->path);
    } else {
        snprintf(f->endpoint, sizeof(f->endpoint), "127.0.0.1:%d", test_server_port(f->server));
    }
    f->config.endpoint = f->endpoint;
    caller_open(&f->caller, &f->config, PP_ENCODING_IDENTITY);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.config = PP_GRPC_CLIENT_DEFAULTS};
    f.config.tls.insecure = true;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    caller_close(&f->caller);
    test_server_free(f->server);
    return 0;
}

static int call(struct fixture *f)
{
    return caller_call(&f->caller, PP_STR("x"), false, CALL_MS)->code;
}

/* Starts all at once; returns how many ended well. */
static unsigned call_all(struct fixture *f, struct pp_bytes *body)
{
    unsigned ok = 0;

    for (int i = 0; i < CALLS; i++) {
        caller_start(&f->caller, &f->calls[i], body, false, CALL_MS);
    }
    for (int i = 0; i < CALLS; i++) {
        const struct pp_grpc_answer *answer = caller_wait(&f->calls[i], CALL_MS);

        ok += answer->code == 0;
        if (answer->code != 0) {
            print_message("%d: %s\n", answer->code, answer->message);
        }
    }
    return ok;
}

static struct pp_bytes *body_of(size_t n)
{
    struct pp_bytes *body = pp_bytes_new(n);

    assert_non_null(body);
    memset(body->data, 'x', n);
    return body;
}

static void no_more_streams_than_the_server_takes(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *body = body_of(100000);

    start(f, &(struct test_server_options){.streams_max = 2});
    test_server_answer(f->server, &(struct test_answer){.delay_ms = 10});
    assert_int_equal(call_all(f, body), CALLS);
    assert_int_equal(test_server_streams_most(f->server), 2);
    assert_int_equal(test_server_connections(f->server), 1);
    pp_bytes_unref(body);
}

static void small_windows_slow_down_only(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *body = body_of(300000);

    start(f, &(struct test_server_options){.window = 1000});
    assert_int_equal(call_all(f, body), CALLS);
    assert_int_equal(test_server_calls(f->server), CALLS);
    pp_bytes_unref(body);
}

/* More than the outbox and the socket hold, for several calls at once. */
static void large_calls_share_a_connection(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *body = body_of(4u << 20);

    start(f, &(struct test_server_options){0});
    assert_int_equal(call_all(f, body), CALLS);
    assert_int_equal(test_server_connections(f->server), 1);
    pp_bytes_unref(body);
}

static void goaway_means_another_connection(void **state)
{
    struct fixture *f = *state;

    start(f, &(struct test_server_options){0});
    test_server_answer(f->server, &(struct test_answer){.goaway = true});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(call(f), 0);
    }
    assert_int_equal(test_server_connections(f->server), 5);
}

/* Those above the GOAWAY's last stream go to the next connection, those below end where they are. */
static void goaway_loses_no_call(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *body = body_of(200000);

    start(f, &(struct test_server_options){.streams_max = 3});
    test_server_answer(f->server, &(struct test_answer){.goaway = true, .delay_ms = 5});
    for (int i = 0; i < CALLS; i++) {
        caller_start(&f->caller, &f->calls[i], body, false, CALL_MS);
    }
    /* Each call is tried on at most two connections: with a GOAWAY after every answer some run out of tries, and say so. */
    for (int i = 0; i < CALLS; i++) {
        const struct pp_grpc_answer *answer = caller_wait(&f->calls[i], CALL_MS);

        assert_true(answer->code == 0 || answer->code == PP_STATUS_UNAVAILABLE);
    }
    test_server_answer(f->server, &(struct test_answer){0});
    assert_int_equal(call_all(f, body), CALLS);
    pp_bytes_unref(body);
}

static void a_refused_stream_is_tried_once_more(void **state)
{
    struct fixture *f = *state;

    start(f, &(struct test_server_options){0});
    test_server_answer(f->server, &(struct test_answer){.reset = 7, .reset_once = true}); /* REFUSED_STREAM */
    assert_int_equal(call(f), 0);
    assert_int_equal(test_server_calls(f->server), 2);
    test_server_answer(f->server, &(struct test_answer){.reset = 7});
    assert_int_equal(call(f), PP_STATUS_UNAVAILABLE);
    assert_int_equal(test_server_calls(f->server), 4);
}

/* It may have been processed: whoever sent it decides. */
static void a_reset_stream_is_not_tried_again(void **state)
{
    struct fixture *f = *state;

    start(f, &(struct test_server_options){0});
    test_server_answer(f->server, &(struct test_answer){.reset = 2}); /* INTERNAL_ERROR */
    assert_int_equal(call(f), PP_STATUS_UNAVAILABLE);
    assert_int_equal(test_server_calls(f->server), 1);
}

static void a_lost_connection_is_said_and_replaced(void **state)
{
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;

    start(f, &(struct test_server_options){0});
    test_server_answer(f->server, &(struct test_answer){.hang_up = true});
    answer = caller_call(&f->caller, PP_STR("x"), false, CALL_MS);
    assert_int_equal(answer->code, PP_STATUS_UNAVAILABLE);
    assert_string_equal(answer->message, "the server closed the connection");
    test_server_answer(f->server, &(struct test_answer){0});
    assert_int_equal(call(f), 0);
    assert_int_equal(test_server_connections(f->server), 2);
}

static void unix_sockets(void **state)
{
    struct fixture *f = *state;
    char path[64];

    snprintf(path, sizeof(path), "/tmp/pp_grpc_%d.sock", getpid());
    start(f, &(struct test_server_options){.path = path});
    assert_int_equal(call(f), 0);
    assert_string_equal(test_server_metadata(f->server, ":authority"), "localhost");
    test_server_free(f->server);
    assert_int_equal(call(f), PP_STATUS_UNAVAILABLE);
    f->server = test_server_new(0, NULL, NULL, NULL); /* for the teardown */
}

static void keep_alive(struct fixture *f, int time_ms, int timeout_ms, bool without_calls)
{
    f->keepalive = (struct pp_keepalive_client_config){
        .time = time_ms * (int64_t)PP_NS_PER_MS,
        .timeout = timeout_ms * (int64_t)PP_NS_PER_MS,
        .permit_without_stream = without_calls,
    };
    f->config.keepalive = &f->keepalive;
}

static void keepalive_pings_while_calls_wait(void **state)
{
    struct fixture *f = *state;

    keep_alive(f, 30, 5000, false);
    start(f, &(struct test_server_options){0});
    assert_int_equal(call(f), 0);
    usleep(150 * 1000);
    assert_int_equal(test_server_pings(f->server), 0);
    test_server_answer(f->server, &(struct test_answer){.delay_ms = 300});
    assert_int_equal(call(f), 0);
    assert_in_range(test_server_pings(f->server), 2, 11);
}

static void keepalive_pings_without_calls_if_permitted(void **state)
{
    struct fixture *f = *state;

    keep_alive(f, 30, 5000, true);
    start(f, &(struct test_server_options){0});
    assert_int_equal(call(f), 0);
    for (int i = 0; i < 1000 && test_server_pings(f->server) < 3; i++) {
        usleep(5000);
    }
    assert_true(test_server_pings(f->server) >= 3);
    assert_int_equal(call(f), 0);
    assert_int_equal(test_server_connections(f->server), 1);
}

static void keepalive_finds_a_dead_server(void **state)
{
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;

    keep_alive(f, 30, 50, false);
    start(f, &(struct test_server_options){.deaf = true});
    test_server_answer(f->server, &(struct test_answer){.delay_ms = -1});
    answer = caller_call(&f->caller, PP_STR("x"), false, CALL_MS);
    assert_int_equal(answer->code, PP_STATUS_UNAVAILABLE);
    assert_string_equal(answer->message, "keepalive: the server does not answer a ping");
}

/* GOAWAY with ENHANCE_YOUR_CALM: from then on half as many pings. */
static void keepalive_calms_down(void **state)
{
    struct fixture *f = *state;

    keep_alive(f, 200, 5000, true);
    start(f, &(struct test_server_options){0});
    test_server_answer(f->server, &(struct test_answer){.goaway = true, .goaway_error = 11});
    for (int i = 0; i < 6; i++) {
        assert_int_equal(call(f), 0); /* 200 ms doubled six times */
    }
    test_server_answer(f->server, &(struct test_answer){0});
    assert_int_equal(call(f), 0);
    usleep(500 * 1000);
    assert_int_equal(test_server_pings(f->server), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_more_streams_than_the_server_takes),
        TEST(small_windows_slow_down_only),
        TEST(large_calls_share_a_connection),
        TEST(goaway_means_another_connection),
        TEST(goaway_loses_no_call),
        TEST(a_refused_stream_is_tried_once_more),
        TEST(a_reset_stream_is_not_tried_again),
        TEST(a_lost_connection_is_said_and_replaced),
        TEST(unix_sockets),
        TEST(keepalive_pings_while_calls_wait),
        TEST(keepalive_pings_without_calls_if_permitted),
        TEST(keepalive_finds_a_dead_server),
        TEST(keepalive_calms_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
