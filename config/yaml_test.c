#include "config/yaml.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "config/go_duration.h"
#include "config/merge.h"
#include "config/test_support.h"

static void test_scalars(void **state)
{
    static const struct {
        const char *text;
        enum pp_scalar_type type;
        double value; /* bool, int, float */
    } cases[] = {
        {"", PP_SCALAR_NULL, 0},
        {"~", PP_SCALAR_NULL, 0},
        {"null", PP_SCALAR_NULL, 0},
        {"NULL", PP_SCALAR_NULL, 0},
        {"nULL", PP_SCALAR_STRING, 0},
        {"true", PP_SCALAR_BOOL, 1},
        {"FALSE", PP_SCALAR_BOOL, 0},
        {"yes", PP_SCALAR_STRING, 0},
        {"on", PP_SCALAR_STRING, 0},
        {"0", PP_SCALAR_INT, 0},
        {"-5", PP_SCALAR_INT, -5},
        {"+5", PP_SCALAR_INT, 5},
        {"1_000", PP_SCALAR_INT, 1000},
        {"0x1F", PP_SCALAR_INT, 31},
        {"0o17", PP_SCALAR_INT, 15},
        {"017", PP_SCALAR_INT, 15},
        {"0b101", PP_SCALAR_INT, 5},
        {"-0b1", PP_SCALAR_INT, -1},
        {"0x", PP_SCALAR_STRING, 0},
        {"08", PP_SCALAR_FLOAT,
         8}, /* no octal number, so the next pattern takes it, as in Go's YAML */
        {"9223372036854775807", PP_SCALAR_INT, 9223372036854775807.0},
        {"-9223372036854775808", PP_SCALAR_INT, -9223372036854775808.0},
        {"9223372036854775808", PP_SCALAR_FLOAT, 9223372036854775808.0},
        {"1.5", PP_SCALAR_FLOAT, 1.5},
        {".5", PP_SCALAR_FLOAT, .5},
        {"1.", PP_SCALAR_FLOAT, 1},
        {"1e3", PP_SCALAR_FLOAT, 1000},
        {"-1.5E-1", PP_SCALAR_FLOAT, -.15},
        {"-.inf", PP_SCALAR_FLOAT, -INFINITY},
        {"+.INF", PP_SCALAR_FLOAT, INFINITY},
        {"1e", PP_SCALAR_STRING, 0},
        {".", PP_SCALAR_STRING, 0},
        {"-", PP_SCALAR_STRING, 0},
        {"1.2.3", PP_SCALAR_STRING, 0},
        {"127.0.0.1:4317", PP_SCALAR_STRING, 0},
        {"infinity", PP_SCALAR_STRING, 0},
        {"nan", PP_SCALAR_STRING, 0},
        {"5s", PP_SCALAR_STRING, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pp_scalar scalar = pp_scalar_read(pp_str_c(cases[i].text));
        double value = scalar.type == PP_SCALAR_BOOL  ? scalar.b
                       : scalar.type == PP_SCALAR_INT ? (double)scalar.i
                                                      : scalar.f;
        if (scalar.type != cases[i].type || value != cases[i].value)
            fail_msg("\"%s\": type %d, value %g", cases[i].text, (int)scalar.type, value);
    }
    assert_true(isnan(pp_scalar_read(PP_STR(".nan")).f));
}

static void test_durations(void **state)
{
    static const struct {
        const char *text, *printed; /* NULL: refused */
        int64_t ns;
    } cases[] = {
        {"0", "0s", 0},
        {"5s", "5s", 5000000000},
        {"1h2m3.5s", "1h2m3.5s", 3723500000000},
        {"90m", "1h30m0s", 5400000000000},
        {"200ms", "200ms", 200000000},
        {"1.5h", "1h30m0s", 5400000000000},
        {".5s", "500ms", 500000000},
        {"1.s", "1s", 1000000000},
        {"-1.5s", "-1.5s", -1500000000},
        {"+1s", "1s", 1000000000},
        {"1us", "1\xC2\xB5s", 1000},
        {"1\xCE\xBCs", "1\xC2\xB5s", 1000},
        {"1.5\xC2\xB5s", "1.5\xC2\xB5s", 1500},
        {"7ns", "7ns", 7},
        {"2562047h47m16.854775807s", "2562047h47m16.854775807s", INT64_MAX},
        {"2562047h47m16.854775808s", NULL, 0},
        {"99999999999999999999h", NULL, 0},
        {"", NULL, 0},
        {"-", NULL, 0},
        {"5", NULL, 0},
        {"s", NULL, 0},
        {".s", NULL, 0},
        {"1d", NULL, 0},
        {"1 s", NULL, 0},
        {"1s ", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ns = 77;
        struct pp_buf out;

        assert_int_equal(pp_duration_parse(pp_str_c(cases[i].text), &ns), cases[i].printed != NULL);
        assert_int_equal(ns, cases[i].printed ? cases[i].ns : 77);
        if (!cases[i].printed)
            continue;
        pp_buf_init(&out, 100);
        pp_duration_print(ns, &out);
        pp_buf_add_byte(&out, '\0');
        assert_string_equal(out.data, cases[i].printed);
        pp_buf_done(&out);
    }
}

/* A tree in one line: maps in braces, lists in brackets, strings in quotes, null as ~. */
static void flatten(const struct pp_node *node, struct pp_buf *out)
{
    switch (node->kind) {
    case PP_NODE_NULL:
        pp_buf_add_c(out, "~");
        break;
    case PP_NODE_SCALAR:
        pp_buf_printf(out, pp_node_scalar(node).type == PP_SCALAR_STRING ? "'%s'" : "%s",
                      node->text.p);
        break;
    case PP_NODE_LIST:
        pp_buf_add_c(out, "[");
        for (size_t i = 0; i < node->n; i++) {
            pp_buf_add_c(out, i ? "," : "");
            flatten(node->items[i], out);
        }
        pp_buf_add_c(out, "]");
        break;
    case PP_NODE_MAP:
        pp_buf_add_c(out, "{");
        for (size_t i = 0; i < node->n; i++) {
            pp_buf_printf(out, "%s%s:", i ? "," : "", node->entries[i].key->text.p);
            flatten(node->entries[i].value, out);
        }
        pp_buf_add_c(out, "}");
        break;
    }
}

static void test_trees(void **state)
{
    static const struct {
        const char *yaml, *tree;
    } cases[] = {
        {"", "~"},
        {"# only a comment\n", "~"},
        {"---\n", "~"},
        {"\xEF\xBB\xBF"
         "a: 1",
         "{a:1}"},
        {"a: {b: [1, '2', x, ~, ]}", "{a:{b:[1,'2','x',~]}}"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{a:'x\ny\n',b:'x y'}"},
        {"a: '1'\nb: \"2\"\nc: !!str 3\nd: ! 4\ne: !!int '5'\nf: !!null ''\n",
         "{a:'1',b:'2',c:'3',d:'4',e:5,f:~}"},
        {"a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", "{a:{b:1},c:{b:1},d:[{b:1},{b:1}]}"},
        {"a: &k key\n*k : 1\n", "{a:'key',key:1}"},
        {"a: &x 1\nb: &x 2\nc: *x\n", "{a:1,b:2,c:2}"},
        {"b: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\n", "{b:{x:1,y:2},c:{y:3,x:1}}"},
        {"b: &b {x: 1}\nc: &c {x: 2, z: 4}\nd: {<<: [*b, *c], y: 3}\n",
         "{b:{x:1},c:{x:2,z:4},d:{y:3,x:1,z:4}}"},
        {"d: {'<<': 1}", "{d:{<<:1}}"},
        {"1: a\ntrue: b\n~: c\n", "{1:'a',true:'b',~:'c'}"},
        {"k8s.pod: ::1", "{k8s.pod:'::1'}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        const struct pp_node *node;

        world_open(&w);
        node = world_read(&w, cases[i].yaml);
        assert_string_equal(world_problems(&w), "");
        assert_non_null(node);
        pp_buf_reset(&w.printed);
        flatten(node, &w.printed);
        pp_buf_add_byte(&w.printed, '\0');
        assert_string_equal(w.printed.data, cases[i].tree);
        world_close(&w);
    }
}

static void test_refused(void **state)
{
    static const struct {
        struct pp_str yaml;
        const char *problem;
        bool tree; /* there is one all the same */
    } cases[] = {
        {PP_STR("a: 1\nb: 2\na: 3\n"),
         "t.yaml:3:1: error: duplicate key \"a\", first given in line 1, column 1\n", true},
        {PP_STR("a: {x: 1, x: 2}\nb: {y: 1, y: 2}"),
         "t.yaml:1:11: error: duplicate key \"x\", first given in line 1, column 5\n"
         "t.yaml:2:11: error: duplicate key \"y\", first given in line 2, column 5\n",
         true},
        {PP_STR("a: [1"),
         "t.yaml:2:1: error: not valid YAML: did not find expected ',' or ']' while parsing a flow "
         "sequence that begins in line 1, column 4\n",
         false},
        {PP_STR("a: b: c"),
         "t.yaml:1:5: error: not valid YAML: mapping values are not allowed in this context\n",
         false},
        {PP_STR("a: 1\n--- \nb: 2\n"),
         "t.yaml:2:1: error: a second YAML document; only one is allowed\n", false},
        {PP_STR("a: *x"), "t.yaml:1:4: error: no anchor \"x\" before this alias\n", false},
        {PP_STR("a: &x [*x]"), "t.yaml:1:8: error: anchor \"x\" contains itself\n", false},
        {PP_STR("a: {<<: 1}"),
         "t.yaml:1:9: error: a merge key (<<) needs a map or a list of maps, not an integer\n",
         false},
        {PP_STR("{[a]: 1}"), "t.yaml:1:2: error: a map's key must be a string, not a list\n",
         false},
        {PP_STR("a: !custom x"), "t.yaml:1:4: error: the tag \"!custom\" is not supported\n",
         false},
        {PP_STR("a: !!int x"),
         "t.yaml:1:4: error: \"x\" does not fit its tag \"tag:yaml.org,2002:int\"\n", false},
        {PP_STR("a: \"\\0\""), "t.yaml:1:4: error: a NUL character in a string\n", false},
        {PP_STR("a: b\nc: \xC3\xA9\xFF"), "t.yaml:2:5: error: not valid UTF-8\n", false},
        {PP_STR("\xFF\xFE"
                "a\0:\0"),
         "t.yaml:1:1: error: not valid UTF-8\n", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pp_yaml_source source = {cases[i].yaml, {.file = "t.yaml"}};
        struct world w;
        const struct pp_node *node;

        world_open(&w);
        node = pp_yaml_read(&w.arena, &source, &w.diags);
        assert_string_equal(world_problems(&w), cases[i].problem);
        assert_int_equal(node != NULL, cases[i].tree);
        world_close(&w);
    }
}

/* Reads `text`; fails unless the last problem begins with `problem`, within two seconds (sanitizers
 * included) and little memory. */
static void assert_hostile(struct pp_str text, const char *problem)
{
    struct pp_yaml_source source = {text, {.file = "t.yaml"}};
    struct world w;
    clock_t begin = clock();

    world_open(&w);
    assert_null(pp_yaml_read(&w.arena, &source, &w.diags));
    assert_true(w.diags.list.n > 0);
    if (strncmp(w.diags.list.v[w.diags.list.n - 1].message, problem, strlen(problem)) != 0)
        fail_msg("%s", w.diags.list.v[w.diags.list.n - 1].message);
    assert_true(w.arena.bytes_used < 128u << 20);
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    world_close(&w);
}

/* `n` times `text`. */
static struct pp_str repeat(const char *text, size_t n)
{
    size_t length = strlen(text);
    char *p = malloc(n * length + 1);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * length, text, length);
    return (struct pp_str){p, n * length};
}

static void test_hostile(void **state)
{
    static const struct {
        const char *text;
        size_t times;
        const char *problem;
    } cases[] = {
        {"0123456789abcde\n", 100 * 65536, "more than 16 MiB of YAML"},
        {"[", 10000, "nested more than 100 levels deep"},
        {"{a: ", 10000, "nested more than 100 levels deep"},
        {"- ", 10000, "nested more than 100 levels deep"},
        {"- a\n", 1000000, "more than 524288 YAML nodes"},
        {"- &a b\n", 100000, "more than 1000 anchors"},
    };
    struct pp_buf bomb;
    char deep[10000 * 8];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pp_str text = repeat(cases[i].text, cases[i].times);
        assert_hostile(text, cases[i].problem);
        free((char *)text.p);
    }
    for (size_t i = 0; i < 110; i++) /* by indentation */
        n += (size_t)snprintf(deep + n, sizeof(deep) - n, "%*sa:\n", (int)i, "");
    assert_hostile((struct pp_str){deep, n}, "nested more than 100 levels deep");
    pp_buf_init(&bomb, 1 << 16); /* each line stands for ten of the one before */
    pp_buf_add_c(&bomb, "a0: &a0 x\n");
    for (int i = 1; i < 20; i++) {
        pp_buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            pp_buf_printf(&bomb, "%s*a%d", j ? ", " : "", i - 1);
        pp_buf_add_c(&bomb, "]\n");
    }
    assert_hostile(pp_buf_str(&bomb), "more than 524288 YAML nodes, aliases followed");
    pp_buf_reset(&bomb); /* depth by aliases */
    pp_buf_add_c(&bomb, "a0: &a0 [x]\n");
    for (int i = 1; i < 200; i++)
        pp_buf_printf(&bomb, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    assert_hostile(pp_buf_str(&bomb), "nested more than 100 levels deep");
    pp_buf_done(&bomb);
}

/* A hundred thousand different keys, which a quadratic search would take minutes for. */
static void test_many_keys(void **state)
{
    struct world w;
    struct pp_buf text;
    struct pp_yaml_source source = {.mark = {.file = "t.yaml"}};
    const struct pp_node *node;
    clock_t begin = clock();

    (void)state;
    world_open(&w);
    pp_buf_init(&text, PP_YAML_BYTES_MAX);
    for (int i = 0; i < 200000; i++)
        pp_buf_printf(&text, "k%d:\n", i);
    assert_false(text.failed);
    source.text = pp_buf_str(&text);
    node = pp_yaml_read(&w.arena, &source, &w.diags);
    assert_non_null(node);
    assert_int_equal(node->n, 200000);
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    pp_buf_done(&text);
    world_close(&w);
}

static void test_merge(void **state)
{
    static const struct {
        const char *earlier, *later, *tree;
    } cases[] = {
        {"a: 1", "b: 2", "{a:1,b:2}"},
        {"a: {b: 1, c: 2}", "a: {c: 3, d: 4}", "{a:{b:1,c:3,d:4}}"},
        {"a: [1, 2]", "a: [3]", "{a:[3]}"},
        {"a: {b: 1}", "a:", "{a:~}"},
        {"a:", "a: {b: 1}", "{a:{b:1}}"},
        {"a: {b: 1}", "a: {}", "{a:{b:1}}"},
        {"a: {b: 1}", "a: x", "{a:'x'}"},
        {"{}", "a: 1", "{a:1}"},
        {"a: 1", "a::b: 2", "{a:{b:2}}"},
        {"a: {b: {c: 1}}", "{a::b::c: 2, a::b::d: 3}", "{a:{b:{c:2,d:3}}}"},
        {"a: 1", "'::b': 2", "{a:1,::b:2}"},
        {"a: 1", "'b::': 2", "{a:1,b:::2}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        const struct pp_node *earlier, *later;

        world_open(&w);
        earlier = world_read(&w, cases[i].earlier);
        later = pp_node_unflatten(&w.arena, world_read(&w, cases[i].later), &w.diags);
        assert_string_equal(world_problems(&w), "");
        pp_buf_reset(&w.printed);
        flatten(pp_node_merge(&w.arena, earlier, later), &w.printed);
        pp_buf_add_byte(&w.printed, '\0');
        assert_string_equal(w.printed.data, cases[i].tree);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars), cmocka_unit_test(test_durations),
        cmocka_unit_test(test_trees),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_merge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
