/* The whole exporter, from its YAML to a server that answers as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grpc_test_server.h"
#include "net/compress.h"
#include "otlp_client/exporter_driver.h"
#include "otlp_client/otlp_request.h"
#include "profiles/testing/batch_testing.h"

extern const struct pp_factory pp_otlp_grpc_exporter_factory;

#define DIRECT                                                                                     \
    "tls: {insecure: true}\nsending_queue: {enabled: false}\nretry_on_failure: {enabled: false}\n"

static const struct pp_test_shape shape = {.resources = 2,
                                           .scopes = 1,
                                           .profiles = 2,
                                           .samples = 50,
                                           .functions = 20,
                                           .stacks = 20,
                                           .depth = 8,
                                           .rich = true};

struct fixture {
    struct test_server *server;
    struct exporter_driver driver;
    char yaml[512];
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    f.server = test_server_new(0, NULL, NULL, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->driver.self) {
        exporter_close(&f->driver);
    }
    test_server_free(f->server);
    return 0;
}

static void start(struct fixture *f, const char *rest)
{
    snprintf(f->yaml, sizeof(f->yaml), "endpoint: 127.0.0.1:%d\n%s%s", test_server_port(f->server),
             DIRECT, rest);
    exporter_open(&f->driver, &pp_otlp_grpc_exporter_factory, f->yaml);
}

static struct pp_bytes *encoded(struct pp_batch *batch)
{
    struct pp_encode_options options = {0};
    struct pp_bytes *bytes;

    assert_true(pp_batch_encode(batch, &options, &bytes, NULL));
    return bytes;
}

/* A changed batch is encoded, then compressed by us. */
static void test_gzip(void **state)
{
    struct fixture *f = *state;
    struct pp_batch *batch = pp_test_batch(&shape, 1);
    struct pp_bytes *plain = encoded(batch), *inflated;
    struct pp_str got;
    bool gzip;

    start(f, "");
    assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
    got = test_server_message(f->server, &gzip);
    assert_true(gzip);
    assert_true(pp_decompress(PP_ENCODING_GZIP, got, 64 << 20, &inflated, NULL));
    assert_true(pp_str_eq(pp_bytes_str(inflated), pp_bytes_str(plain)));
    pp_bytes_unref(inflated);
    pp_bytes_unref(plain);
}

/* What came compressed goes out as the bytes that came; to a peer without compression it goes
 * inflated. */
static void test_pass_through(void **state)
{
    struct fixture *f = *state;
    struct pp_batch *built = pp_test_batch(&shape, 2), *batch;
    struct pp_batch_source source = {.wire = encoded(built), .packed_encoding = PP_ENCODING_GZIP};
    bool gzip;

    assert_true(pp_compress(PP_ENCODING_GZIP, 1, pp_bytes_str(source.wire), &source.packed, NULL));
    for (int i = 0; i < 2; i++) {
        assert_true(pp_batch_from_otlp(&source, &batch, NULL));
        start(f, i == 0 ? "" : "compression: none\n");
        assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
        assert_true(pp_str_eq(test_server_message(f->server, &gzip),
                              pp_bytes_str(i == 0 ? source.packed : source.wire)));
        assert_int_equal(gzip, i == 0);
        exporter_close(&f->driver);
        f->driver.self = NULL;
    }
    pp_bytes_unref(source.wire);
    pp_bytes_unref(source.packed);
    pp_batch_unref(built);
}

static void check_answers(struct fixture *f, const char *compression)
{
    static const struct {
        struct test_answer answer;
        enum pp_outcome outcome;
        int64_t retry_after_ms;
        const char *message;
    } rows[] = {
        {{.code = 0, .body = {"\x0a\x00", 2}}, PP_ACCEPTED, -1, ""},
        {{.code = 0, .body = {"\x0a\x06\x08\x05\x12\x02no", 8}}, PP_ACCEPTED, -1, ""},
        {{.code = 0, .body = {"<html>", 6}},
         PP_PERMANENT,
         -1,
         "the answer is not an ExportProfilesServiceResponse"},
        {{.code = 3, .message = "broken"}, PP_PERMANENT, -1, "INVALID_ARGUMENT: broken"},
        {{.code = 8, .message = "large"}, PP_PERMANENT, -1, "RESOURCE_EXHAUSTED: large"},
        {{.code = 14,
          .message = "later",
          .details_bin = {"\x1a\x31\x0a\x28type.googleapis.com/"
                          "google.rpc.RetryInfo\x12\x05\x0a\x03\x08\x88\x0e",
                          51}},
         PP_RETRY,
         1800000,
         "UNAVAILABLE: later"},
        {{.code = 1, .message = "stopped"}, PP_RETRY, -1, "CANCELLED: stopped"},
    };

    start(f, compression);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct pp_result *result;

        test_server_answer(f->server, &rows[i].answer);
        result = exporter_send(&f->driver, pp_test_batch(&shape, i));
        if (result->outcome != rows[i].outcome ||
            result->retry_after_ms != rows[i].retry_after_ms ||
            !strstr(result->message, rows[i].message)) {
            fail_msg("row %zu: %d %ld %s", i, result->outcome, (long)result->retry_after_ms,
                     result->message);
        }
        if (result->outcome != PP_ACCEPTED) {
            assert_memory_equal(result->message, "127.0.0.1:", 10);
        }
    }
    exporter_close(&f->driver);
    f->driver.self = NULL;
}

static void test_answers(void **state)
{
    struct pp_label label = {"exporter", "otlp_grpc"};

    check_answers(*state, "compression: none\n");
    check_answers(*state, "compression: zstd\n");
    assert_int_equal(
        pp_telemetry_value(exporter_telemetry(), "profpipe_exporter_rejected_profiles", &label, 1),
        10);
}

/* zstd and snappy (framed, as gRPC peers have it), encoded by us and as they came, on one
 * connection. */
static void check_own_compression(struct fixture *f, const char *yaml, enum pp_encoding encoding)
{
    struct pp_batch *built = pp_test_batch(&shape, 7), *batch;
    struct pp_batch_source source = {.wire = encoded(built), .packed_encoding = encoding};
    struct pp_bytes *inflated;
    bool gzip;

    start(f, yaml);
    assert_int_equal(exporter_send(&f->driver, built)->outcome, PP_ACCEPTED);
    assert_true(
        pp_decompress(encoding, test_server_message(f->server, &gzip), 64 << 20, &inflated, NULL));
    assert_true(pp_str_eq(pp_bytes_str(inflated), pp_bytes_str(source.wire)));
    pp_bytes_unref(inflated);
    assert_true(pp_compress(encoding, -1, pp_bytes_str(source.wire), &source.packed, NULL));
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
    assert_true(pp_str_eq(test_server_message(f->server, &gzip), pp_bytes_str(source.packed)));
    assert_string_equal(test_server_metadata(f->server, "otlp-profiles-development-version"), "1");
    assert_string_equal(test_server_metadata(f->server, "x-key"), "value");
    assert_string_equal(test_server_metadata(f->server, "x-key-bin"), "cmF3");
    pp_bytes_unref(source.wire);
    pp_bytes_unref(source.packed);
    exporter_close(&f->driver);
    f->driver.self = NULL;
}

static void test_own_compressions(void **state)
{
    check_own_compression(*state, "headers: {X-Key: value, x-key-bin: raw}\ncompression: zstd\n",
                          PP_ENCODING_ZSTD);
    check_own_compression(*state, "headers: {X-Key: value, x-key-bin: raw}\ncompression: snappy\n",
                          PP_ENCODING_SNAPPY_FRAMED);
}

/* A payload that no server need take is not sent at all. */
static void test_too_large(void **state)
{
    struct fixture *f = *state;
    struct pp_test_shape one = {.resources = 1,
                                .scopes = 1,
                                .profiles = 1,
                                .samples = 1,
                                .functions = 1,
                                .stacks = 1,
                                .depth = 1};
    struct pp_batch *batch = pp_test_batch(&one, 1);
    struct pp_tables *tables = pp_batch_edit(&batch, PP_EDIT_PROFILES, NULL);
    size_t n = PP_OTLP_REQUEST_BYTES_MAX;
    char *payload = pp_calloc(1, n);
    const struct pp_result *result;

    tables->profiles.v[0].original_payload = (struct pp_str){payload, n};
    tables->profiles.v[0].original_payload_format = PP_STR("x");
    start(f, "timeout: 30s\n");
    result = exporter_send(&f->driver, batch);
    assert_int_equal(result->outcome, PP_PERMANENT);
    assert_non_null(strstr(result->message, "the limit is 67108864"));
    assert_int_equal(test_server_calls(f->server), 0);
    pp_free(payload);
}

static void test_retries(void **state)
{
    struct fixture *f = *state;
    char yaml[512];

    snprintf(
        yaml, sizeof(yaml),
        "endpoint: http://127.0.0.1:%d\ntls: {insecure: true}\nsending_queue: {wait_for_result: "
        "true}\n"
        "retry_on_failure: {initial_interval: 20ms, max_interval: 20ms, max_elapsed_time: 2s}\n",
        test_server_port(f->server));
    exporter_open(&f->driver, &pp_otlp_grpc_exporter_factory, yaml);
    test_server_answer(f->server, &(struct test_answer){.code = 14, .message = "no"});
    assert_int_not_equal(exporter_send(&f->driver, pp_test_batch(&shape, 1))->outcome, PP_ACCEPTED);
    assert_true(test_server_calls(f->server) >= 2);
}

static void test_validation(void **state)
{
    static const struct {
        const char *yaml, *problem; /* NULL: none */
    } rows[] = {
        {"endpoint: a:1", NULL},
        {"endpoint: https://a:1\ncompression: none", NULL},
        {"compression: gzip", "endpoint"},
        {"endpoint: a", "the port is missing"},
        {"endpoint: a:1\ncompression: snappy", NULL},
        {"endpoint: a:1\ncompression: zstd\ntls: {min_version: \"1.3\"}", NULL},
        {"endpoint: a:1\ncompression: zstd\nwait_for_ready: true", NULL},
        {"endpoint: a:1\ncompression: zstd\nkeepalive: {time: 30s}", NULL},
        {"endpoint: a:1\ncompression: lz4", "lz4"},
        {"endpoint: a:1\nbalancer_name: grpclb", "balancer_name"},
        {"endpoint: http://a:1", "http:// does not turn TLS off"},
        {"endpoint: http://a:1\ntls: {insecure: true}", NULL},
        {"endpoint: a:1\ntls: {min_version: \"1.3\"}", NULL},
        {"endpoint: a:1\ntls: {insecure: true, min_version: \"1.3\"}", NULL},
        {"endpoint: a:1\ntiemout: 3s", "timeout"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *problems = exporter_problems(&pp_otlp_grpc_exporter_factory, rows[i].yaml);

        if (rows[i].problem ? !strstr(problems, rows[i].problem) : problems[0] != '\0') {
            fail_msg("%s\n=> %s", rows[i].yaml, problems);
        }
        pp_free(problems);
    }
}

static void test_start_errors(void **state)
{
    struct fixture *f = *state;
    const char *message =
        exporter_start_error(&f->driver, &pp_otlp_grpc_exporter_factory,
                             "endpoint: a:1\ntls: {ca_file: /does/not/exist.pem}\n");

    assert_string_equal(message, "cannot read authorities /does/not/exist.pem: No such file or directory");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    exporter_sweep_allocations(&pp_otlp_grpc_exporter_factory,
                               "endpoint: 127.0.0.1:1\nheaders: {a: b, c-bin: d}\n");
    exporter_sweep_allocations(
        &pp_otlp_grpc_exporter_factory,
        "endpoint: 127.0.0.1:1\nheaders: {a: b, c-bin: d}\ncompression: zstd\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_compressions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_errors, setup, teardown),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
