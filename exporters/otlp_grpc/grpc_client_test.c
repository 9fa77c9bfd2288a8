#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "grpc_test_caller.h"
#include "grpc_test_server.h"
#include "net/compress.h"

#define RETRY_STATUS                                                                               \
    "\x08\x08\x1a\x31\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x05\x0a\x03\x08\x88\x0e" /* 1,800 seconds */

struct fixture {
    struct test_server *server;
    struct pp_grpc_client_config config;
    char endpoint[128];
    struct caller caller;
};

static void connect_to(struct fixture *f, enum pp_encoding encoding)
{
    snprintf(f->endpoint, sizeof(f->endpoint), "127.0.0.1:%d", test_server_port(f->server));
    f->config.endpoint = f->endpoint;
    caller_open(&f->caller, &f->config, encoding);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.config = PP_GRPC_CLIENT_DEFAULTS};
    f.config.tls.insecure = true;
    f.server = test_server_new(0, NULL, NULL, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    caller_close(&f->caller);
    if (f->server) {
        test_server_free(f->server);
    }
    return 0;
}

static const struct pp_grpc_answer *call(struct fixture *f)
{
    return caller_call(&f->caller, PP_STR("x"), false, CALL_MS);
}

static void test_request(void **state)
{
    static const struct pp_string_pair headers[] = {{"X-Scope-OrgID", "tenant"}, {"token-bin", "raw"}};
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;
    struct pp_bytes *packed;
    const char *timeout;
    bool compressed;

    f->config.headers = (struct pp_string_map){headers, 2};
    f->config.user_agent = "me/1";
    connect_to(f, PP_ENCODING_GZIP);
    assert_true(pp_compress(PP_ENCODING_GZIP, -1, PP_STR("a profile"), &packed, NULL));
    answer = caller_call(&f->caller, pp_bytes_str(packed), true, CALL_MS);
    assert_int_equal(answer->code, 0);
    assert_true(answer->body_valid);
    assert_int_equal(answer->body.n, 0);
    assert_string_equal(test_server_method(f->server),
                        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export");
    assert_string_equal(test_server_metadata(f->server, ":method"), "POST");
    assert_string_equal(test_server_metadata(f->server, ":scheme"), "http");
    assert_string_equal(test_server_metadata(f->server, ":authority"), f->endpoint);
    assert_string_equal(test_server_metadata(f->server, "content-type"), "application/grpc");
    assert_string_equal(test_server_metadata(f->server, "te"), "trailers");
    assert_string_equal(test_server_metadata(f->server, "grpc-encoding"), "gzip");
    assert_string_equal(test_server_metadata(f->server, "otlp-profiles-development-version"), "1");
    assert_string_equal(test_server_metadata(f->server, "x-scope-orgid"), "tenant");
    assert_string_equal(test_server_metadata(f->server, "token-bin"), "cmF3");
    assert_memory_equal(test_server_metadata(f->server, "user-agent"), "me/1 profpipe/", 14);
    /* milliseconds, a little less than what was given */
    timeout = test_server_metadata(f->server, "grpc-timeout");
    assert_in_range(atoi(timeout), CALL_MS / 2, CALL_MS);
    assert_int_equal(timeout[strlen(timeout) - 1], 'm');
    /* our gzip bytes arrived as they are, marked as what they are */
    assert_true(pp_str_eq(test_server_message(f->server, &compressed), pp_bytes_str(packed)));
    assert_true(compressed);
    pp_bytes_unref(packed);
}

static void test_no_compression(void **state)
{
    struct fixture *f = *state;
    bool compressed;

    f->config.authority = "other.test";
    connect_to(f, PP_ENCODING_IDENTITY);
    assert_int_equal(caller_call(&f->caller, PP_STR("plain"), false, CALL_MS)->code, 0);
    assert_true(pp_str_eq(test_server_message(f->server, &compressed), PP_STR("plain")));
    assert_false(compressed);
    assert_string_equal(test_server_metadata(f->server, "grpc-encoding"), "");
    assert_string_equal(test_server_metadata(f->server, ":authority"), "other.test");
}

/* As large as a message may be. */
static void check_bytes(struct fixture *f, size_t n)
{
    struct pp_bytes *bytes = pp_bytes_new(n);
    struct pp_str got;
    bool compressed;

    for (size_t i = 0; i < bytes->len; i++) {
        bytes->data[i] = (char)(i * 7 + i / 1000);
    }
    assert_int_equal(caller_call(&f->caller, pp_bytes_str(bytes), false, CALL_MS)->code, 0);
    got = test_server_message(f->server, &compressed);
    assert_int_equal(got.n, bytes->len);
    assert_true(pp_str_eq(got, pp_bytes_str(bytes)));
    pp_bytes_unref(bytes);
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 16379, 16380, 65530, 65531, 1000000, 40u << 20};
    struct fixture *f = *state;

    connect_to(f, PP_ENCODING_IDENTITY);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        check_bytes(f, sizes[i]);
    }
    assert_int_equal(test_server_connections(f->server), 1);
}

static void test_answer_body(void **state)
{
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;
    struct pp_bytes *packed, *bomb, *zeros = pp_bytes_new(PP_ANSWER_BYTES_MAX + 1);

    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_answer(f->server, &(struct test_answer){.body = PP_STR("\x0a\x02\x08\x05")});
    answer = call(f);
    assert_true(answer->body_valid && pp_str_eq(answer->body, PP_STR("\x0a\x02\x08\x05")));

    assert_true(pp_compress(PP_ENCODING_GZIP, -1, PP_STR("\x0a\x02\x08\x06"), &packed, NULL));
    test_server_answer(f->server, &(struct test_answer){.body = pp_bytes_str(packed), .body_gzip = true});
    answer = call(f);
    assert_true(answer->body_valid && pp_str_eq(answer->body, PP_STR("\x0a\x02\x08\x06")));

    memset(zeros->data, 0, zeros->len);
    assert_true(pp_compress(PP_ENCODING_GZIP, -1, pp_bytes_str(zeros), &bomb, NULL));
    test_server_answer(f->server, &(struct test_answer){.body = pp_bytes_str(bomb), .body_gzip = true});
    answer = call(f);
    assert_int_equal(answer->code, 0);
    assert_false(answer->body_valid);

    test_server_answer(f->server, &(struct test_answer){.body = pp_bytes_str(zeros)});
    answer = call(f);
    assert_int_equal(answer->code, PP_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(answer->retry_delay_ms, -1);

    test_server_answer(f->server, &(struct test_answer){.no_body = true});
    answer = call(f);
    assert_int_equal(answer->code, 0);
    assert_false(answer->body_valid);
    pp_bytes_unref(packed);
    pp_bytes_unref(bomb);
    pp_bytes_unref(zeros);
}

static void test_every_status(void **state)
{
    struct fixture *f = *state;

    connect_to(f, PP_ENCODING_IDENTITY);
    for (int code = 1; code <= 16; code++) {
        const struct pp_grpc_answer *answer;

        test_server_answer(f->server, &(struct test_answer){.code = code, .message = "no\nway"});
        answer = call(f);
        assert_int_equal(answer->code, code);
        assert_string_equal(answer->message, "no?way");
        assert_int_equal(answer->retry_delay_ms, -1);
        assert_false(answer->body_valid);
    }
    test_server_answer(f->server, &(struct test_answer){.http_status = 503});
    assert_int_equal(call(f)->code, PP_STATUS_UNAVAILABLE);
    test_server_answer(f->server, &(struct test_answer){.http_status = 404});
    assert_int_equal(call(f)->code, PP_STATUS_UNIMPLEMENTED);
}

static void test_retry_info(void **state)
{
    struct fixture *f = *state;

    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_answer(f->server,
                       &(struct test_answer){.code = 8, .message = "full", .details_bin = PP_STR(RETRY_STATUS)});
    assert_int_equal(call(f)->retry_delay_ms, 1800 * 1000);
    test_server_answer(f->server,
                       &(struct test_answer){.code = 8, .message = "full", .details_bin = PP_STR("garbage")});
    assert_int_equal(call(f)->retry_delay_ms, -1);
}

/* Given up: the server is told, and the connection goes on. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = pp_clock_mono_ms();

    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_answer(f->server, &(struct test_answer){.delay_ms = -1});
    assert_int_equal(caller_call(&f->caller, PP_STR("x"), false, 200)->code, PP_STATUS_DEADLINE_EXCEEDED);
    assert_in_range(pp_clock_mono_ms() - begin, 190, 5000);
    test_server_answer(f->server, &(struct test_answer){0});
    assert_int_equal(call(f)->code, 0);
    assert_int_equal(test_server_resets(f->server), 1);
    assert_int_equal(test_server_connections(f->server), 1);
}

/* The server answers before it has the request, and reads no more. */
static void test_early_answer(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *large = pp_bytes_new(5u << 20);

    memset(large->data, 1, large->len);
    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_answer(f->server, &(struct test_answer){.early = true, .code = 8, .message = "too large"});
    assert_int_equal(caller_call(&f->caller, pp_bytes_str(large), false, CALL_MS)->code, 8);
    test_server_answer(f->server, &(struct test_answer){0});
    check_bytes(f, 100000);
    assert_int_equal(test_server_connections(f->server), 1);
    pp_bytes_unref(large);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    const struct pp_grpc_answer *answer;
    int port = test_server_port(f->server);

    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_free(f->server);
    f->server = NULL;
    answer = call(f);
    assert_int_equal(answer->code, PP_STATUS_UNAVAILABLE);
    assert_non_null(strstr(answer->message, "Connection refused"));
    f->server = test_server_new(port, NULL, NULL, NULL); /* it comes back, and so do we */
    for (int i = 0; i < 100 && answer->code != 0; i++) {
        usleep(50 * 1000);
        answer = call(f);
    }
    assert_int_equal(answer->code, 0);
}

static void test_wait_for_ready(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *body = pp_bytes_copy(PP_STR("x"));
    int port = test_server_port(f->server);
    static struct waiting_call waiting;
    const struct pp_grpc_answer *answer;

    f->config.wait_for_ready = true;
    connect_to(f, PP_ENCODING_IDENTITY);
    test_server_free(f->server);
    f->server = NULL;
    answer = caller_call(&f->caller, PP_STR("x"), false, 400);
    assert_int_equal(answer->code, PP_STATUS_DEADLINE_EXCEEDED); /* waited instead of failing at once */
    assert_non_null(strstr(answer->message, "Connection refused"));
    caller_start(&f->caller, &waiting, body, false, CALL_MS);
    usleep(300 * 1000);
    f->server = test_server_new(port, NULL, NULL, NULL);
    assert_int_equal(caller_wait(&waiting, CALL_MS)->code, 0);
    pp_bytes_unref(body);
}

static void test_illegal_headers(void **state)
{
    static const struct pp_string_pair bad_key[] = {{"a b", "x"}}, bad_value[] = {{"a", "x\ny"}};
    struct fixture *f = *state;
    struct pp_error err;

    f->config.endpoint = "localhost:1";
    f->config.headers = (struct pp_string_map){bad_key, 1};
    assert_null(pp_grpc_client_new("x", &f->config, PP_ENCODING_IDENTITY, &err));
    assert_string_equal(err.message, "headers: \"a b\" is not a legal name");
    f->config.headers = (struct pp_string_map){bad_value, 1};
    assert_null(pp_grpc_client_new("x", &f->config, PP_ENCODING_IDENTITY, &err));
    assert_int_equal(err.kind, PP_ERR_CONFIG);
}

static void test_targets(void **state)
{
    static const struct {
        const char *endpoint, *name; /* NULL: refused */
    } rows[] = {
        {"localhost:4317", "dns:///localhost:4317"},
        {"http://localhost:4317", "dns:///localhost:4317"},
        {"https://a.b:443", "dns:///a.b:443"},
        {"[::1]:4317", "dns:///[::1]:4317"},
        {"dns:///a:1", "dns:///a:1"},
        {"dns://8.8.8.8/a:1", "dns://8.8.8.8/a:1"},
        {"passthrough:///a:1", "dns:///a:1"},
        {"unix:/tmp/s", "unix:/tmp/s"},
        {"unix:///tmp/s", "unix:///tmp/s"},
        {"unix-abstract:s", "unix-abstract:s"},
        {"", NULL},
        {"localhost", NULL},
        {"localhost:", NULL},
        {"localhost:0", NULL},
        {"localhost:65536", NULL},
        {"localhost:http", NULL},
        {"::1:4317", NULL},
        {"[::1]", NULL},
        {":4317", NULL},
        {"http://localhost:4317/v1", NULL},
        {"dns:a:1", NULL},
        {"unix:", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pp_grpc_target target = {0};
        struct pp_error err = {0};
        bool ok = pp_grpc_target_parse(rows[i].endpoint, &target, &err);

        if (ok != (rows[i].name != NULL)) {
            fail_msg("\"%s\": %s", rows[i].endpoint, ok ? "accepted" : err.message);
        } else if (ok) {
            assert_string_equal(target.name, rows[i].name);
        } else {
            assert_int_equal(err.kind, PP_ERR_CONFIG);
        }
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_request),
        TEST(test_no_compression),
        TEST(test_sizes),
        TEST(test_answer_body),
        TEST(test_every_status),
        TEST(test_retry_info),
        TEST(test_deadline),
        TEST(test_early_answer),
        TEST(test_nobody_there),
        TEST(test_wait_for_ready),
        TEST(test_illegal_headers),
        cmocka_unit_test(test_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
