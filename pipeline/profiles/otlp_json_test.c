#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profiles/otlp_json.h"
#include "profiles/testing/batch_testing.h"
#include "proto/otlp/testing/wire_text.h"

#define JSON_BYTES_MAX (64u << 20)

static const struct pp_encode_options inline_keys = {0};
static const struct pp_test_shape rich = {
    .resources = 2, .scopes = 2, .profiles = 2, .samples = 20, .functions = 40, .stacks = 30, .depth = 20, .rich = true};

static char *to_json(struct pp_batch *batch)
{
    struct pp_error err = {0};
    struct pp_buf out;

    pp_buf_init(&out, JSON_BYTES_MAX);
    if (!pp_batch_to_json(batch, &out, &err))
        fail_msg("%s", err.message);
    pp_buf_add_byte(&out, '\0');
    return out.data;
}

static struct pp_batch *from_json(const char *json)
{
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};

    if (!pp_batch_from_json(pp_str_c(json), NULL, &batch, &err))
        fail_msg("%s", err.message);
    return batch;
}

static struct pp_batch *from_text(const char *text)
{
    struct pp_batch_source source = {0};
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};
    struct pp_buf buf;

    pp_wire_text(&buf, text);
    source.wire = pp_bytes_take(&buf);
    if (!pp_batch_from_otlp(&source, &batch, &err))
        fail_msg("%s", err.message);
    pp_bytes_unref(source.wire);
    return batch;
}

static struct pp_bytes *encode(struct pp_batch *batch)
{
    struct pp_bytes *bytes = NULL;

    assert_true(pp_batch_encode(batch, &inline_keys, &bytes, NULL));
    return bytes;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct pp_batch *batch = pp_test_batch(&rich, seed), *back;
        struct pp_bytes *want = encode(batch), *got;
        char *json = to_json(batch);

        back = from_json(json);
        got = encode(back);
        assert_int_equal(got->len, want->len);
        assert_memory_equal(got->data, want->data, want->len);
        free(json);
        pp_bytes_unref(want);
        pp_bytes_unref(got);
        pp_batch_unref(batch);
        pp_batch_unref(back);
    }
}

/* One message with every field, and its text by the Collector's rules. */
static const char all_wire[] =
    "1{1{1{1\"service.name\" 2{1\"shop\"}} 1{1\"n\" 2{3:-5}} 1{1\"b\" 2{2:1}} 1{1\"d\" 2{4:@4611686018427387904}} 1{1\"y\" 2{7\"\x01\xff\"}}"
    " 1{1\"l\" 2{5{1{1\"\"} 1{6{1{1\"k\" 2{2:0}}}}}}} 1{1\"e\" 2{}} 2:3} 2{1{1\"sc\" 2\"v\"} 2{1{1:1} 2{1:1 2[1] 3:1 4[-7] 5[0 0 0 0 0 0 0 0]} 2{5:@9}"
    " 3:@1700000000000000000 4:10 5{} 6:-1 7\"0123456789abcdef\" 8:2 9\"pprof\" 10\"abc\" 11[1]} 3\"u\"} 3\"url\"}"
    " 2{1{} 1{1:1 2:-1 3:7 4:1 5[1]} 2{} 2{1:1 2:5 3{1:1 2:10 3:2} 4[1]} 3{} 3{1:1 2:1 3:1 4:-4} 4{} 4{1\"0123456789abcdef\" 2\"01234567\"}"
    " 5\"\" 5\"q\" 6{} 6{1:1 2{3:0} 3:1} 7{} 7{1[1 0]}}";
static const char all_json[] =
    "{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
    "{\"key\":\"n\",\"value\":{\"intValue\":\"-5\"}},{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"d\",\"value\":{\"doubleValue\":2}},"
    "{\"key\":\"y\",\"value\":{\"bytesValue\":\"Af8=\"}},{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"\"},"
    "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"boolValue\":false}}]}}]}}},{\"key\":\"e\",\"value\":{}}],\"droppedAttributesCount\":3},"
    "\"scopeProfiles\":[{\"scope\":{\"name\":\"sc\",\"version\":\"v\"},\"profiles\":[{\"sampleType\":{\"typeStrindex\":1},\"samples\":["
    "{\"stackIndex\":1,\"attributeIndices\":[1],\"linkIndex\":1,\"values\":[\"-7\"],\"timestampsUnixNano\":[\"0\"]},{\"timestampsUnixNano\":[\"9\"]}],"
    "\"timeUnixNano\":\"1700000000000000000\",\"durationNano\":\"10\",\"periodType\":{},\"period\":\"-1\","
    "\"profileId\":\"30313233343536373839616263646566\",\"droppedAttributesCount\":2,\"originalPayloadFormat\":\"pprof\",\"originalPayload\":\"YWJj\","
    "\"attributeIndices\":[1]}],\"schemaUrl\":\"u\"}],\"schemaUrl\":\"url\"}],"
    "\"dictionary\":{\"mappingTable\":[{},{\"memoryStart\":\"1\",\"memoryLimit\":\"18446744073709551615\",\"fileOffset\":\"7\",\"filenameStrindex\":1,"
    "\"attributeIndices\":[1]}],\"locationTable\":[{},{\"mappingIndex\":1,\"address\":\"5\",\"lines\":[{\"functionIndex\":1,\"line\":\"10\",\"column\":\"2\"}],"
    "\"attributeIndices\":[1]}],\"functionTable\":[{},{\"nameStrindex\":1,\"systemNameStrindex\":1,\"filenameStrindex\":1,\"startLine\":\"-4\"}],"
    "\"linkTable\":[{},{\"traceId\":\"30313233343536373839616263646566\",\"spanId\":\"3031323334353637\"}],\"stringTable\":[\"\",\"q\"],"
    "\"attributeTable\":[{\"value\":{}},{\"keyStrindex\":1,\"value\":{\"intValue\":\"0\"},\"unitStrindex\":1}],"
    "\"stackTable\":[{},{\"locationIndices\":[1,0]}]}}";

static void test_text(void **state)
{
    struct pp_batch *batch = from_text(all_wire), *back;
    struct pp_bytes *want, *got;
    char *json = to_json(batch);

    (void)state;
    assert_string_equal(json, all_json);
    back = from_json(json);
    got = encode(back);
    free(json);
    json = to_json(back);
    assert_string_equal(json, all_json);
    want = encode(back);
    assert_ptr_equal(want, got);
    pp_bytes_unref(want);
    pp_bytes_unref(got);
    free(json);
    pp_batch_unref(batch);
    pp_batch_unref(back);
    batch = from_text("");
    json = to_json(batch);
    assert_string_equal(json, "{\"dictionary\":{}}");
    free(json);
    pp_batch_unref(batch);
}

/* Legal protobuf in an order that no encoder writes: pieces of a message and unpacked numbers far apart. */
static void test_scattered(void **state)
{
    struct pp_batch *batch = from_text("1{2{2{2{4[1] 1:0} 6:5 1{} 2{4[2]} 6:7}} 1{2:1} 3\"u\" 1{1{1\"k\" 2{}}}}");
    char *json = to_json(batch);

    (void)state;
    assert_string_equal(json, "{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{}}],\"droppedAttributesCount\":1},"
                              "\"scopeProfiles\":[{\"scope\":{},\"profiles\":[{\"sampleType\":{},\"samples\":[{\"values\":[\"1\"]},{\"values\":[\"2\"]}],"
                              "\"periodType\":{},\"period\":\"7\"}]}],\"schemaUrl\":\"u\"}],\"dictionary\":{}}");
    free(json);
    pp_batch_unref(batch);
}

#define SAMPLE(fields) "{\"resourceProfiles\":[{\"scopeProfiles\":[{\"profiles\":[{" fields "}]}]}]}"

static const struct {
    const char *json, *same_as; /* NULL: must be refused */
    const char *error;          /* part of it */
} readings[] = {
    {" { } \n", "{\"dictionary\":{}}", NULL},
    {"{\"unknown\":[{\"a\":null},1e5,\"x\",true],\"resourceProfiles\":null}", "{\"dictionary\":{}}", NULL},
    {"{\"resource_profiles\":[{\"schema_url\":\"a\\u00e9\\ud83d\\ude00\\n\\/\"}]}",
     "{\"resourceProfiles\":[{\"resource\":{},\"schemaUrl\":\"a\xC3\xA9\xF0\x9F\x98\x80\\n/\"}],\"dictionary\":{}}", NULL},
    {SAMPLE("\"period\":\"12\",\"durationNano\":1.5e1"), SAMPLE("\"period\":12,\"durationNano\":15"), NULL},
    {SAMPLE("\"profileId\":\"MDEyMzQ1Njc4OWFiY2RlZg==\""), SAMPLE("\"profileId\":\"30313233343536373839616263646566\""), NULL},
    {SAMPLE("\"profileId\":\"303132333435363738394142434445AB\""), SAMPLE("\"profileId\":\"303132333435363738394142434445ab\""), NULL},
    {SAMPLE("\"originalPayload\":\"_-8\""), SAMPLE("\"originalPayload\":\"/+8=\""), NULL},
    {SAMPLE("\"samples\":[]"), SAMPLE(""), NULL},
    {"", NULL, "an object expected"},
    {"{} x", NULL, "something behind the message"},
    {"{\"a\":1,}", NULL, "a string expected"},
    {"{\"a\" 1}", NULL, "':' expected"},
    {"{\"a\":01}", NULL, "a number expected"},
    {"{\"a\":1.}", NULL, "a number expected"},
    {"{\"a\":[1 2]}", NULL, "',' or ']' expected"},
    {"{\"a\":\"\\x\"}", NULL, "unknown escape"},
    {"{\"a\":\"\\ud800\"}", NULL, "surrogate"},
    {"{\"a\":\"\\udc00\"}", NULL, "surrogate"},
    {"{\"a\":\"\\u12g4\"}", NULL, "hexadecimal"},
    {"{\"a\":\"b", NULL, "string without end"},
    {"{\"a\":\"\n\"}", NULL, "control character"},
    {"{\"resourceProfiles\":{}}", NULL, "an array expected"},
    {"{\"resourceProfiles\":[{\"schemaUrl\":\"\xff\"}]}", NULL, "resource_profiles[0].schema_url: not UTF-8"},
    {SAMPLE("\"period\":\"x\""), NULL, "not an integer"},
    {SAMPLE("\"period\":1.5"), NULL, "not an integer"},
    {SAMPLE("\"period\":\"9223372036854775808\""), NULL, "out of range"},
    {SAMPLE("\"durationNano\":-1"), NULL, "out of range"},
    {SAMPLE("\"attributeIndices\":[2147483648]"), NULL, "out of range"},
    {SAMPLE("\"profileId\":\"zz\""), NULL, "hexadecimal"},
    {SAMPLE("\"originalPayload\":\"a\""), NULL, "base64"},
    {SAMPLE("\"originalPayload\":\"a=b=\""), NULL, "base64"},
    {SAMPLE("\"samples\":[{\"values\":[1],\"stackIndex\":1}]"), NULL, "samples[0].stack_index: 1 is not below 1"},
};

static void test_readings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
        struct pp_batch *batch = NULL, *same;
        struct pp_error err = {0};
        bool ok = pp_batch_from_json(pp_str_c(readings[i].json), NULL, &batch, &err);
        char *a, *b;

        if (ok != !readings[i].error || (!ok && !strstr(err.message, readings[i].error)))
            fail_msg("%s: %s", readings[i].json, ok ? "accepted" : err.message);
        if (!ok)
            continue;
        same = from_json(readings[i].same_as);
        a = to_json(batch);
        b = to_json(same);
        assert_string_equal(a, b);
        free(a);
        free(b);
        pp_batch_unref(batch);
        pp_batch_unref(same);
    }
}

/* Doubles come back as they went. */
static void test_doubles(void **state)
{
    static const char *const texts[] = {"0", "-0", "0.1", "1e+100", "-1.7976931348623157e+308", "4.94065645841247e-324", "0.30000000000000004", "123456789012345.6",
                                        "\"NaN\"", "\"-Infinity\""};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pp_batch *batch;
        char want[256], *got;

        snprintf(want, sizeof(want), "{\"resourceProfiles\":[{\"resource\":{\"attributes\":[{\"key\":\"d\",\"value\":{\"doubleValue\":%s}}]}}],"
                                     "\"dictionary\":{}}", texts[i]);
        batch = from_json(want);
        got = to_json(batch);
        assert_string_equal(got, want);
        free(got);
        pp_batch_unref(batch);
    }
}

static void test_limits(void **state)
{
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};
    struct pp_buf json;

    (void)state;
    pp_buf_init(&json, 1u << 20);
    pp_buf_add_c(&json, "{\"x\":");
    for (int i = 0; i < 100000; i++)
        pp_buf_add_byte(&json, '[');
    assert_false(pp_batch_from_json(pp_buf_str(&json), NULL, &batch, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_reset(&json);
    pp_buf_add_c(&json, "{\"x\":");
    for (int i = 0; i < 1000; i++)
        pp_buf_add_byte(&json, '1');
    pp_buf_add_c(&json, "}");
    assert_false(pp_batch_from_json(pp_buf_str(&json), NULL, &batch, &err));
    pp_buf_done(&json);
    batch = pp_test_batch(&rich, 1);
    pp_buf_init(&json, 1000);
    assert_false(pp_batch_to_json(batch, &json, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_done(&json);
    pp_batch_unref(batch);
}

/* Every cut of a message is refused without a read behind its end. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(all_json) - 1; n++) {
        struct pp_batch *batch = NULL;
        char *copy = malloc(n ? n : 1);

        memcpy(copy, all_json, n);
        assert_false(pp_batch_from_json((struct pp_str){copy, n}, NULL, &batch, NULL));
        free(copy);
    }
}

#ifdef PP_ALLOC_FAULTS
static void test_allocation_failures(void **state)
{
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};
    size_t n;

    (void)state;
    for (n = 1;; n++) {
        bool ok;

        pp_alloc_fail_at(n);
        ok = pp_batch_from_json(PP_STR(all_json), NULL, &batch, &err);
        pp_alloc_fail_at(0);
        if (ok)
            break;
        assert_int_equal(err.kind, PP_ERR_NOMEM);
    }
    assert_true(n > 5);
    pp_batch_unref(batch);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_text),   cmocka_unit_test(test_scattered),
        cmocka_unit_test(test_readings),   cmocka_unit_test(test_doubles), cmocka_unit_test(test_limits), cmocka_unit_test(test_cut),
#ifdef PP_ALLOC_FAULTS
        cmocka_unit_test(test_allocation_failures),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
