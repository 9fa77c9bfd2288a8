#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/otlp/otlp_check.h"
#include "proto/otlp/testing/wire_text.h"
#include "proto/wire_out.h"

/* A dictionary with two entries in every table, and one sample of each shape. */
#define DICTIONARY                                                                                 \
    "2{1{} 1{1:4096 2:8192 4:3 5[1]} 2{} 2{1:1 2:4100 3{1:1 2:12}} 3{} 3{1:1} 4{} 5\"\" 5\"main\" 5\"cpu\" 5\"a.so\"" \
    " 6{} 6{1:2 2{1\"v\"}} 6{1:2 2{3:7}} 7{} 7{1[1 1]}}"
#define DATA(samples) "1{1{1{1\"service.name\" 2{1\"x\"}}} 2{2{1{1:2} " samples " 7\"0123456789abcdef\"}}}"
#define SAMPLES "2{1:1 2[1] 3:0 4[5]} 2{1:1 5[0 0 0 0 0 0 0 0]} 2{1:1 4[5 6] 5:@7 5:@8}"

static const struct {
    const char *message, *error; /* NULL: valid */
} cases[] = {
    {"", NULL},
    {"1{}", NULL},
    {"1{1{1{1\"a\"}} 2{}}", NULL},
    {DATA(SAMPLES) DICTIONARY, NULL},
    {DICTIONARY DATA(SAMPLES), NULL},
    {DATA("2{4[1]}"), "resource_profiles[0].scope_profiles[0].profiles[0].sample_type.type_strindex: 2 is not below 1"},
    {DATA("2{1:2 4[1]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].stack_index: 2 is not below 2"},
    {DATA("2{1:-1 4[1]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].stack_index: -1 is negative"},
    {DATA("2{1:1 3:1 4[1]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].link_index: 1 is not below 1"},
    {DATA("2{1:1 2[3] 4[1]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].attribute_indices: 3 is not below 3"},
    {DATA("2{1:1 2[1 2] 4[1]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].attribute_indices: two attributes have the same key"},
    {DATA("2{1:1 4[1 2]}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].values: 2 without timestamps"},
    {DATA("2{1:1 4[1 2] 5:@1}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].values: 2 for 1 timestamps"},
    {DATA("2{1:1}") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].samples[0].values: none, and no timestamps either"},
    {DATA("7\"short\"") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].profile_id: 5 bytes, not 16"},
    {DATA("11[1 2]") DICTIONARY, "resource_profiles[0].scope_profiles[0].profiles[0].attribute_indices: two attributes have the same key"},
    {"2{5\"x\"}", "dictionary.string_table[0]: not empty"},
    {"2{5\"\" 5\"\xff\"}", "dictionary.string_table[1]: not UTF-8"},
    {"2{3{1:1} 5\"\" 5\"f\"}", "dictionary.function_table[0]: not the zero value"},
    {"2{3{} 3{1:1} 5\"\"}", "dictionary.function_table[1].name_strindex: 1 is not below 1"},
    {"2{7{} 7{1[0 4]} 2{}}", "dictionary.stack_table[1].location_indices[1]: 4 is not below 1"},
    {"2{2{} 2{3{} 3{1:9}} 3{}}", "dictionary.location_table[1].lines[1].function_index: 9 is not below 1"},
    {"2{4{} 4{1\"0123456789abcde\"}}", "dictionary.link_table[1].trace_id: 15 bytes, not 16"},
    {"2{1{} 1{5[1 2]} 5\"\" 5\"k\" 6{} 6{1:1} 6{1:1}}", "dictionary.mapping_table[1].attribute_indices: two attributes have the same key"},
    {"2{2{} 1{} 1{5[1 2]} 2{4[1 2]} 5\"\" 5\"k\" 5\"l\" 6{} 6{1:1} 6{1:2}}", NULL},
    {"1{1{1{1\"a\"} 1{1\"b\"} 1{1\"a\"}}}", "resource_profiles[0].resource.attributes: two have the key \"a\""},
    {"1{2{1{1\"\xc0\"}}}", "resource_profiles[0].scope_profiles[0].scope.name: not UTF-8"},
    {"1{1{1{1\"a\" 3:1}}} 2{5\"\" 5\"b\"}", "resource_profiles[0].resource.attributes[0].key_strindex: set beside key"},
    {"1{1{1{1\"a\"}} 2{} 1{1{1\"a\"}}}", "resource_profiles[0].resource.attributes: two have the key \"a\""},
    {"1{1{1{1\"a\"}} 2{1{3{1\"a\"}}} 1{1{1\"b\"}}}", NULL},
    {"1{1:7}", "resource_profiles[0]: field 1 has wire type 0"},
    {"9:4 1{14{3:3}} 2{15\"new\"}", NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_otlp_info info;
        struct pp_error err = {0};
        struct pp_buf out;
        bool ok;

        pp_wire_text(&out, cases[i].message);
        ok = pp_otlp_check(pp_buf_str(&out), PP_LAYOUT_AUTO, &info, &err);
        pp_buf_done(&out);
        if (ok != !cases[i].error || (!ok && strcmp(err.message, cases[i].error) != 0))
            fail_msg("case %zu (%s): %s", i, cases[i].message, ok ? "passed" : err.message);
        if (!ok)
            assert_int_equal(err.kind, PP_ERR_INVALID);
    }
}

/* Every truncation is refused or (at a field's end) counts less; no byte flip may crash. */
static void test_cut_and_flipped(void **state)
{
    struct pp_otlp_info info;
    struct pp_buf out;

    (void)state;
    pp_wire_text(&out, DATA(SAMPLES) DICTIONARY);
    for (size_t n = 0; n < out.len; n++) {
        char *copy = pp_malloc(n ? n : 1); /* its own block, so that a sanitizer sees reads behind the end */

        memcpy(copy, out.data, n);
        pp_otlp_check((struct pp_str){copy, n}, PP_LAYOUT_AUTO, &info, NULL);
        pp_free(copy);
    }
    for (size_t i = 0; i < out.len; i++)
        for (unsigned flip = 1; flip < 256; flip += 5) {
            out.data[i] ^= (char)flip;
            pp_otlp_check(pp_buf_str(&out), PP_LAYOUT_AUTO, &info, NULL);
            out.data[i] ^= (char)flip;
        }
    pp_buf_done(&out);
}

static void test_counts(void **state)
{
    struct pp_otlp_info info;
    struct pp_buf out;

    (void)state;
    pp_wire_text(&out, DATA(SAMPLES) DICTIONARY);
    assert_true(pp_otlp_check(pp_buf_str(&out), PP_LAYOUT_AUTO, &info, NULL));
    assert_int_equal(info.counts.samples, 3);
    assert_int_equal(info.counts.values, 3);
    assert_int_equal(info.counts.timestamps, 3);
    assert_int_equal(info.counts.profiles, 1);
    assert_int_equal(info.counts.location_indices, 2);
    assert_int_equal(info.counts.attr_indices, 2);
    assert_int_equal(info.counts.key_values, 1);
    assert_int_equal(info.layout, PP_LAYOUT_1_10);
    assert_false(info.references);
    pp_buf_done(&out);
}

static const struct {
    const char *samples;
    enum pp_layout forced, found; /* AUTO found: refused */
} layouts[] = {
    {"2{1:1 2[5] 3[1] 4:0}", PP_LAYOUT_AUTO, PP_LAYOUT_1_9},
    {"2{1:1 2[99999]} 2{1:1 2[5] 3[1]}", PP_LAYOUT_AUTO, PP_LAYOUT_1_9},
    {"2{1:1 2[1] 5:@9}", PP_LAYOUT_AUTO, PP_LAYOUT_1_10},
    {"2{1:1 2[1] 5:@9}", PP_LAYOUT_1_9, PP_LAYOUT_1_9},
    {"2{1:1 2[5] 4:0} 2{1:1 4[5]}", PP_LAYOUT_AUTO, PP_LAYOUT_AUTO},
    {"2{1:1 2[99999]}", PP_LAYOUT_AUTO, PP_LAYOUT_AUTO},
    {"2{1:1 2[99999]}", PP_LAYOUT_1_9, PP_LAYOUT_1_9},
    {"2{1:1 2[99999]} 7[3] 8\"0123456789abcdef\" 12[1]", PP_LAYOUT_1_8, PP_LAYOUT_1_8},
};

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        struct pp_otlp_info info = {0};
        struct pp_error err = {0};
        struct pp_buf out;
        char text[512];
        bool ok;

        snprintf(text, sizeof(text), "1{2{2{%s}}} " DICTIONARY, layouts[i].samples);
        pp_wire_text(&out, text);
        ok = pp_otlp_check(pp_buf_str(&out), layouts[i].forced, &info, &err);
        pp_buf_done(&out);
        if (ok != (layouts[i].found != PP_LAYOUT_AUTO) || info.layout != layouts[i].found)
            fail_msg("%s: %s", layouts[i].samples, ok ? "passed" : err.message);
    }
}

static void test_limits(void **state)
{
    struct pp_otlp_info info;
    struct pp_error err;
    struct pp_buf out;

    (void)state;
    for (unsigned depth = PP_OTLP_VALUE_DEPTH_MAX; depth <= PP_OTLP_VALUE_DEPTH_MAX + 1; depth++) {
        char text[2048] = "2{6{} 6{2{", *p = text + strlen(text);

        for (unsigned i = 0; i < depth; i++)
            p += sprintf(p, "5{1{");
        for (unsigned i = 0; i < depth; i++)
            p += sprintf(p, "}}");
        strcpy(p, "}}}");
        pp_wire_text(&out, text);
        assert_int_equal(pp_otlp_check(pp_buf_str(&out), PP_LAYOUT_AUTO, &info, &err), depth == PP_OTLP_VALUE_DEPTH_MAX);
        pp_buf_done(&out);
    }
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_init(&out, 1u << 20);
    for (int i = 0; i < 100000; i++)
        pp_out_add_bytes(&out, PP_REQUEST_RESOURCE_PROFILES, (struct pp_str){0});
    assert_false(pp_otlp_check(pp_buf_str(&out), PP_LAYOUT_AUTO, &info, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_cut_and_flipped), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_layouts), cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
