#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiles/any_value.h"
#include "profiles/builder.h"
#include "render/flamegraph.h"
#include "render/folded.h"

/* A batch of stacks written as text: "main;handler;read 5" is one sample; a name "a|b" is one location with b inlined into a. */
struct maker {
    struct pp_builder *builder;
    struct pp_batch *batch;
};

static int32_t make_location(struct pp_builder *b, const char *name, size_t n)
{
    struct pp_location location = {.address = 0x1000 + (uint64_t)n};
    struct pp_line lines[4];
    size_t lines_n = 0;
    const char *end = name + n;

    while (end > name) {
        const char *start = end;
        struct pp_function function = {0};

        while (start > name && start[-1] != '|')
            start--;
        function.name = pp_builder_string(b, (struct pp_str){start, (size_t)(end - start)});
        function.filename = pp_builder_string(b, PP_STR("app.c"));
        lines[lines_n++] = (struct pp_line){.function = pp_builder_function(b, &function), .line = 1};
        end = start > name ? start - 1 : start;
    }
    return pp_builder_location(b, &location, lines, lines_n, NULL, 0);
}

static void add_stack(struct pp_builder *b, const char *text)
{
    int32_t locations[64];
    size_t n = 0;
    const char *space = strrchr(text, ' '), *end = space;
    int64_t value = atoll(space + 1);

    while (end > text) {
        const char *start = end;
        while (start > text && start[-1] != ';')
            start--;
        locations[n++] = make_location(b, start, (size_t)(end - start));
        end = start > text ? start - 1 : start;
    }
    assert_true(pp_builder_add_sample(b, &(struct pp_builder_sample){.stack = pp_builder_stack(b, locations, n), .values = &value, .values_n = 1}));
}

static void begin(struct maker *m, const char *service)
{
    struct pp_key_value attribute = {.key = PP_STR("service.name")};

    m->builder = pp_builder_new(NULL);
    assert_non_null(m->builder);
    if (service)
        assert_true(pp_any_value_from_string(pp_builder_arena(m->builder), pp_str_c(service), &attribute.value));
    assert_true(pp_builder_add_resource(m->builder, &(struct pp_builder_resource){.attributes = &attribute, .attributes_n = service ? 1 : 0}));
    assert_true(pp_builder_add_scope(m->builder, &(struct pp_builder_scope){0}));
}

static void add_profile(struct maker *m, const char *type, const char *unit, const char *const *stacks)
{
    struct pp_profile profile = {.time_unix_nano = 1700000000000000000ull, .duration_nano = 10000000000ull};

    profile.sample_type.type = pp_builder_string(m->builder, pp_str_c(type));
    profile.sample_type.unit = pp_builder_string(m->builder, pp_str_c(unit));
    assert_true(pp_builder_add_profile(m->builder, &profile, NULL, 0));
    for (; *stacks; stacks++)
        add_stack(m->builder, *stacks);
}

static const struct pp_tables *finish(struct maker *m)
{
    struct pp_error err = {0};

    if (!pp_builder_finish(m->builder, &m->batch, &err))
        fail_msg("%s", err.message);
    return pp_batch_tables(m->batch, &err);
}

static void end(struct maker *m)
{
    pp_batch_unref(m->batch);
    pp_builder_free(m->builder);
}

static void assert_folded(const struct pp_tree *tree, uint32_t type, const char *want)
{
    struct pp_error err = {0};
    struct pp_buf buf;

    pp_buf_init(&buf, PP_FOLDED_BYTES_MAX);
    if (!pp_folded_write(tree, type, &buf, &err))
        fail_msg("%s", err.message);
    pp_buf_add_byte(&buf, '\0');
    assert_string_equal(buf.data, want);
    pp_buf_done(&buf);
}

static void test_merge(void **state)
{
    static const char *const cpu[] = {"main;work;read 5", "main;work 3", "main;idle 9", "main;work;read 2", NULL};
    static const char *const heap[] = {"main;work|alloc 4096", NULL};
    struct maker m;
    struct pp_tree tree;
    struct pp_error err;
    int64_t *totals;

    (void)state;
    begin(&m, "shop");
    add_profile(&m, "cpu", "nanoseconds", cpu);
    add_profile(&m, "space", "bytes", heap);
    pp_tree_init(&tree, 0, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    assert_true(pp_tree_add(&tree, pp_batch_tables(m.batch, &err), &err));
    assert_int_equal(tree.types.n, 2);
    assert_int_equal(tree.samples, 10);
    assert_int_equal(tree.time_first_ns, 1700000000000000000ull);
    assert_int_equal(tree.time_last_ns, 1700000010000000000ull);
    assert_folded(&tree, 0, "main;work 6\nmain;work;read 14\nmain;idle 18\n");
    assert_folded(&tree, 1, "main;work;alloc 8192\n");
    assert_int_equal(pp_tree_type_find(&tree, PP_STR("space")), 1);
    assert_int_equal(pp_tree_type_find(&tree, PP_STR("cpu:nanoseconds")), 0);
    assert_int_equal(pp_tree_type_find(&tree, PP_STR("cpu:bytes")), PP_INDEX_NONE);
    totals = pp_tree_totals(&tree.types.v[0]);
    assert_int_equal(totals[PP_TREE_ROOT], 38);
    pp_free(totals);
    pp_tree_done(&tree);

    pp_tree_init(&tree, 0, true);
    assert_true(pp_tree_add(&tree, pp_batch_tables(m.batch, &err), &err));
    assert_folded(&tree, 1, "shop;main;work;alloc 4096\n");
    pp_tree_done(&tree);
    end(&m);
}

/* Frames without symbols: file offset in the module, bare address without one. */
static void test_unsymbolized(void **state)
{
    struct maker m;
    struct pp_tree tree;
    struct pp_error err;
    struct pp_mapping mapping = {.memory_start = 0x7f0000001000, .memory_limit = 0x7f0000009000, .file_offset = 0x1000};
    struct pp_location location = {.address = 0x7f0000001234};
    struct pp_profile profile = {0};
    uint64_t times[] = {5, 6, 7};
    int32_t locations[3];

    (void)state;
    begin(&m, NULL);
    mapping.filename = pp_builder_string(m.builder, PP_STR("/usr/lib/libc.so.6"));
    location.mapping = pp_builder_mapping(m.builder, &mapping, NULL, 0);
    locations[0] = pp_builder_location(m.builder, &location, NULL, 0, NULL, 0);
    locations[1] = pp_builder_location(m.builder, &(struct pp_location){.address = 0xabc}, NULL, 0, NULL, 0);
    locations[2] = 0;
    pp_builder_add_profile(m.builder, &profile, NULL, 0);
    pp_builder_add_sample(m.builder, &(struct pp_builder_sample){.stack = pp_builder_stack(m.builder, locations, 3), .timestamps = times, .timestamps_n = 3});
    pp_builder_add_sample(m.builder, &(struct pp_builder_sample){.timestamps = times, .timestamps_n = 1});
    pp_tree_init(&tree, 0, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    assert_folded(&tree, 0, "[no stack] 1\n[unknown];0xabc;libc.so.6+0x1234 3\n");
    pp_tree_done(&tree);
    end(&m);
}

static void test_node_limit(void **state)
{
    static const char *const cpu[] = {"main;a;b;c 5", "main;x 3", "main;a;q 1", "main;a 2", NULL};
    struct maker m;
    struct pp_tree tree;
    struct pp_error err;

    (void)state;
    begin(&m, NULL);
    add_profile(&m, "cpu", "count", cpu);
    pp_tree_init(&tree, 3, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    assert_int_equal(tree.nodes_n, 3);
    assert_folded(&tree, 0, "main;[other] 3\nmain;a 2\nmain;a;[other] 1\nmain;a;b;[other] 5\n");
    pp_tree_done(&tree);
    end(&m);
}

static void test_values_saturate(void **state)
{
    (void)state;
    assert_true(pp_tree_sum(INT64_MAX, 1) == INT64_MAX);
    assert_true(pp_tree_sum(INT64_MIN, -1) == INT64_MIN);
    assert_int_equal(pp_tree_sum(-3, 5), 2);
}

/* Names are a peer's: whatever they hold, the page keeps exactly its own two script elements. */
static void test_hostile_names(void **state)
{
    static const char *const cpu[] = {"</script><script>alert(1)</script>;<!--\"\\\n\x01 7", "a\nb 1", NULL};
    struct maker m;
    struct pp_tree tree;
    struct pp_error err = {0};
    struct pp_buf buf;
    size_t scripts = 0;

    (void)state;
    begin(&m, NULL);
    add_profile(&m, "<b>", "</script>", cpu);
    pp_tree_init(&tree, 0, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    pp_buf_init(&buf, PP_FLAMEGRAPH_BYTES_MAX);
    if (!pp_flamegraph_write(&tree, PP_STR("</title><script>"), &buf, &err))
        fail_msg("%s", err.message);
    pp_buf_add_byte(&buf, '\0');
    for (const char *p = buf.data; (p = strstr(p, "</script")); p++)
        scripts++;
    assert_int_equal(scripts, 2);
    assert_null(strstr(buf.data, "<!--"));
    assert_null(strstr(buf.data, "alert(1)<"));
    assert_non_null(strstr(buf.data, "\\u003c/script\\u003e\\u003cscript\\u003ealert(1)"));
    assert_null(strstr(buf.data, "@PROFILE_DATA@"));
    assert_null(strstr(buf.data, "http://"));
    assert_null(strstr(buf.data, "https://"));
    pp_buf_done(&buf);
    assert_folded(&tree, 0, "</script><script>alert(1)</script>;<!--\"\\   7\na b 1\n");
    pp_tree_done(&tree);
    end(&m);
}

/* Boxes come depth first, heaviest first, with a box for what was cut; what is not above zero is not there. */
static void test_page_boxes(void **state)
{
    static const char *const cpu[] = {"main;a;b 5", "main;c 7", "main;neg -4", "main;zero 0", NULL};
    struct maker m;
    struct pp_tree tree;
    struct pp_error err = {0};
    struct pp_buf buf;

    (void)state;
    begin(&m, NULL);
    add_profile(&m, "delta", "count", cpu);
    pp_tree_init(&tree, 0, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    pp_buf_init(&buf, PP_FLAMEGRAPH_BYTES_MAX);
    assert_true(pp_flamegraph_write(&tree, PP_STR("t"), &buf, &err));
    pp_buf_add_byte(&buf, '\0');
    assert_non_null(strstr(buf.data, "\"names\":[\"[other]\",\"main\",\"a\",\"b\",\"c\",\"neg\",\"zero\"]"));
    assert_non_null(strstr(buf.data, "\"boxes\":[0,0,0,1,1,0,2,4,7,2,2,0,3,3,5]"));
    pp_buf_done(&buf);
    pp_buf_init(&buf, 1000);
    assert_false(pp_flamegraph_write(&tree, PP_STR("t"), &buf, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_done(&buf);
    pp_tree_done(&tree);
    end(&m);
}

/* Very deep and very wide input stays within the limits. */
static void test_depth_limit(void **state)
{
    enum { DEEP = PP_TREE_DEPTH_MAX + 500 };
    struct maker m;
    struct pp_tree tree;
    struct pp_error err;
    struct pp_profile profile = {0};
    int32_t *locations = calloc(DEEP, sizeof(*locations));
    int64_t value = 2;

    (void)state;
    begin(&m, NULL);
    pp_builder_add_profile(m.builder, &profile, NULL, 0);
    for (int i = 0; i < DEEP; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d", i);
        locations[i] = make_location(m.builder, name, strlen(name));
    }
    pp_builder_add_sample(m.builder, &(struct pp_builder_sample){.stack = pp_builder_stack(m.builder, locations, DEEP), .values = &value, .values_n = 1});
    pp_tree_init(&tree, 0, false);
    assert_true(pp_tree_add(&tree, finish(&m), &err));
    assert_int_equal(tree.nodes_n, PP_TREE_DEPTH_MAX);
    assert_int_equal(tree.types.v[0].nodes.v[PP_TREE_DEPTH_MAX].cut, 2);
    free(locations);
    pp_tree_done(&tree);
    end(&m);
}

/* Every allocation fails once: what is missing counts as cut, or the call says so; nothing leaks, nothing crashes. */
static void test_allocation_failures(void **state)
{
#ifdef PP_ALLOC_FAULTS
    static const char *const cpu[] = {"main;a;b 5", "main;c 7", NULL};
    struct maker m;
    const struct pp_tables *tables;
    struct pp_error err;

    (void)state;
    begin(&m, "shop");
    add_profile(&m, "cpu", "count", cpu);
    tables = finish(&m);
    for (size_t n = 1;; n++) {
        struct pp_tree tree;
        struct pp_buf buf;
        bool ok;

        pp_tree_init(&tree, 0, true);
        pp_buf_init(&buf, PP_FLAMEGRAPH_BYTES_MAX);
        pp_alloc_fail_at(n);
        ok = pp_tree_add(&tree, tables, &err) && (tree.types.n == 0 || pp_folded_write(&tree, 0, &buf, &err)) &&
             pp_flamegraph_write(&tree, PP_STR("t"), &buf, &err);
        ok = ok && pp_alloc_count() < n;
        pp_alloc_fail_at(0);
        pp_buf_done(&buf);
        pp_tree_done(&tree);
        if (ok)
            break;
        assert_true(n < 1000);
    }
    end(&m);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),          cmocka_unit_test(test_unsymbolized),
        cmocka_unit_test(test_node_limit),     cmocka_unit_test(test_values_saturate),
        cmocka_unit_test(test_hostile_names),  cmocka_unit_test(test_page_boxes),
        cmocka_unit_test(test_depth_limit),    cmocka_unit_test(test_allocation_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
