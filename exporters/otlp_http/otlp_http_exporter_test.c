/* The whole exporter, from its YAML to a server that answers as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_test_server.h"
#include "net/compress.h"
#include "otlp_client/exporter_driver.h"
#include "profiles/otlp_json.h"
#include "profiles/testing/batch_testing.h"

extern const struct pp_factory pp_otlp_http_exporter_factory;

/* A connection for each request: the test server serves one at a time, and every loop has its own. */
#define DIRECT                                                                                     \
    "sending_queue: {enabled: false, num_consumers: 1}\nretry_on_failure: {enabled: false}\n"         \
    "disable_keep_alives: true\n"
#define OK PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

static const struct pp_test_shape shape = {.resources = 2,
                                           .scopes = 1,
                                           .profiles = 2,
                                           .samples = 50,
                                           .functions = 20,
                                           .stacks = 20,
                                           .depth = 8,
                                           .rich = true};

struct fixture {
    struct http_test_server *server;
    struct exporter_driver driver;
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.server = http_test_server_new(NULL, NULL, NULL)};
    http_test_server_answer(f.server, OK, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->driver.self) {
        exporter_close(&f->driver);
    }
    http_test_server_free(f->server);
    return 0;
}

static void start(struct fixture *f, const char *rest)
{
    char yaml[512];

    snprintf(yaml, sizeof(yaml), "endpoint: http://127.0.0.1:%d\n%s%s",
             http_test_server_port(f->server), DIRECT, rest);
    exporter_open(&f->driver, &pp_otlp_http_exporter_factory, yaml);
}

static void stop(struct fixture *f)
{
    exporter_close(&f->driver);
    f->driver.self = NULL;
}

static struct pp_bytes *encoded(struct pp_batch *batch)
{
    struct pp_encode_options options = {0};
    struct pp_bytes *bytes;

    assert_true(pp_batch_encode(batch, &options, &bytes, NULL));
    return bytes;
}

static const struct {
    const char *compression, *header;
    enum pp_encoding encoding;
} codings[] = {
    {"none", NULL, PP_ENCODING_IDENTITY},
    {"\"\"", NULL, PP_ENCODING_IDENTITY},
    {"gzip", "gzip", PP_ENCODING_GZIP},
    {"zstd", "zstd", PP_ENCODING_ZSTD},
    {"snappy", "snappy", PP_ENCODING_SNAPPY},
    {"x-snappy-framed", "x-snappy-framed", PP_ENCODING_SNAPPY_FRAMED},
    {"zlib", "zlib", PP_ENCODING_DEFLATE},
    {"deflate", "deflate", PP_ENCODING_DEFLATE},
    {"lz4", "lz4", PP_ENCODING_LZ4},
};

#define CODINGS (sizeof(codings) / sizeof(*codings))

static void assert_encoding(struct fixture *f, const char *name)
{
    char line[64];

    snprintf(line, sizeof(line), "\r\nContent-Encoding: %s", name ? name : "");
    assert_true(!strcasestr(http_test_server_head(f->server), line) == !name);
}

/* A changed batch is encoded, then compressed, in each coding that there is. */
static void test_compressions(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < CODINGS; i++) {
        struct pp_batch *batch = pp_test_batch(&shape, i);
        struct pp_bytes *plain = encoded(batch), *inflated;
        char rest[64];

        snprintf(rest, sizeof(rest), "compression: %s\n", codings[i].compression);
        start(f, rest);
        assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
        assert_encoding(f, codings[i].header);
        assert_true(pp_decompress(codings[i].encoding, http_test_server_body(f->server), 64 << 20,
                                  &inflated, NULL));
        assert_true(pp_str_eq(pp_bytes_str(inflated), pp_bytes_str(plain)));
        pp_bytes_unref(inflated);
        pp_bytes_unref(plain);
        stop(f);
    }
}

/* What came in a coding goes out as the bytes that came, where the exporter uses the same. */
static void test_pass_through(void **state)
{
    struct fixture *f = *state;
    struct pp_batch *built = pp_test_batch(&shape, 2), *batch;
    struct pp_bytes *wire = encoded(built);

    for (size_t i = 2; i < CODINGS; i++) {
        struct pp_batch_source source = {.wire = wire, .packed_encoding = codings[i].encoding};
        char rest[64];

        assert_true(pp_compress(codings[i].encoding, -1, pp_bytes_str(wire), &source.packed, NULL));
        assert_true(pp_batch_from_otlp(&source, &batch, NULL));
        snprintf(rest, sizeof(rest), "compression: %s\n", codings[i].compression);
        start(f, rest);
        assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
        assert_true(pp_str_eq(http_test_server_body(f->server), pp_bytes_str(source.packed)));
        stop(f);
        pp_bytes_unref(source.packed);
    }
    pp_bytes_unref(wire);
    pp_batch_unref(built);
}

/* Framed snappy that came under the name of the block format is not handed on under that name. */
static void test_framed_snappy_is_not_block_snappy(void **state)
{
    struct fixture *f = *state;
    struct pp_batch *built = pp_test_batch(&shape, 3), *batch;
    struct pp_batch_source source = {.wire = encoded(built), .packed_encoding = PP_ENCODING_SNAPPY};

    assert_true(pp_compress(PP_ENCODING_SNAPPY_FRAMED, -1, pp_bytes_str(source.wire),
                            &source.packed, NULL));
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    start(f, "compression: snappy\n");
    assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
    assert_memory_not_equal(http_test_server_body(f->server).p, "\xff\x06\0\0sNaPpY", 10);
    pp_bytes_unref(source.wire);
    pp_bytes_unref(source.packed);
    pp_batch_unref(built);
}

/* JSON reads back as the batch that was sent, and never is the protobuf that came in. */
static void test_json(void **state)
{
    struct fixture *f = *state;
    struct pp_batch *built = pp_test_batch(&shape, 4), *batch, *got;
    struct pp_batch_source source = {.wire = encoded(built), .packed_encoding = PP_ENCODING_GZIP};
    struct pp_bytes *text, *again;

    assert_true(pp_compress(PP_ENCODING_GZIP, -1, pp_bytes_str(source.wire), &source.packed, NULL));
    assert_true(pp_batch_from_otlp(&source, &batch, NULL));
    start(f, "encoding: json\n");
    assert_int_equal(exporter_send(&f->driver, batch)->outcome, PP_ACCEPTED);
    assert_non_null(
        strcasestr(http_test_server_head(f->server), "\r\nContent-Type: application/json\r\n"));
    assert_encoding(f, "gzip");
    assert_true(
        pp_decompress(PP_ENCODING_GZIP, http_test_server_body(f->server), 64 << 20, &text, NULL));
    assert_true(pp_batch_from_json(pp_bytes_str(text), NULL, &got, NULL));
    again = encoded(got);
    assert_true(pp_str_eq(pp_bytes_str(again), pp_bytes_str(source.wire)));
    pp_bytes_unref(again);
    pp_bytes_unref(text);
    pp_bytes_unref(source.wire);
    pp_bytes_unref(source.packed);
    pp_batch_unref(got);
    pp_batch_unref(built);
}

static void test_answers(void **state)
{
    static const struct {
        const char *status, *type;
        struct pp_str body;
        enum pp_outcome outcome;
        int64_t retry_after_ms;
        const char *message;
    } rows[] = {
        {"200 OK", "application/x-protobuf", PP_STR("\x0a\x00"), PP_ACCEPTED, -1, ""},
        {"200 OK", "application/x-protobuf", PP_STR("\x0a\x06\x08\x05\x12\x02no"), PP_ACCEPTED, -1,
         ""},
        {"200 OK", "application/json", PP_STR("{\"partialSuccess\":{\"rejectedProfiles\":\"3\"}}"),
         PP_ACCEPTED, -1, ""},
        {"202 Yes", "text/html", PP_STR("<html>"), PP_ACCEPTED, -1, ""},
        {"200 OK", "application/x-protobuf", PP_STR("<html>"), PP_PERMANENT, -1,
         "not an ExportProfilesServiceResponse"},
        {"200 OK", "application/json", PP_STR("<html>"), PP_PERMANENT, -1,
         "not an ExportProfilesServiceResponse"},
        {"400 Bad", "application/x-protobuf",
         PP_STR("\x08\x03\x12\x06"
                "broken"),
         PP_PERMANENT, -1, "HTTP 400: broken"},
        {"400 Bad", "application/json", PP_STR("{\"message\":\"malformed\"}"), PP_PERMANENT, -1,
         "HTTP 400: malformed"},
        {"500 Oops", "text/plain", PP_STR("\r\noh\r\n"), PP_PERMANENT, -1, "HTTP 500: oh"},
        {"413 Large", "text/plain", PP_STR(""), PP_PERMANENT, -1, "HTTP 413"},
        {"503 Later\r\nRetry-After: 4", "text/plain", PP_STR(""), PP_RETRY, 4000, "HTTP 503"},
        {"429 Slow\r\nRetry-After: 5", "text/plain", PP_STR(""), PP_RETRY, 5000, "HTTP 429"},
        {"502 Bad\r\nRetry-After: 6", "text/plain", PP_STR(""), PP_RETRY, -1, "HTTP 502"},
        {"308 There\r\nLocation: http://127.0.0.1:1/", "text/plain", PP_STR(""), PP_PERMANENT, -1,
         "HTTP 308: http://127.0.0.1:1/"},
    };
    struct pp_label label = {"exporter", "otlp_http"};
    struct fixture *f = *state;

    start(f, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct pp_result *result;
        struct pp_buf answer;

        pp_buf_init(&answer, 4096);
        pp_buf_printf(&answer, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                      rows[i].status, rows[i].type, rows[i].body.n);
        assert_true(pp_buf_add_str(&answer, rows[i].body));
        http_test_server_answer(f->server, pp_buf_str(&answer), 0);
        result = exporter_send(&f->driver, pp_test_batch(&shape, i));
        if (result->outcome != rows[i].outcome ||
            result->retry_after_ms != rows[i].retry_after_ms ||
            !strstr(result->message, rows[i].message)) {
            fail_msg("row %zu: %d %ld %s", i, result->outcome, (long)result->retry_after_ms,
                     result->message);
        }
        if (result->outcome != PP_ACCEPTED) {
            assert_memory_equal(result->message, "http://127.0.0.1:", 17);
        }
        http_test_server_answer(f->server, OK, 0);
        pp_buf_done(&answer);
    }
    assert_int_equal(
        pp_telemetry_value(exporter_telemetry(), "profpipe_exporter_rejected_profiles", &label, 1),
        8);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    const struct pp_result *result;

    exporter_open(&f->driver, &pp_otlp_http_exporter_factory,
                  "profiles_endpoint: http://127.0.0.1:1/x?token=secret\n" DIRECT);
    result = exporter_send(&f->driver, pp_test_batch(&shape, 1));
    assert_int_equal(result->outcome, PP_RETRY);
    assert_int_equal(result->status, PP_STATUS_NONE);
    assert_null(strstr(result->message, "secret"));
}

static void test_validation(void **state)
{
    static const struct {
        const char *yaml, *problem; /* NULL: none */
    } rows[] = {
        {"endpoint: http://a:1", NULL},
        {"endpoint: https://a/b/\nencoding: json\ncompression: zstd\ncompression_params: {level: "
         "3}",
         NULL},
        {"profiles_endpoint: http://a", NULL},
        {"compression: gzip", "either endpoint or profiles_endpoint must be given"},
        {"endpoint: a:1", "http://"},
        {"endpoint: http://a:99999", "not a URL"},
        {"endpoint: http://a\ncompression: brotli", "compression"},
        {"endpoint: http://a\nheaders: {a b: c}", "\"a b\" is not a legal name"},
        {"endpoint: https://a\ntls: {cipher_suites: [NOPE]}", "NOPE"},
        {"endpoint: https://a\ntls: {curve_preferences: [P256], cipher_suites: "
         "[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}",
         NULL},
        {"endpoint: http://a\nencodign: json", "encoding"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *problems = exporter_problems(&pp_otlp_http_exporter_factory, rows[i].yaml);

        if (rows[i].problem ? !strstr(problems, rows[i].problem) : problems[0] != '\0') {
            fail_msg("%s\n=> %s", rows[i].yaml, problems);
        }
        pp_free(problems);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    exporter_sweep_allocations(
        &pp_otlp_http_exporter_factory,
        "endpoint: https://127.0.0.1:1\nheaders: {a: b}\ntls: {server_name_override: c}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compressions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_framed_snappy_is_not_block_snappy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
