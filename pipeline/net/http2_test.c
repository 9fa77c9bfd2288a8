#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/test_h2.h"

#define ECHO "/t.T/Echo"
#define FRAME_HELLO PP_STR("\0\0\0\0\5hello")

static void start(struct test_server *t)
{
    test_server_init(t, 1);
    test_server_start(t);
}

static void assert_body(const struct test_call *call, struct pp_str expected)
{
    assert_int_equal(call->body.len, expected.n);
    assert_memory_equal(call->body.data, expected.p, expected.n);
}

static void test_unary(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    struct test_call *echo, *later, *empty, *none;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    echo = test_h2_call(&h2, ECHO, FRAME_HELLO, false, NULL);
    later = test_h2_call(&h2, "/t.T/Later", FRAME_HELLO, false, NULL);
    empty = test_h2_call(&h2, ECHO, PP_STR("\0\0\0\0\0"), false, NULL);
    none = test_h2_call(&h2, "/t.T/None", FRAME_HELLO, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    assert_string_equal(echo->status, "200");
    assert_string_equal(echo->grpc_status, "0");
    assert_false(echo->headers_only); /* the status comes in trailers */
    assert_body(echo, FRAME_HELLO);
    assert_body(later, FRAME_HELLO);
    assert_body(empty, PP_STR("\0\0\0\0\0"));
    assert_string_equal(none->grpc_status, "12");
    assert_true(none->headers_only);
    test_h2_close(&h2);
    test_server_stop(&t);
}

/* Status, message and details: google.rpc.Status {14, message, [Any{RetryInfo{1.5 s}}]} in base64. */
static void test_status_details(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    struct test_call *call;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    call = test_h2_call(&h2, "/t.T/Fail", FRAME_HELLO, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    assert_string_equal(call->status, "200");
    assert_string_equal(call->grpc_status, "14");
    assert_string_equal(call->grpc_message, "queue is 100%25 full%0A");
    /* what Go's status.New(Unavailable, ...).WithDetails(RetryInfo 1.5 s) marshals to, encoded independently with Python's protobuf rules */
    assert_string_equal(call->details, "CA4SE3F1ZXVlIGlzIDEwMCUgZnVsbAoaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIK"
                                       "CggIARCAyrXuAQ");
    test_h2_close(&h2);
    test_server_stop(&t);
}

/* Bodies that are no unary message. */
static void test_broken_framing(void **state)
{
    static const struct {
        struct pp_str body;
        const char *status;
    } cases[] = {
        {PP_STR(""), "12"},
        {PP_STR("\0\0"), "3"},
        {PP_STR("\0\0\0\0\5hell"), "3"},
        {PP_STR("\0\0\0\0\5hello\0"), "3"},
        {PP_STR("\0\0\0\0\5hello\0\0\0\0\5hello"), "3"},
        {PP_STR("\2\0\0\0\5hello"), "3"},
        {PP_STR("\0\xff\xff\xff\xff"), "8"},
        {PP_STR("\0\4\0\0\1x"), "8"}, /* 64 MiB and one byte */
    };
    struct test_server t;
    struct test_h2 h2;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        test_h2_call(&h2, ECHO, cases[i].body, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(h2.calls[i].status, "200");
        assert_string_equal(h2.calls[i].grpc_status, cases[i].status);
    }
    assert_int_equal(atomic_load(&t.requests_seen), 0);
    test_h2_close(&h2);
    test_server_stop(&t);
}

/* The prefix is believed before the body comes: an oversized call is refused while it is still being sent. */
static void test_early_refusal(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    struct test_call *call;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    call = test_h2_call(&h2, ECHO, PP_STR("\0\x7f\0\0\0some"), true, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    assert_string_equal(call->grpc_status, "8");
    assert_int_equal(call->error, NGHTTP2_NO_ERROR);
    test_h2_close(&h2);
    test_server_stop(&t);
}

static void test_many_at_once(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    size_t n = 1024 * 1024;
    char *big = malloc(n + PP_GRPC_PREFIX_SIZE);

    (void)state;
    assert_non_null(big);
    memset(big, 'x', n + PP_GRPC_PREFIX_SIZE);
    memcpy(big, "\0\0\x10\0\0", PP_GRPC_PREFIX_SIZE);
    start(&t);
    test_h2_open(&h2, &t, true);
    for (int i = 0; i < 16; i++)
        test_h2_call(&h2, i % 2 ? ECHO : "/t.T/Later", (struct pp_str){big, n + PP_GRPC_PREFIX_SIZE}, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    for (int i = 0; i < 16; i++) {
        assert_string_equal(h2.calls[i].grpc_status, "0");
        assert_body(&h2.calls[i], (struct pp_str){big, n + PP_GRPC_PREFIX_SIZE});
    }
    test_h2_close(&h2);
    test_server_stop(&t);
    free(big);
}

/* Peers that reset or go away in every phase leave nothing behind (sanitizers look). */
static void test_resets(void **state)
{
    struct test_server t;

    (void)state;
    start(&t);
    for (int i = 0; i < 3; i++) {
        struct test_h2 h2;
        struct test_call *call;

        test_h2_open(&h2, &t, true);
        call = test_h2_call(&h2, i == 0 ? ECHO : "/t.T/Later", i == 0 ? PP_STR("\0\0\1\0\0part") : FRAME_HELLO, i == 0, NULL);
        test_h2_flush(&h2);
        if (i < 2) {
            nghttp2_submit_rst_stream(h2.session, 0, call->id, NGHTTP2_CANCEL);
            test_h2_call(&h2, ECHO, FRAME_HELLO, false, NULL);
            test_h2_run(&h2, test_h2_all_closed);
            assert_string_equal(h2.calls[1].grpc_status, "0");
        }
        test_h2_close(&h2);
    }
    usleep(50000); /* the late answers come to nobody */
    test_server_stop(&t);
}

static void test_stalled_stream(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    struct test_call *stalled, *good;

    (void)state;
    test_server_init(&t, 1);
    t.options.stall_timeout_ms = 200;
    test_server_start(&t);
    test_h2_open(&h2, &t, true);
    stalled = test_h2_call(&h2, ECHO, PP_STR("\0\0\1\0\0part"), true, NULL);
    good = test_h2_call(&h2, ECHO, FRAME_HELLO, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    assert_string_equal(good->grpc_status, "0");
    assert_string_equal(stalled->grpc_status, "4");
    test_h2_close(&h2);
    test_server_stop(&t);
}

static void test_header_flood(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    test_server_init(&t, 1);
    t.options.header_bytes_max = 4096;
    test_server_start(&t);
    test_h2_open(&h2, &t, true);
    test_h2_call(&h2, ECHO, FRAME_HELLO, false, "a", value, "b", value, NULL); /* over the limit: told so */
    test_h2_run(&h2, test_h2_all_closed);
    assert_true(strcmp(h2.calls[0].status, "431") == 0 || strcmp(h2.calls[0].grpc_status, "8") == 0);
    test_h2_call(&h2, ECHO, FRAME_HELLO, false, "a", value, "b", value, "c", value, "d", value, "e", value, "f", value, NULL);
    test_h2_run(&h2, test_h2_eof); /* far over it: the connection goes */
    assert_true(h2.eof);
    test_h2_close(&h2);
    test_server_stop(&t);
}

/* As grpc-go: the third ping too many ends the connection. */
static void test_ping_policy(void **state)
{
    struct test_server t;
    struct test_h2 h2;

    (void)state;
    test_server_init(&t, 1);
    t.options.ping_min_time_ms = 60000;
    test_server_start(&t);
    test_h2_open(&h2, &t, true);
    for (int i = 0; i < 4; i++)
        nghttp2_submit_ping(h2.session, 0, NULL);
    test_h2_run(&h2, test_h2_goaway);
    assert_int_equal(h2.goaway_error, NGHTTP2_ENHANCE_YOUR_CALM);
    test_h2_run(&h2, test_h2_eof);
    test_h2_close(&h2);
    test_server_stop(&t);
}

/* A peer that does not answer pings is let go; one that does stays. */
static void test_keepalive(void **state)
{
    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        struct test_server t;
        struct test_h2 h2;

        test_server_init(&t, 1);
        t.options.ping_time_ms = 100;
        t.options.ping_timeout_ms = 100;
        t.options.idle_timeout_ms = answers ? 700 : 0;
        test_server_start(&t);
        test_h2_open(&h2, &t, answers);
        test_h2_run(&h2, answers ? test_h2_goaway : test_h2_eof);
        assert_true(answers ? h2.pings >= 2 && h2.goaway_error == NGHTTP2_NO_ERROR : h2.pings == 1 && h2.eof);
        test_h2_close(&h2);
        test_server_stop(&t);
    }
}

static void test_max_age(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    uint64_t before = pp_clock_mono_ms();

    (void)state;
    test_server_init(&t, 1);
    t.options.max_connection_age_ms = 200;
    t.options.max_connection_age_grace_ms = 200;
    test_server_start(&t);
    test_h2_open(&h2, &t, true);
    test_h2_call(&h2, "/never", FRAME_HELLO, false, NULL);
    test_h2_run(&h2, test_h2_eof); /* the call never ends: the grace does */
    assert_true(h2.goaway);
    assert_in_range(pp_clock_mono_ms() - before, 350, 5000);
    test_h2_close(&h2);
    test_server_release_held();
    test_server_stop(&t);
}

static void *stop_in_thread(void *arg)
{
    struct test_server *t = arg;

    pp_http_server_stop(t->server, TEST_TIMEOUT_MS);
    return NULL;
}

/* A graceful stop lets the call in flight finish, takes one that was sent before the peer could know, and ends. */
static void test_graceful_stop(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    pthread_t thread;
    uint64_t before;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    test_h2_call(&h2, "/never", FRAME_HELLO, false, NULL);
    test_h2_flush(&h2);
    while (atomic_load(&t.requests_seen) == 0)
        usleep(1000);
    before = pp_clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, &t), 0);
    usleep(50000);
    test_h2_call(&h2, ECHO, FRAME_HELLO, false, NULL); /* the notice has not been read yet */
    test_h2_flush(&h2);
    test_server_release_held();
    test_h2_run(&h2, test_h2_eof);
    assert_true(h2.goaway);
    assert_string_equal(h2.calls[0].status, "200");
    assert_string_equal(h2.calls[1].grpc_status, "0");
    pthread_join(thread, NULL);
    assert_true(pp_clock_mono_ms() - before < TEST_TIMEOUT_MS / 2);
    test_h2_close(&h2);
    test_server_stop(&t);
}

#define FAULTS_MAX 200u

static void fail_at(void *arg)
{
    pp_alloc_fail_at(*(size_t *)arg);
}

static void count(void *arg)
{
    *(size_t *)arg = pp_alloc_count();
}

/* Each allocation of the loop's thread fails in turn, in both protocols: an answer, or a closed connection, and the next one is served. */
static void test_no_memory(void **state)
{
    static const char h1[] = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    size_t never = 0, n = 1, used = 1;
    struct test_server t;
    char *answer;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    start(&t);
    for (; n <= used; n++) {
        struct test_h2 h2;

        assert_true(n < FAULTS_MAX);
        pp_loop_call(t.loops.loops[0], fail_at, &n);
        test_h2_open(&h2, &t, true);
        test_h2_call(&h2, ECHO, FRAME_HELLO, false, NULL);
        test_h2_run(&h2, test_h2_all_closed);
        test_h2_close(&h2);
        free(test_talk(&t, h1));
        pp_loop_call(t.loops.loops[0], count, &used);
        pp_loop_call(t.loops.loops[0], fail_at, &never);
    }
    assert_true(n > 10);
    answer = test_talk(&t, h1);
    assert_non_null(strstr(answer, "200 OK"));
    free(answer);
    test_server_stop(&t);
}

/* More streams than allowed: the ones too many are refused so that the client may try again, the others served. */
static void test_stream_limit(void **state)
{
    struct test_server t;
    struct test_h2 h2;
    unsigned served = 0;

    (void)state;
    test_server_init(&t, 1);
    t.options.streams_max = 4;
    test_server_start(&t);
    test_h2_open(&h2, &t, true);
    for (int i = 0; i < 12; i++)
        test_h2_call(&h2, "/t.T/Later", FRAME_HELLO, false, NULL);
    test_h2_run(&h2, test_h2_all_closed);
    for (int i = 0; i < 12; i++) {
        bool ok = strcmp(h2.calls[i].grpc_status, "0") == 0;

        assert_true(ok || h2.calls[i].error == NGHTTP2_REFUSED_STREAM);
        served += ok;
    }
    assert_true(served >= 4);
    test_h2_close(&h2);
    test_server_stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),         cmocka_unit_test(test_status_details), cmocka_unit_test(test_broken_framing),
        cmocka_unit_test(test_early_refusal), cmocka_unit_test(test_many_at_once),   cmocka_unit_test(test_resets),
        cmocka_unit_test(test_stalled_stream), cmocka_unit_test(test_header_flood),  cmocka_unit_test(test_ping_policy),
        cmocka_unit_test(test_keepalive),     cmocka_unit_test(test_max_age),        cmocka_unit_test(test_graceful_stop),
        cmocka_unit_test(test_stream_limit),  cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}
