#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grpc_client.h"
#include "grpc_library.h"
#include "grpc_target.h"
#include "grpc_test_server.h"
#include "net/compress.h"
#include "pipeline/exporter_base.h"

#define CALL_MS 20000 /* far more than any call here takes */
#define RETRY_STATUS                                                                               \
    "\x08\x08\x1a\x31\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x05\x0a\x03\x08\x88\x0e" /* 1,800 seconds */

static struct pp_component owner = {.id = "otlp_grpc", .log_id = "exporter otlp_grpc"};
static uint64_t shutdown_deadline_ms = UINT64_MAX;

/* The exporter base's: this test drives the client alone. */
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms)
{
    (void)self;
    return deadline_mono_ms < shutdown_deadline_ms ? deadline_mono_ms : shutdown_deadline_ms;
}

struct fixture {
    struct test_server *server;
    struct pp_grpc_client_config config;
    char endpoint[64];
    struct pp_grpc_client *client;
    struct pp_grpc_worker *worker;
};

static void connect_to(struct fixture *f)
{
    struct pp_error err = {0};

    snprintf(f->endpoint, sizeof(f->endpoint), "127.0.0.1:%d", test_server_port(f->server));
    f->config.endpoint = f->endpoint;
    f->client = pp_grpc_client_new(&owner, &f->config, &err);
    assert_non_null(f->client);
    f->worker = pp_grpc_worker_new(f->client, &err);
    assert_non_null(f->worker);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.config = PP_GRPC_CLIENT_DEFAULTS};
    f.config.tls.insecure = true;
    shutdown_deadline_ms = UINT64_MAX;
    pp_grpc_library_ref();
    f.server = test_server_new(0, NULL, NULL, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pp_grpc_worker_free(f->worker);
    pp_grpc_client_free(f->client);
    if (f->server) {
        test_server_free(f->server);
    }
    pp_grpc_library_unref();
    return 0;
}

static void call(struct fixture *f, struct pp_str message, bool gzip, struct pp_grpc_answer *ret)
{
    struct pp_bytes *bytes = pp_bytes_copy(message);

    pp_grpc_call(f->worker, bytes, gzip, pp_clock_mono_ms() + CALL_MS, ret);
    pp_bytes_unref(bytes);
}

static void test_request(void **state)
{
    static const struct pp_string_pair headers[] = {{"X-Scope-OrgID", "tenant"},
                                                    {"token-bin", "raw"}};
    struct fixture *f = *state;
    struct pp_grpc_answer answer;
    struct pp_bytes *packed;
    bool gzip;

    f->config.headers = (struct pp_string_map){headers, 2};
    f->config.user_agent = "me/1";
    connect_to(f);
    assert_true(pp_compress(PP_ENCODING_GZIP, -1, PP_STR("a profile"), &packed, NULL));
    pp_grpc_call(f->worker, packed, true, pp_clock_mono_ms() + CALL_MS, &answer);
    assert_int_equal(answer.code, 0);
    assert_true(answer.body_valid);
    assert_int_equal(answer.body.n, 0);
    assert_string_equal(
        test_server_method(f->server),
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export");
    assert_string_equal(test_server_metadata(f->server, "otlp-profiles-development-version"), "1");
    assert_string_equal(test_server_metadata(f->server, "x-scope-orgid"), "tenant");
    assert_string_equal(test_server_metadata(f->server, "token-bin"), "raw");
    assert_memory_equal(test_server_metadata(f->server, "user-agent"), "me/1 ", 5);
    /* our gzip bytes arrived as they are, marked as what they are */
    assert_true(pp_str_eq(test_server_message(f->server, &gzip), pp_bytes_str(packed)));
    assert_true(gzip);
    pp_bytes_unref(packed);
}

static void test_no_compression(void **state)
{
    struct fixture *f = *state;
    struct pp_grpc_answer answer;
    bool gzip;

    f->config.compression = PP_COMPRESSION_NONE;
    connect_to(f);
    call(f, PP_STR("plain"), false, &answer);
    assert_int_equal(answer.code, 0);
    assert_true(pp_str_eq(test_server_message(f->server, &gzip), PP_STR("plain")));
    assert_false(gzip);
}

static void test_large_message(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *bytes = pp_bytes_new(40u << 20);
    struct pp_grpc_answer answer;
    struct pp_str got;
    bool gzip;

    f->config.compression = PP_COMPRESSION_NONE;
    connect_to(f);
    for (size_t i = 0; i < bytes->len; i++) {
        bytes->data[i] = (char)(i * 7);
    }
    pp_grpc_call(f->worker, bytes, false, pp_clock_mono_ms() + CALL_MS, &answer);
    assert_int_equal(answer.code, 0);
    got = test_server_message(f->server, &gzip);
    assert_int_equal(got.n, bytes->len);
    assert_memory_equal(got.p, bytes->data, got.n);
    pp_bytes_unref(bytes);
}

static void test_answer_body(void **state)
{
    struct fixture *f = *state;
    struct pp_grpc_answer answer;
    struct pp_bytes *packed, *bomb, *zeros = pp_bytes_new(PP_ANSWER_BYTES_MAX + 1);

    connect_to(f);
    test_server_answer(f->server, &(struct test_answer){.body = PP_STR("\x0a\x02\x08\x05")});
    call(f, PP_STR("x"), false, &answer);
    assert_true(answer.body_valid && pp_str_eq(answer.body, PP_STR("\x0a\x02\x08\x05")));

    assert_true(pp_compress(PP_ENCODING_GZIP, -1, PP_STR("\x0a\x02\x08\x06"), &packed, NULL));
    test_server_answer(f->server,
                       &(struct test_answer){.body = pp_bytes_str(packed), .body_gzip = true});
    call(f, PP_STR("x"), false, &answer);
    assert_true(answer.body_valid && pp_str_eq(answer.body, PP_STR("\x0a\x02\x08\x06")));

    memset(zeros->data, 0, zeros->len);
    assert_true(pp_compress(PP_ENCODING_GZIP, -1, pp_bytes_str(zeros), &bomb, NULL));
    test_server_answer(f->server,
                       &(struct test_answer){.body = pp_bytes_str(bomb), .body_gzip = true});
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(answer.code, 0);
    assert_false(answer.body_valid);

    test_server_answer(f->server, &(struct test_answer){.body = pp_bytes_str(zeros)});
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(
        answer.code,
        PP_STATUS_RESOURCE_EXHAUSTED); /* the library's own word for a too long answer */
    assert_int_equal(answer.retry_delay_ms, -1);

    test_server_answer(f->server, &(struct test_answer){.no_body = true});
    call(f, PP_STR("x"), false, &answer);
    assert_false(answer.code == 0 && answer.body_valid);
    pp_bytes_unref(packed);
    pp_bytes_unref(bomb);
    pp_bytes_unref(zeros);
}

static void test_every_status(void **state)
{
    struct fixture *f = *state;
    struct pp_grpc_answer answer;

    connect_to(f);
    for (int code = 1; code <= 16; code++) {
        test_server_answer(f->server, &(struct test_answer){.code = code, .message = "no\nway"});
        call(f, PP_STR("x"), false, &answer);
        assert_int_equal(answer.code, code);
        assert_string_equal(answer.message, "no?way");
        assert_int_equal(answer.retry_delay_ms, -1);
        assert_false(answer.body_valid);
    }
}

static void test_retry_info(void **state)
{
    struct fixture *f = *state;
    struct pp_grpc_answer answer;

    connect_to(f);
    test_server_answer(
        f->server,
        &(struct test_answer){.code = 8, .message = "full", .details_bin = PP_STR(RETRY_STATUS)});
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(answer.code, 8);
    assert_int_equal(answer.retry_delay_ms, 1800 * 1000);
    test_server_answer(
        f->server,
        &(struct test_answer){.code = 8, .message = "full", .details_bin = PP_STR("garbage")});
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(answer.retry_delay_ms, -1);
}

static void test_deadline(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *bytes = pp_bytes_copy(PP_STR("x"));
    uint64_t begin = pp_clock_mono_ms();
    struct pp_grpc_answer answer;

    connect_to(f);
    test_server_answer(f->server, &(struct test_answer){.delay_ms = 1500});
    pp_grpc_call(f->worker, bytes, false, begin + 300, &answer);
    assert_int_equal(answer.code, PP_STATUS_DEADLINE_EXCEEDED);
    assert_in_range(pp_clock_mono_ms() - begin, 290, 1400);
    pp_bytes_unref(bytes);
}

/* A shutdown cuts a running call off, though its own deadline is far away. */
static void test_cut_off_by_shutdown(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = pp_clock_mono_ms();
    struct pp_grpc_answer answer;

    connect_to(f);
    test_server_answer(f->server, &(struct test_answer){.delay_ms = 1800});
    shutdown_deadline_ms = begin + 300;
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(answer.code, PP_STATUS_CANCELLED);
    assert_in_range(pp_clock_mono_ms() - begin, 290, 1700);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    struct pp_grpc_answer answer;
    int port = test_server_port(f->server);

    connect_to(f);
    test_server_free(f->server);
    f->server = NULL;
    call(f, PP_STR("x"), false, &answer);
    assert_int_equal(answer.code, PP_STATUS_UNAVAILABLE);
    assert_non_null(strstr(answer.message, "Connection refused"));
    f->server = test_server_new(port, NULL, NULL, NULL); /* it comes back, and so do we */
    for (int i = 0; i < 100 && answer.code != 0; i++) {
        usleep(100 * 1000);
        call(f, PP_STR("x"), false, &answer);
    }
    assert_int_equal(answer.code, 0);
}

static void test_wait_for_ready(void **state)
{
    struct fixture *f = *state;
    struct pp_bytes *bytes = pp_bytes_copy(PP_STR("x"));
    struct pp_grpc_answer answer;

    f->config.wait_for_ready = true;
    connect_to(f);
    test_server_free(f->server);
    f->server = NULL;
    pp_grpc_call(f->worker, bytes, false, pp_clock_mono_ms() + 400, &answer);
    assert_int_equal(answer.code,
                     PP_STATUS_DEADLINE_EXCEEDED); /* waited instead of failing at once */
    pp_bytes_unref(bytes);
}

static void test_illegal_headers(void **state)
{
    static const struct pp_string_pair bad_key[] = {{"a b", "x"}}, bad_value[] = {{"a", "x\ny"}};
    struct fixture *f = *state;
    struct pp_error err;

    f->config.endpoint = "localhost:1";
    f->config.headers = (struct pp_string_map){bad_key, 1};
    assert_null(pp_grpc_client_new(&owner, &f->config, &err));
    assert_string_equal(err.message, "headers: \"a b\" is not a legal name");
    f->config.headers = (struct pp_string_map){bad_value, 1};
    assert_null(pp_grpc_client_new(&owner, &f->config, &err));
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_compression, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_info, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_off_by_shutdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wait_for_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_illegal_headers, setup, teardown),
        cmocka_unit_test(test_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
