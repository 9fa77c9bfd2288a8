#include "config/load.h"

#include <stdio.h>
#include <unistd.h>

#include "config/decode.h"
#include "config/test_support.h"

/* The outside world of these tests. */
static const struct {
    const char *name, *value;
} environment[] = {
    {"NUMBER", "123"},
    {"HEX", "0xdeadbeef"},
    {"OCTAL", "0123"},
    {"FLOAT", "1.5"},
    {"TRUE", "true"},
    {"TEXT", "plain text"},
    {"QUOTED", "\"0123\""},
    {"EMPTY", ""},
    {"LIST", "[a, b]"},
    {"MAP", "{k: v, n: 1}"},
    {"JSON", "{\"k\": \"v\"}"},
    {"IPV6", "1111:1111:1111:1111:1111::"},
    {"DOLLARS", "a$$b"},
    {"DOLLAR", "a$b"},
    {"NAME", "NUMBER"},
    {"NESTED", "${env:NUMBER}"},
    {"NESTED_MAP", "{a: '${env:NUMBER}'}"},
    {"SELF", "${env:SELF}"},
    {"SELF_GROWING", "x${env:SELF_GROWING}y"},
    {"SELF_DOUBLING", "${env:SELF_DOUBLING}${env:SELF_DOUBLING}"},
    {"SELF_DEEP", "{a: '${env:SELF_DEEP}'}"},
    {"SELF_WIDE", "['${env:SELF_WIDE}', '${env:SELF_WIDE}']"},
    {"BROKEN", "[a, b"},
    {"DUPLICATE", "{a: 1, a: 2}"},
    {"LATIN1", "caf\xE9"},
};

static const char *fake_env(void *ctx, const char *name)
{
    (void)ctx;
    for (size_t i = 0; i < COUNT(environment); i++) {
        if (strcmp(environment[i].name, name) == 0)
            return environment[i].value;
    }
    return NULL;
}

static bool fake_fetch(void *ctx, const char *url, struct pp_buf *ret_body, struct pp_error *err)
{
    (void)ctx;
    if (strcmp(url, "http://127.0.0.1/config") != 0)
        return pp_error_set(err, PP_ERR_IO, "status 404");
    return pp_buf_add_c(ret_body, "from: http");
}

static const struct pp_config_io fake_io = {.get_env = fake_env, .fetch = fake_fetch};

static const struct pp_node *load(struct world *w, const char *const *uris, const char *const *sets)
{
    struct pp_config_input input = {.uris = uris, .sets = sets};

    while (uris && uris[input.uris_n])
        input.uris_n++;
    while (sets && sets[input.sets_n])
        input.sets_n++;
    return pp_config_load(&w->arena, &input, &fake_io, &w->diags);
}

/* One value in every type a member can have, as the Collector's own table of expansions is laid
 * out. */
struct target {
    const char *string;
    int64_t integer;
    double number;
    bool flag;
    struct pp_string_list list;
    const struct pp_node *node;
};

static const struct pp_field target_fields[] = {
    PP_ROW_STRING(struct target, string, 0, ""),
    PP_ROW_INT(struct target, integer, 0, 0, 0, ""),
    PP_ROW_DOUBLE(struct target, number, 0, 0, 0, ""),
    PP_ROW_BOOL(struct target, flag, 0, ""),
    PP_ROW_STRINGS(struct target, list, 0, ""),
    PP_ROW_NODE(struct target, node, 0, ""),
    PP_ROW_END,
};

static const struct pp_group target_group = {
    .name = "target",
    .size = sizeof(struct target),
    .defaults = &(const struct target){.integer = 42, .number = 4.2, .flag = true},
    .fields = target_fields,
};

/* "key: value" loaded and decoded; NULL when that failed. */
static const struct target *decode_value(struct world *w, const char *key, const char *value)
{
    char uri[256];
    const char *uris[] = {uri, NULL};
    const struct pp_node *root;

    snprintf(uri, sizeof(uri), "yaml:%s: %s", key, value);
    root = load(w, uris, NULL);
    assert_non_null(root);
    if (pp_diags_failed(&w->diags))
        return NULL;
    return pp_decode(&w->arena, &target_group, root, NULL, root->mark, &w->diags);
}

static void test_strings(void **state)
{
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"${env:NUMBER}", "123"},
        {"${NUMBER}", "123"},
        {"${env:HEX}", "0xdeadbeef"},
        {"${env:OCTAL}", "0123"},
        {"${env:TRUE}", "true"},
        {"${env:TEXT}", "plain text"},
        {"${env:QUOTED}", "\"0123\""},
        {"${env:EMPTY}", ""},
        {"${env:LIST}", "[a, b]"},
        {"${env:JSON}", "{\"k\": \"v\"}"},
        {"${env:IPV6}", "1111:1111:1111:1111:1111::"},
        {"${env:BROKEN}", "[a, b"},
        {"inline ${env:NUMBER} and ${env:QUOTED}", "inline 123 and \"0123\""},
        {"${env:NUMBER}${env:NUMBER}", "123123"},
        {"${env:NESTED}", "123"},
        {"${env:${env:NAME}}", "123"},
        {"${env:UNSET:-default}", "default"},
        {"${env:UNSET:-}", ""},
        {"${env:EMPTY:-default}", ""},
        {"${env:UNSET:-a:-b}", "a:-b"},
        {"${UNSET:-default}", "default"},
        {"${env:UNSET:-${env:NUMBER}}", "123"},
        {"${yaml:text}", "text"},
        {"$${env:NUMBER}", "${env:NUMBER}"},
        {"$$${env:NUMBER}", "$123"},
        {"$$$${env:NUMBER}", "$${env:NUMBER}"},
        {"$${env:NUMBER} ${env:NUMBER}", "${env:NUMBER} 123"},
        {"a $$ b", "a $ b"},
        {"a $ b", "a $ b"},
        {"$NUMBER", "$NUMBER"},
        {"'${NUMBER'", "${NUMBER"},
        {"'NUMBER}'", "NUMBER}"},
        {"${env:DOLLAR}", "a$b"},
        {"${env:DOLLARS}", "a$b"},
        {"'${env:NUMBER}'", "123"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        const struct target *target;

        world_open(&w);
        target = decode_value(&w, "string", cases[i].value);
        if (!target)
            fail_msg("%s: %s", cases[i].value, world_problems(&w));
        assert_non_null(target->string);
        assert_string_equal(target->string, cases[i].text);
        world_close(&w);
    }
}

static void test_typed(void **state)
{
    struct world w;
    const struct target *target;

    (void)state;
    world_open(&w);
    assert_int_equal(decode_value(&w, "integer", "${env:NUMBER}")->integer, 123);
    assert_int_equal(decode_value(&w, "integer", "${env:HEX}")->integer, 0xdeadbeef);
    assert_int_equal(decode_value(&w, "integer", "${env:OCTAL}")->integer, 0123);
    assert_int_equal(decode_value(&w, "integer", "${env:NESTED}")->integer, 123);
    assert_int_equal(decode_value(&w, "integer", "${env:UNSET:-7}")->integer, 7);
    assert_int_equal(decode_value(&w, "integer", "1${env:NUMBER}")->integer, 1123);
    assert_int_equal(decode_value(&w, "integer", "${env:EMPTY}")->integer, 0);
    assert_false(decode_value(&w, "flag", "${env:EMPTY}")->flag);
    assert_true(decode_value(&w, "number", "${env:EMPTY}")->number == 0);
    assert_int_equal(decode_value(&w, "integer", "")->integer, 0);
    assert_true(decode_value(&w, "number", "${env:FLOAT}")->number == 1.5);
    assert_true(decode_value(&w, "flag", "${env:TRUE}")->flag);
    target = decode_value(&w, "list", "${env:LIST}");
    assert_int_equal(target->list.n, 2);
    assert_string_equal(target->list.v[1], "b");
    target = decode_value(&w, "list", "[x, '${env:NUMBER}']");
    assert_string_equal(target->list.v[1], "123");
    target = decode_value(&w, "node", "${env:MAP}");
    assert_string_equal(pp_node_get(target->node, "k")->text.p, "v");
    target = decode_value(&w, "node", "${env:NESTED_MAP}");
    assert_int_equal(pp_node_scalar(pp_node_get(target->node, "a")).i, 123);
    assert_string_equal(world_problems(&w), "");
    assert_null(decode_value(&w, "integer", "${env:TEXT}"));
    assert_string_equal(
        world_problems(&w),
        "--config:1:10: error: integer: expected an integer, got a string: plain text\n");
    world_close(&w);
}

static void test_problems(void **state)
{
    static const struct {
        const char *value, *problem; /* the beginning of the first one */
    } cases[] = {
        {"${env:UNSET}",
         "--config:1:7: warning: the environment variable UNSET is not set; taken as empty"},
        {"${env:1X}", "--config:1:7: error: \"1X\" is not a name of an environment variable"},
        {"${}", "--config:1:7: error: \"\" is not a name"},
        {"${vault:x}", "--config:1:7: error: the scheme of \"vault:x\" is not known"},
        {"${file:/nowhere/at/all}",
         "--config:1:7: error: cannot read the file \"/nowhere/at/all\": No such file"},
        {"${file:/}", "--config:1:7: error: cannot read the file \"/\": Is a directory"},
        {"${env:A$B}", "--config:1:7: error: \"${env:A$B}\": a $ is not allowed inside ${...}"},
        {"${http://127.0.0.1/x}",
         "--config:1:7: error: cannot fetch \"http://127.0.0.1/x\": status 404"},
        {"${env:SELF}", "--config:1:7: error: too many expansions of one value"},
        {"${env:SELF_GROWING}", "--config:1:7: error: too many expansions of one value"},
        {"${env:SELF_DOUBLING}", "--config:1:7: error: "},
        {"${env:SELF_DEEP}", "--config:1:7: error: nested more than 100 levels deep"},
        {"${env:SELF_WIDE}", "--config:1:7: error: nested more than 100 levels deep"},
        {"${env:DUPLICATE}", "--config:1:7: error: duplicate key \"a\""},
        {"${env:LATIN1}", "--config:1:7: error: \"${env:LATIN1}\" is not text in UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;

        world_open(&w);
        decode_value(&w, "node", cases[i].value);
        if (strncmp(world_problems(&w), cases[i].problem, strlen(cases[i].problem)) != 0)
            fail_msg("%s: %s", cases[i].value, world_problems(&w));
        world_close(&w);
    }
}

/* A file with `text`, removed by the caller. */
static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_sources(void **state)
{
    char base[] = "/tmp/pp_config_XXXXXX", part[] = "/tmp/pp_config_XXXXXX", uri[64], over[128];
    const char *uris[] = {base, "yaml:a::b: 2", "http://127.0.0.1/config", over, NULL};
    const char *sets[] = {"a.c=${env:NUMBER}", "d.e=[1, 2]", NULL};
    const struct pp_node *root, *included;
    struct world w;

    (void)state;
    write_file(part, "x: 1\nwrong: [\n  2]\n");
    snprintf(over, sizeof(over), "yaml:part: ${file:%s}", part);
    write_file(base, "a:\n  b: 1\n  c: 1\n  k: kept\n");
    snprintf(uri, sizeof(uri), "file:%s", base);
    world_open(&w);
    root = load(&w, uris, sets);
    assert_string_equal(world_problems(&w), "");
    assert_string_equal(pp_node_get(pp_node_get(root, "a"), "b")->text.p, "2");
    assert_int_equal(pp_node_scalar(pp_node_get(pp_node_get(root, "a"), "c")).i, 123);
    assert_string_equal(pp_node_get(pp_node_get(root, "a"), "k")->text.p, "kept");
    assert_string_equal(pp_node_get(pp_node_get(root, "a"), "k")->mark.file, base);
    assert_int_equal(pp_node_get(pp_node_get(root, "a"), "k")->mark.line, 4);
    assert_string_equal(pp_node_get(root, "from")->text.p, "http");
    assert_int_equal(pp_node_get(pp_node_get(root, "d"), "e")->n, 2);
    included = pp_node_get(pp_node_get(root, "part"), "wrong");
    assert_string_equal(included->items[0]->mark.file,
                        part); /* what is included keeps its own place */
    assert_int_equal(included->items[0]->mark.line, 3);
    uris[0] = uri;
    assert_non_null(load(&w, uris, NULL));
    world_close(&w);
    unlink(base);
    unlink(part);
}

/* Component lists of several sources with `append_lists`. */
static void test_appended_lists(void **state)
{
    static const char *const uris[] = {
        "yaml:{service: {extensions: [a], pipelines: {p: {receivers: [r], processors: [x], exporters: [e, f]}}}, list: [1]}",
        "yaml:{service: {extensions: [b, a], pipelines: {p: {receivers: [s, r, s], processors: [y], exporters: }, q: "
        "{receivers: [r]}}}, list: [2]}",
    };
    struct pp_config_input input = {.uris = uris, .uris_n = 2, .append_lists = true};
    static const struct {
        const char *keys[4], *items; /* joined by spaces */
    } wanted[] = {
        {{"service", "extensions"}, "a b"},
        {{"service", "pipelines", "p", "receivers"}, "r s"},
        {{"service", "pipelines", "p", "processors"}, "y"},
        {{"service", "pipelines", "q", "receivers"}, "r"},
        {{"list"}, "2"},
    };
    const struct pp_node *root;
    struct world w;

    (void)state;
    world_open(&w);
    root = pp_config_load(&w.arena, &input, &fake_io, &w.diags);
    assert_non_null(root);
    for (size_t i = 0; i < COUNT(wanted); i++) {
        const struct pp_node *node = root;
        char items[64] = "";

        for (size_t k = 0; k < 4 && wanted[i].keys[k]; k++)
            node = pp_node_get(node, wanted[i].keys[k]);
        assert_non_null(node);
        for (size_t k = 0; k < node->n; k++)
            snprintf(items + strlen(items), sizeof(items) - strlen(items), "%s" PP_STR_FMT, k ? " " : "",
                     PP_STR_ARG(node->items[k]->text));
        assert_string_equal(items, wanted[i].items);
    }
    world_close(&w);
}

static void test_bad_sources(void **state)
{
    static const struct {
        const char *uri, *set, *problems;
    } cases[] = {
        {NULL, NULL, "error: no configuration; give at least one --config\n"},
        {"yaml:a: 1", "nothing", "--set: error: \"nothing\" is not of the form key.key=value\n"},
        {"yaml:a: 1", "=x", "--set: error: \"=x\" is not of the form key.key=value\n"},
        {"yaml:just text", NULL,
         "--config:1:1: error: a configuration must be a map, not a string\n"},
        {"ftp:x", NULL,
         "--config: error: the scheme of \"ftp:x\" is not known; expected env, file, http, https "
         "or yaml\n"},
        {"/nowhere/x.yaml", NULL,
         "--config: error: cannot read the file \"/nowhere/x.yaml\": No such file or directory\n"},
        {"http://127.0.0.1/y", NULL,
         "--config: error: cannot fetch \"http://127.0.0.1/y\": status 404\n"},
        {"env:UNSET", NULL,
         "--config: warning: the environment variable UNSET is not set; taken as empty\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *uris[] = {cases[i].uri, NULL}, *sets[] = {cases[i].set, NULL};
        struct world w;

        world_open(&w);
        load(&w, uris, sets);
        assert_string_equal(world_problems(&w), cases[i].problems);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),     cmocka_unit_test(test_typed),
        cmocka_unit_test(test_problems),    cmocka_unit_test(test_sources),
        cmocka_unit_test(test_appended_lists),
        cmocka_unit_test(test_bad_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
