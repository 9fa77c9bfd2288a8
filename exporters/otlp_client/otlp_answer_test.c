#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "otlp_client/answer_json.h"
#include "otlp_client/otlp_answer.h"

static void test_response_protobuf(void **state)
{
    struct pp_otlp_answer answer;

    (void)state;
    assert_true(pp_otlp_answer_parse(PP_STR(""), &answer));
    assert_false(pp_otlp_answer_is_partial(&answer));
    assert_true(pp_otlp_answer_parse(PP_STR("\x0a\x00"), &answer)); /* what the Collector sends */
    assert_false(pp_otlp_answer_is_partial(&answer));
    assert_true(pp_otlp_answer_parse(PP_STR("\x0a\x07\x08\x05\x12\x03"
                                            "bad"),
                                     &answer));
    assert_int_equal(answer.rejected_profiles, 5);
    assert_string_equal(answer.error_message, "bad");
    /* unknown fields of every wire type are passed over */
    assert_true(pp_otlp_answer_parse(PP_STR("\x10\x01\x19"
                                            "12345678"
                                            "\x22\x01x\x2d"
                                            "1234\x0a\x02\x08\x01"),
                                     &answer));
    assert_int_equal(answer.rejected_profiles, 1);
}

static void test_response_protobuf_malformed(void **state)
{
    static const struct pp_str bad[] = {
        PP_STR("<html>nope</html>"),
        PP_STR("\x0a"),
        PP_STR("\x0a\x05\x08"),
        PP_STR("\x0a\x02\x08\x80"),
        PP_STR("\x08\x01"),
        PP_STR("\x00\x01"),
        PP_STR("\x0b"),
        PP_STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    };
    struct pp_otlp_answer answer = {.rejected_profiles = 77};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(pp_otlp_answer_parse(bad[i], &answer));
    }
    assert_int_equal(answer.rejected_profiles, 77); /* untouched */
}

static void test_response_json(void **state)
{
    static const char *const empty[] = {"{}", "{\"partialSuccess\":{}}",
                                        " { \"partialSuccess\" : null } ",
                                        "{\"x\":[1,{\"y\":\"]\\\"\"},true,null,-1.5e3],\"z\":{}}"};
    struct pp_otlp_answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        assert_true(pp_otlp_answer_parse_json(pp_str_c(empty[i]), &answer));
        assert_false(pp_otlp_answer_is_partial(&answer));
    }
    assert_true(
        pp_otlp_answer_parse_json(PP_STR("{\"partialSuccess\":{\"rejectedProfiles\":\"12\","
                                         "\"errorMessage\":\"a\\n\\u00e9\\ud83d\\ude00\\\"\"}}"),
                                  &answer));
    assert_int_equal(answer.rejected_profiles, 12);
    assert_string_equal(answer.error_message, "a?\xc3\xa9\xf0\x9f\x98\x80\"");
    assert_true(pp_otlp_answer_parse_json(
        PP_STR("{\"partial_success\":{\"rejected_profiles\":-3}}"), &answer));
    assert_int_equal(answer.rejected_profiles, -3);
}

static void test_response_json_malformed(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "nope",
        "{}x",
        "{\"partialSuccess\":3}",
        "{\"partialSuccess\":{\"rejectedProfiles\":\"1x\"}}",
        "{\"partialSuccess\":{\"rejectedProfiles\":99999999999999999999}}",
        "{\"partialSuccess\":{\"errorMessage\":\"\\ud800\"}}",
        "{\"partialSuccess\":{\"errorMessage\":\"\\x\"}}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\"",
    };
    struct pp_otlp_answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (pp_otlp_answer_parse_json(pp_str_c(bad[i]), &answer)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

/* Whatever prefix of an answer arrives, it is either understood or refused, without a read past its
 * end. */
static void test_json_every_prefix(void **state)
{
    static const char whole[] = "{\"partialSuccess\":{\"rejectedProfiles\":\"12\",\"errorMessage\":"
                                "\"a\\n\\u00e9\\\"\"},\"y\":[{}]}";
    struct pp_otlp_answer answer;

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char *copy = pp_str_dup((struct pp_str){whole, n});

        assert_false(pp_otlp_answer_parse_json((struct pp_str){copy, n}, &answer));
        pp_free(copy);
    }
    assert_true(pp_otlp_answer_parse_json(pp_str_c(whole), &answer));
}

static void test_json_too_deep(void **state)
{
    char deep[2 * PP_ANSWER_JSON_DEPTH_MAX + 16] = "{\"a\":";
    struct pp_otlp_answer answer;
    size_t n = strlen(deep);

    (void)state;
    memset(deep + n, '[', PP_ANSWER_JSON_DEPTH_MAX + 1);
    assert_false(pp_otlp_answer_parse_json((struct pp_str){deep, n + PP_ANSWER_JSON_DEPTH_MAX + 1},
                                           &answer));
}

#define RETRY_URL "type.googleapis.com/google.rpc.RetryInfo" /* 40 bytes */

static void test_status_retry_info(void **state)
{
    struct pp_rpc_status status;

    (void)state;
    assert_true(pp_rpc_status_parse(PP_STR("\x08\x08\x12\x04"
                                           "full\x1a\x33\x0a\x28" RETRY_URL
                                           "\x12\x07\x0a\x05\x08\x02\x10\x80\x78"),
                                    &status));
    assert_int_equal(status.code, 8);
    assert_string_equal(status.message, "full");
    assert_int_equal(status.retry_delay_ms, 2001); /* 2 s and 15,360 ns, rounded up */
    /* an empty RetryInfo is one all the same: try at once */
    assert_true(pp_rpc_status_parse(PP_STR("\x1a\x2a\x0a\x28" RETRY_URL), &status));
    assert_int_equal(status.retry_delay_ms, 0);
    /* other details do not count */
    assert_true(pp_rpc_status_parse(PP_STR("\x1a\x13\x0a\x11"
                                           "x/google.rpc.Help"),
                                    &status));
    assert_int_equal(status.retry_delay_ms, -1);
    /* ten years and a negative delay are brought into range */
    assert_true(pp_rpc_status_parse(
        PP_STR("\x1a\x34\x0a\x28" RETRY_URL "\x12\x08\x0a\x06\x08\x80\xbd\xc1\x96\x01"), &status));
    assert_int_equal(status.retry_delay_ms, 24 * 3600 * 1000);
    assert_true(
        pp_rpc_status_parse(PP_STR("\x1a\x39\x0a\x28" RETRY_URL
                                   "\x12\x0d\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                            &status));
    assert_int_equal(status.retry_delay_ms, 0);
    assert_false(pp_rpc_status_parse(PP_STR("\x1a\x40\x0a\x28" RETRY_URL), &status));
}

static void test_status_json(void **state)
{
    struct pp_rpc_status status;

    (void)state;
    assert_true(pp_rpc_status_parse_json(
        PP_STR("{\"code\":14,\"message\":\"later\",\"details\":[{\"@type\":\"x\"}]}"), &status));
    assert_int_equal(status.code, 14);
    assert_string_equal(status.message, "later");
    assert_false(pp_rpc_status_parse_json(PP_STR("later"), &status));
}

static void test_text(void **state)
{
    char out[PP_ANSWER_TEXT_MAX], in[2 * PP_ANSWER_TEXT_MAX];

    (void)state;
    pp_answer_text(out, PP_STR("a\r\nb\0c\x1b["));
    assert_string_equal(out, "a??b?c?[");
    pp_answer_text(out, PP_STR("a\xff"));
    assert_string_equal(out, "a?");
    memset(in, 'x', sizeof(in));
    memcpy(in + PP_ANSWER_TEXT_MAX - 2, "\xc3\xa9", 2); /* the cut would fall inside of it */
    pp_answer_text(out, (struct pp_str){in, sizeof(in)});
    assert_int_equal(strlen(out), PP_ANSWER_TEXT_MAX - 2);
}

/* The table of the OTLP specification: gRPC codes 0 to 17. */
static void test_grpc_table(void **state)
{
    static const char retryable[] = ".y..y...-.yy..yy..";

    (void)state;
    for (int code = 1; code < 17; code++) {
        struct pp_result plain, told;

        pp_result_from_grpc(code, -1, "m", &plain);
        pp_result_from_grpc(code, 1500, "m", &told);
        assert_int_equal(plain.status, code);
        assert_int_equal(plain.retry_after_ms, -1);
        assert_int_equal(plain.outcome, retryable[code] == 'y' ? PP_RETRY : PP_PERMANENT);
        assert_int_equal(told.outcome, retryable[code] == '.' ? PP_PERMANENT : PP_RETRY);
        assert_int_equal(told.retry_after_ms, retryable[code] == '.' ? -1 : 1500);
    }
}

static void test_grpc_unknown_code(void **state)
{
    struct pp_result result;

    (void)state;
    pp_result_from_grpc(99, 0, "m", &result);
    assert_int_equal(result.outcome, PP_PERMANENT);
    assert_int_equal(result.status, PP_STATUS_UNKNOWN);
}

static void test_http_table(void **state)
{
    static const struct {
        long http;
        enum pp_outcome outcome;
        enum pp_status_code status;
        int64_t after_ms;
    } rows[] = {
        {301, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
        {400, PP_PERMANENT, PP_STATUS_INVALID_ARGUMENT, -1},
        {401, PP_PERMANENT, PP_STATUS_UNAUTHENTICATED, -1},
        {403, PP_PERMANENT, PP_STATUS_PERMISSION_DENIED, -1},
        {404, PP_PERMANENT, PP_STATUS_UNIMPLEMENTED, -1},
        {408, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
        {413, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
        {429, PP_RETRY, PP_STATUS_RESOURCE_EXHAUSTED, 3000},
        {500, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
        {501, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
        {502, PP_RETRY, PP_STATUS_UNAVAILABLE, -1},
        {503, PP_RETRY, PP_STATUS_UNAVAILABLE, 3000},
        {504, PP_RETRY, PP_STATUS_UNAVAILABLE, -1},
        {599, PP_PERMANENT, PP_STATUS_UNKNOWN, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pp_result result;

        pp_result_from_http(rows[i].http, 3000, "m", &result);
        assert_int_equal(result.outcome, rows[i].outcome);
        assert_int_equal(result.status, rows[i].status);
        assert_int_equal(result.retry_after_ms, rows[i].after_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_protobuf),
        cmocka_unit_test(test_response_protobuf_malformed),
        cmocka_unit_test(test_response_json),
        cmocka_unit_test(test_response_json_malformed),
        cmocka_unit_test(test_json_every_prefix),
        cmocka_unit_test(test_json_too_deep),
        cmocka_unit_test(test_status_retry_info),
        cmocka_unit_test(test_status_json),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_grpc_table),
        cmocka_unit_test(test_grpc_unknown_code),
        cmocka_unit_test(test_http_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
