#include "config/print.h"

#include "config/decode.h"
#include "config/groups/grpc_client.h"
#include "config/groups/http_server.h"
#include "config/groups/sending_queue.h"
#include "config/schema.h"
#include "config/table.h"
#include "config/test_support.h"

/* A component as a real one is put together: inline groups, a secret, a list of blocks. */
struct rule {
    const char *key;
    double weight;
};

struct exporter {
    struct pp_grpc_client_config client;
    struct pp_sending_queue_config sending_queue;
    struct pp_group_list rules;
    const struct pp_node *extra;
    int64_t wait;
};

static const struct pp_field rule_fields[] = {
    PP_ROW_STRING(struct rule, key, PP_FIELD_REQUIRED, "A key | with a bar."),
    PP_ROW_DOUBLE(struct rule, weight, 0, 0, 1, "A weight."),
    PP_ROW_END,
};

static const struct pp_group rule_group = {
    .name = "rule",
    .size = sizeof(struct rule),
    .defaults = &(const struct rule){.weight = 0.1},
    .fields = rule_fields,
};

static const struct pp_field exporter_fields[] = {
    PP_ROW_INLINE(struct exporter, client, &pp_grpc_client_group),
    PP_ROW_GROUP(struct exporter, sending_queue, &pp_sending_queue_group, "The queue."),
    PP_ROW_LIST(struct exporter, rules, 0, &rule_group, "Rules."),
    PP_ROW_NODE(struct exporter, extra, 0, "Anything."),
    PP_ROW_DURATION(struct exporter, wait, 0, 0, 60, "A wait."),
    PP_ROW_ALIAS("pause", PP_FIELD_DEPRECATED, "write wait"),
    PP_ROW_END,
};

static const struct pp_group exporter_group = {
    .name = "exporter",
    .size = sizeof(struct exporter),
    .defaults = &(const struct exporter){.client = PP_GRPC_CLIENT_DEFAULTS,
                                         .sending_queue = PP_SENDING_QUEUE_DEFAULTS,
                                         .wait = 1500000000},
    .fields = exporter_fields,
};

static const char written[] = "endpoint: h:4317\n"
                              "headers: {authorization: 'Bearer x', empty: ''}\n"
                              "tls: {ca_file: /ca.pem, key_pem: \"a\\nb\", cert_pem: c}\n"
                              "keepalive: {}\n"
                              "rules: [{key: 'true'}, {key: 'a: b', weight: 0.25}]\n"
                              "extra: [{a: [[1, '1'], []]}, {}, 0x10, ~, \"\\u2028\\x7fx\"]\n";

static const char redacted[] = "endpoint: h:4317\n"
                               "compression: gzip\n"
                               "tls:\n"
                               "  insecure: false\n"
                               "  insecure_skip_verify: false\n"
                               "  ca_file: /ca.pem\n"
                               "  include_system_ca_certs_pool: false\n"
                               "  cert_pem: \"[REDACTED]\"\n"
                               "  key_pem: \"[REDACTED]\"\n"
                               "  min_version: \"\"\n"
                               "  max_version: \"\"\n"
                               "  cipher_suites: []\n"
                               "  curve_preferences: []\n"
                               "  reload_interval: 0s\n"
                               "keepalive:\n"
                               "  time: 10s\n"
                               "  timeout: 10s\n"
                               "  permit_without_stream: false\n"
                               "wait_for_ready: false\n"
                               "headers:\n"
                               "  authorization: \"[REDACTED]\"\n"
                               "  empty: \"\"\n"
                               "balancer_name: round_robin\n"
                               "middlewares: []\n"
                               "sending_queue:\n"
                               "  enabled: true\n"
                               "  num_consumers: 10\n"
                               "  queue_size: 1000\n"
                               "  max_bytes_mib: 128\n"
                               "  sizer: requests\n"
                               "  block_on_overflow: false\n"
                               "  wait_for_result: false\n"
                               "rules:\n"
                               "  - key: \"true\"\n"
                               "    weight: 0.1\n"
                               "  - key: \"a: b\"\n"
                               "    weight: 0.25\n"
                               "extra:\n"
                               "  - a:\n"
                               "      - - 1\n"
                               "        - \"1\"\n"
                               "      - []\n"
                               "  - {}\n"
                               "  - 0x10\n"
                               "  - null\n"
                               "  - \"\\u2028\\u007Fx\"\n"
                               "wait: 1.5s\n";

static const void *decode(struct world *w, const char *text)
{
    const struct pp_node *node = world_read(w, text);

    if (!node)
        fail_msg("%s\n%s", text, world_problems(w));
    return pp_decode(&w->arena, &exporter_group, node, NULL, node->mark, &w->diags);
}

/* The text of a decoded struct, in the world's arena. */
static const char *print(struct world *w, const void *value, enum pp_emit_format format,
                         bool redact)
{
    struct pp_print_options options = {.format = format, .redact = redact};
    struct pp_buf out;
    const char *text;

    pp_buf_init(&out, 1 << 16);
    assert_true(pp_print_struct(&exporter_group, value, &options, &out));
    text = pp_arena_strdup(&w->arena, pp_buf_str(&out));
    assert_non_null(text);
    pp_buf_done(&out);
    return text;
}

static void test_struct(void **state)
{
    static const enum pp_emit_format formats[] = {PP_EMIT_YAML, PP_EMIT_JSON};
    struct world w;
    const void *value, *again;

    (void)state;
    world_open(&w);
    value = decode(&w, written);
    assert_string_equal(world_problems(&w), "");
    assert_string_equal(print(&w, value, PP_EMIT_YAML, true), redacted);
    for (size_t i = 0; i < COUNT(formats); i++) { /* what is printed decodes to what was printed */
        again = decode(&w, print(&w, value, formats[i], false));
        assert_string_equal(world_problems(&w), "");
        assert_string_equal(print(&w, again, PP_EMIT_JSON, false),
                            print(&w, value, PP_EMIT_JSON, false));
    }
    assert_non_null(strstr(print(&w, value, PP_EMIT_YAML, false), "authorization: \"Bearer x\"\n"));
    world_close(&w);
}

static void test_canonical(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"endpoint: h", "endpoint: \"h\" # comment", true},
        {"endpoint: h", "{wait: 1500ms, endpoint: h}", true},
        {"{endpoint: h, tls: {}}", "endpoint: h", true},
        {"{endpoint: h, pause: 2s}", "{endpoint: h, wait: 2s}", true},
        {"endpoint: h", "endpoint: g", false},
        {"endpoint: h", "{endpoint: h, keepalive: {}}", false},
        {"{endpoint: h, headers: {a: x}}", "{endpoint: h, headers: {a: y}}",
         false}, /* secrets count */
        {"{endpoint: h, extra: 1}", "{endpoint: h, extra: '1'}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        const char *a, *b;

        world_open(&w);
        a = print(&w, decode(&w, cases[i].a), PP_EMIT_YAML, false);
        b = print(&w, decode(&w, cases[i].b), PP_EMIT_YAML, false);
        assert_int_equal(strcmp(a, b) == 0, cases[i].same);
        world_close(&w);
    }
}

/* What would expand when it is read again is doubled, in values only. */
static void test_dollars(void **state)
{
    const struct pp_print_options options = {.format = PP_EMIT_YAML, .as_source = true};
    struct pp_buf out;
    struct world w;

    (void)state;
    world_open(&w);
    pp_buf_init(&out, 1000);
    assert_true(
        pp_print_node(world_read(&w, "['${A}', '$$', 'a$b', {'${k}': 'x$${A}'}]"), &options, &out));
    pp_buf_add_byte(&out, '\0');
    assert_string_equal(out.data, "- \"$${A}\"\n- \"$$$$\"\n- \"a$b\"\n- \"${k}\": \"x$$$${A}\"\n");
    pp_buf_done(&out);
    world_close(&w);
}

static void test_doubles(void **state)
{
    static const double values[] = {0.1, 1.0 / 3, 1e300, 5e-324, -0.5, 3, 1e15, 123456789.123};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        struct pp_buf out;
        struct pp_emitter e = {.out = &out, .format = PP_EMIT_YAML};
        struct pp_scalar scalar;

        pp_buf_init(&out, 100);
        pp_emit_double(&e, values[i]);
        out.len--; /* the newline */
        scalar = pp_scalar_read(pp_buf_str(&out));
        assert_true((scalar.type == PP_SCALAR_INT ? (double)scalar.i : scalar.f) == values[i]);
        pp_buf_done(&out);
    }
}

static void test_table(void **state)
{
    static const char *const lines[] = {
        "| key | type | default | meaning |\n|---|---|---|---|\n| `endpoint` | string | required | "
        "Where to send",
        "| `compression` | `none`, `gzip`, `snappy`, `zstd` | `\"gzip\"` | Encoding of what is "
        "sent. |\n",
        "| `tls` | block |  | How to trust",
        "| `tls.ca_file` | string |  | PEM file",
        "| `keepalive` | block | absent | Pings",
        "| `keepalive.time` | duration | `\"10s\"` | Silence",
        "| `sending_queue.num_consumers` | integer, 1 to 1000 | `10` | Messages under way at once. |\n",
        "| `rules` | list of blocks | `[]` | Rules. |\n| `rules[].key` | string | required | A key "
        "\\| with a bar. |\n",
        "| `rules[].weight` | number, 0 to 1 | `0.1` | A weight. |\n",
        "| `pause` | duration | `\"1.5s\"` | write wait Deprecated. |\n",
        "ignored, with a warning: `tls.include_insecure_cipher_suites`, `tls.tpm`, "
        "`read_buffer_size`,",
    };
    struct pp_buf out;

    (void)state;
    pp_buf_init(&out, 1 << 16);
    assert_true(pp_table_print(&exporter_group, &out));
    pp_buf_add_byte(&out, '\0');
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (!strstr(out.data, lines[i]))
            fail_msg("not in the table: %s\n%s", lines[i], out.data);
    }
    pp_buf_done(&out);
}

/* Follows "a/b/c" into a tree. */
static const struct pp_node *at(const struct pp_node *node, const char *path)
{
    char parts[256];
    char *rest = parts, *part;

    strcpy(parts, path);
    while ((part = strsep(&rest, "/")) != NULL) {
        node = pp_node_get(node, part);
        if (!node)
            fail_msg("the schema has no %s (of %s)", part, path);
    }
    return node;
}

static void test_schema(void **state)
{
    static const char *const aliases[] = {"otlp", NULL};
    const struct pp_schema_type types[] = {
        {PP_SECTION_EXPORTERS, "otlp_grpc", aliases, "Sends over gRPC.", &exporter_group},
        {PP_SECTION_RECEIVERS, "nop", NULL, "Does nothing.", NULL},
    };
    const struct pp_node *schema, *group, *retries;
    struct pp_buf out;
    struct world w;

    (void)state;
    world_open(&w);
    pp_buf_init(&out, 1 << 20);
    assert_true(pp_schema_print(types, COUNT(types), &out));
    pp_buf_add_byte(&out, '\0');
    schema = world_read(&w, out.data); /* JSON is YAML */
    assert_string_equal(world_problems(&w), "");
    assert_string_equal(at(schema, "$schema")->text.p,
                        "https://json-schema.org/draft/2020-12/schema");
    assert_string_equal(
        pp_node_get(
            pp_node_get(at(schema, "properties/exporters/patternProperties"), "^otlp(/.+)?$"),
            "$ref")
            ->text.p,
        "#/$defs/exporters.otlp_grpc");
    group = at(schema, "$defs/exporters.otlp_grpc/anyOf")->items[0];
    assert_string_equal(at(group, "required")->items[0]->text.p, "endpoint");
    assert_int_equal(at(group, "required")->n, 1);
    assert_string_equal(at(group, "additionalProperties")->text.p, "false");
    assert_string_equal(at(group, "properties/compression/default")->text.p, "gzip");
    assert_string_equal(at(group, "properties/read_buffer_size/deprecated")->text.p, "true");
    assert_string_equal(at(group, "properties/pause/deprecated")->text.p, "true");
    retries = at(group, "properties/sending_queue/anyOf")->items[0];
    assert_string_equal(
        at(at(retries, "properties/num_consumers/anyOf")->items[0], "maximum")->text.p, "1000");
    at(schema, "properties/service/properties/pipelines");
    at(schema, "$defs/receivers.nop");
    pp_buf_done(&out);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_struct),  cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_doubles), cmocka_unit_test(test_dollars),
        cmocka_unit_test(test_table),   cmocka_unit_test(test_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
