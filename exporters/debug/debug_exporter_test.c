#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "debug_text.h"
#include "profiles/any_value.h"
#include "profiles/builder.h"

static struct pp_batch *make_batch(void)
{
    struct pp_builder *b = pp_builder_new(NULL);
    struct pp_key_value resource = {.key = PP_STR("service.name")};
    struct pp_profile profile = {.time_unix_nano = 1581452772000000321, .duration_nano = 1500000000, .period = 10000000, .profile_id = {1, 2, 3}};
    struct pp_function function = {0};
    struct pp_mapping mapping = {.memory_start = 0x1000, .memory_limit = 0x2000};
    struct pp_location location = {0};
    struct pp_line lines[2];
    int32_t stack[2], attr, profile_attr;
    int64_t values[] = {4, 9};
    uint64_t times[] = {1581452772000000400, 1581452773000000000};
    struct pp_link link = {{0xAB}, {0xCD}};
    struct pp_batch *batch;
    struct pp_error err;

    assert_true(pp_any_value_from_string(pp_builder_arena(b), PP_STR("shop\nhostile"), &resource.value));
    pp_builder_add_resource(b, &(struct pp_builder_resource){.attributes = &resource, .attributes_n = 1, .schema_url = PP_STR("https://s")});
    pp_builder_add_scope(b, &(struct pp_builder_scope){.name = PP_STR("lib"), .version = PP_STR("v2")});
    profile.sample_type = (struct pp_value_type){pp_builder_string(b, PP_STR("cpu")), pp_builder_string(b, PP_STR("nanoseconds"))};
    profile_attr = pp_builder_attribute_bool(b, PP_STR("flag"), true);
    pp_builder_add_profile(b, &profile, &profile_attr, 1);
    function.name = pp_builder_string(b, PP_STR("outer"));
    function.filename = pp_builder_string(b, PP_STR("a.c"));
    lines[1] = (struct pp_line){pp_builder_function(b, &function), 20, 0};
    function.name = pp_builder_string(b, PP_STR("inlined"));
    lines[0] = (struct pp_line){pp_builder_function(b, &function), 10, 0};
    mapping.filename = pp_builder_string(b, PP_STR("/lib/x.so"));
    location.mapping = pp_builder_mapping(b, &mapping, NULL, 0);
    location.address = 0x1010;
    stack[0] = pp_builder_location(b, &location, NULL, 0, NULL, 0);
    location.address = 0x1020;
    stack[1] = pp_builder_location(b, &location, lines, 2, NULL, 0);
    attr = pp_builder_attribute_int(b, PP_STR("size"), 64, PP_STR("By"));
    pp_builder_add_sample(b, &(struct pp_builder_sample){.stack = pp_builder_stack(b, stack, 2), .link = pp_builder_link(b, &link), .attrs = &attr, .attrs_n = 1,
                                                         .values = values, .values_n = 2, .timestamps = times, .timestamps_n = 2});
    if (!pp_builder_finish(b, &batch, &err))
        fail_msg("%s", err.message);
    pp_builder_free(b);
    return batch;
}

static void check(bool (*print)(const struct pp_tables *, struct pp_buf *), const char *want)
{
    struct pp_batch *batch = make_batch();
    struct pp_buf buf;
    struct pp_error err;

    pp_buf_init(&buf, 1 << 16);
    assert_true(print(pp_batch_tables(batch, &err), &buf));
    pp_buf_add_byte(&buf, '\0');
    assert_string_equal(buf.data, want);
    pp_buf_done(&buf);
    pp_buf_init(&buf, 40);
    assert_false(print(pp_batch_tables(batch, &err), &buf));
    pp_buf_done(&buf);
    pp_batch_unref(batch);
}

static void test_normal(void **state)
{
    (void)state;
    check(pp_debug_text_normal, "ResourceProfiles #0 [https://s] service.name=shop hostile\n"
                                "ScopeProfiles #0 lib@v2\n"
                                "01020300000000000000000000000000 samples=1 flag=true\n");
}

static void test_detailed(void **state)
{
    (void)state;
    check(pp_debug_text_detailed, "Mapping #1\n"
                                  "    Memory start: 0x1000\n"
                                  "    Memory limit: 0x2000\n"
                                  "    File offset: 0x0\n"
                                  "    File name: /lib/x.so\n"
                                  "ResourceProfiles #0\n"
                                  "Resource SchemaURL: https://s\n"
                                  "Resource attributes:\n"
                                  "     -> service.name: Str(shop hostile)\n"
                                  "ScopeProfiles #0\n"
                                  "ScopeProfiles SchemaURL: \n"
                                  "InstrumentationScope lib v2\n"
                                  "Profile #0\n"
                                  "    Profile ID     : 01020300000000000000000000000000\n"
                                  "    Sample type    : cpu/nanoseconds\n"
                                  "    Start time     : 2020-02-11 20:26:12.000000321 +0000 UTC\n"
                                  "    Duration       : 1.500000000s\n"
                                  "    Period type    : /\n"
                                  "    Period         : 10000000\n"
                                  "    Dropped attributes count: 0\n"
                                  "    Attributes:\n"
                                  "         -> flag: Bool(true)\n"
                                  "    Sample #0\n"
                                  "        Values: [4 9]\n"
                                  "        Timestamps:\n"
                                  "            2020-02-11 20:26:12.000000400 +0000 UTC\n"
                                  "            2020-02-11 20:26:13.000000000 +0000 UTC\n"
                                  "        Trace ID: ab000000000000000000000000000000\n"
                                  "        Span ID: cd00000000000000\n"
                                  "        Attributes:\n"
                                  "             -> size: Int(64) By\n"
                                  "        Stack:\n"
                                  "            x.so+0x10\n"
                                  "            inlined a.c:10 (inlined)\n"
                                  "            outer a.c:20\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_normal), cmocka_unit_test(test_detailed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
