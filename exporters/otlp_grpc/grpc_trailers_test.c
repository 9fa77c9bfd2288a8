#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grpc_trailers.h"

static void see(struct pp_grpc_trailers *trailers, const char *name, const char *value)
{
    pp_grpc_trailers_see(trailers, pp_str_c(name), pp_str_c(value));
}

static void test_status(void **state)
{
    struct pp_grpc_trailers trailers;

    (void)state;
    pp_grpc_trailers_init(&trailers);
    see(&trailers, "content-type", "application/grpc");
    assert_false(trailers.has_status);
    see(&trailers, "grpc-status", "8");
    see(&trailers, "Grpc-Message", "50%25 full%0A%zz%e2%82%ac%");
    assert_true(trailers.has_status);
    assert_int_equal(trailers.status, 8);
    assert_string_equal(trailers.message, "50% full?%zz\xe2\x82\xac%");
    assert_int_equal(trailers.retry_delay_ms, -1);
    see(&trailers, "grpc-status", "99");
    assert_int_equal(trailers.status, PP_STATUS_UNKNOWN);
    see(&trailers, "grpc-status", "-1");
    assert_int_equal(trailers.status, PP_STATUS_UNKNOWN);
}

static void test_details(void **state)
{
    /* google.rpc.Status{details: [RetryInfo{retry_delay: 2 s}]} */
    static const char coded[] =
        "GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAI";
    struct pp_grpc_trailers trailers;

    (void)state;
    pp_grpc_trailers_init(&trailers);
    see(&trailers, "grpc-status-details-bin", "!!!");
    assert_int_equal(trailers.retry_delay_ms, -1);
    see(&trailers, "grpc-status-details-bin", coded);
    assert_int_equal(trailers.retry_delay_ms, 2000);
    pp_grpc_trailers_init(&trailers);
    pp_grpc_trailers_see(
        &trailers, PP_STR("grpc-status-details-bin"),
        PP_STR("GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAI="));
    assert_int_equal(trailers.retry_delay_ms, 2000);
}

static void test_encoding(void **state)
{
    struct pp_grpc_trailers trailers;

    (void)state;
    pp_grpc_trailers_init(&trailers);
    assert_true(trailers.encoding_known && trailers.encoding == PP_ENCODING_IDENTITY);
    see(&trailers, "grpc-encoding", "zstd");
    assert_true(trailers.encoding_known && trailers.encoding == PP_ENCODING_ZSTD);
    see(&trailers, "grpc-encoding", "brotli");
    assert_false(trailers.encoding_known);
}

static void test_http(void **state)
{
    (void)state;
    assert_int_equal(pp_grpc_status_of_http(404), PP_STATUS_UNIMPLEMENTED);
    assert_int_equal(pp_grpc_status_of_http(503), PP_STATUS_UNAVAILABLE);
    assert_int_equal(pp_grpc_status_of_http(200), PP_STATUS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
