#include "config/decode.h"

#include <time.h>

#include "config/groups/grpc_client.h"
#include "config/groups/http_server.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "config/test_support.h"

/* One struct with a row of every kind. */
struct sample {
    bool flag;
    int64_t count;
    double ratio;
    int64_t delay;
    const char *name;
    const char *token;
    int color;
    struct pp_string_list words;
    struct pp_string_map headers;
    struct pp_retry_config retry;
    struct pp_sending_queue_config *queue;
    struct pp_group_list retries;
    struct pp_group_map by_name;
    const struct pp_node *any;
};

static const char *const colors[] = {"red", "green", "blue", NULL};

static const struct pp_field sample_fields[] = {
    PP_ROW_BOOL(struct sample, flag, 0, "A flag."),
    PP_ROW_INT(struct sample, count, 0, 1, 100, "A count."),
    PP_ROW_ALIAS("number", PP_FIELD_DEPRECATED, "write count"),
    PP_ROW_DOUBLE(struct sample, ratio, 0, 0, 1, "A ratio."),
    PP_ROW_DURATION(struct sample, delay, 0, 0, 3600, "A delay."),
    PP_ROW_STRING(struct sample, name, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, "A name."),
    PP_ROW_STRING(struct sample, token, PP_FIELD_SECRET, "A secret."),
    PP_ROW_ENUM(struct sample, color, 0, colors, "A colour."),
    PP_ROW_STRINGS(struct sample, words, PP_FIELD_NONEMPTY, "Words."),
    PP_ROW_STRING_MAP(struct sample, headers, 0, "Headers."),
    PP_ROW_GROUP(struct sample, retry, &pp_retry_group, "Retries."),
    PP_ROW_OPTIONAL(struct sample, queue, &pp_sending_queue_group, "A queue."),
    PP_ROW_LIST(struct sample, retries, 0, &pp_retry_group, "Several."),
    PP_ROW_MAP(struct sample, by_name, 0, &pp_retry_group, "Several by name."),
    PP_ROW_NODE(struct sample, any, 0, "Anything."),
    PP_ROW_IGNORED("sparkle", "There is no sparkle here."),
    PP_ROW_END,
};

static const struct pp_group sample_group = {
    .name = "sample",
    .size = sizeof(struct sample),
    .defaults = &(const struct sample){.count = 7, .ratio = 0.5, .retry = PP_RETRY_DEFAULTS},
    .fields = sample_fields,
};

static const void *decode(struct world *w, const struct pp_group *group, const char *text)
{
    struct pp_path path = {.name = "x"};
    const struct pp_node *node = world_read(w, text);

    assert_non_null(node);
    return pp_decode(&w->arena, group, node, &path, (struct pp_mark){"t.yaml", 1, 1}, &w->diags);
}

static void test_every_kind(void **state)
{
    struct world w;
    const struct sample *s;

    (void)state;
    world_open(&w);
    s = decode(
        &w, &sample_group,
        "flag: true\ncount: 0x10\nratio: 1\ndelay: 1m30.5s\nname: n\ntoken: \"\"\ncolor: blue\n"
        "words: [a, 'b c']\nheaders: {X-B: '1', X-A: two}\nretry: {enabled: false}\nqueue:\n"
        "retries: [{multiplier: 3}, null]\nby_name: {k: {multiplier: 4}}\nany: [1]\n");
    assert_string_equal(world_problems(&w), "");
    assert_non_null(s);
    assert_true(s->flag);
    assert_int_equal(s->count, 16);
    assert_true(s->ratio == 1.0);
    assert_int_equal(s->delay, 90500000000);
    assert_string_equal(s->name, "n");
    assert_string_equal(s->token, "");
    assert_int_equal(s->color, 2);
    assert_int_equal(s->words.n, 2);
    assert_string_equal(s->words.v[1], "b c");
    assert_int_equal(s->headers.n, 2);
    assert_string_equal(s->headers.v[0].key, "X-B");
    assert_string_equal(s->headers.v[1].value, "two");
    assert_false(s->retry.enabled);
    assert_int_equal(s->retry.initial_interval, 5000000000);
    assert_non_null(s->queue);
    assert_int_equal(s->queue->queue_size, 1000);
    assert_int_equal(s->queue->max_bytes_mib, 128);
    assert_int_equal(s->retries.n, 2);
    assert_true(((const struct pp_retry_config *)s->retries.v)[0].multiplier == 3);
    assert_true(((const struct pp_retry_config *)s->retries.v)[1].multiplier == 1.5);
    assert_int_equal(s->by_name.n, 1);
    assert_string_equal(s->by_name.keys[0], "k");
    assert_true(((const struct pp_retry_config *)s->by_name.v)[0].multiplier == 4);
    assert_int_equal(s->any->kind, PP_NODE_LIST);
    world_close(&w);
}

static void test_defaults(void **state)
{
    static const char *const texts[] = {
        "name: n", "{name: n, color: ~, words: , headers: ~, retry: , token: ~}"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct world w;
        const struct sample *s;

        world_open(&w);
        s = decode(&w, &sample_group, texts[i]);
        assert_string_equal(world_problems(&w), "");
        assert_int_equal(s->count, 7);
        assert_true(s->ratio == 0.5);
        assert_true(s->retry.enabled);
        assert_null(s->queue);
        assert_null(s->token);
        assert_null(s->any);
        world_close(&w);
    }
}

static void test_problems(void **state)
{
    static const struct {
        const char *yaml, *problems;
    } cases[] = {
        {"count: 5", "t.yaml:1:1: error: x::name: missing; this key is required\n"},
        {"", "t.yaml:1:1: error: x::name: missing; this key is required\n"},
        {"name:", "t.yaml:1:1: error: x::name: missing; this key is required\n"},
        {"{name: n, count: ~}",
         "t.yaml:1:18: error: x::count: expected an integer from 1 to 100, got nothing\n"},
        {"name: ''", "t.yaml:1:7: error: x::name: must not be empty\n"},
        {"[]", "t.yaml:1:1: error: x: expected a map, got a list\n"},
        {"name: 12",
         "t.yaml:1:7: error: x::name: expected a string (put it in quotes), got an integer: 12\n"},
        {"name: [a]", "t.yaml:1:7: error: x::name: expected a string, got a list\n"},
        {"{name: n, cuont: 5}",
         "t.yaml:1:11: error: x::cuont: unknown key; did you mean \"count\"?\n"},
        {"{name: n, zzzzzzzz: 5}", "t.yaml:1:11: error: x::zzzzzzzz: unknown key\n"},
        {"{name: n, flag: yes}",
         "t.yaml:1:17: error: x::flag: expected true or false, got a string: yes\n"},
        {"{name: n, flag: 'true'}",
         "t.yaml:1:17: error: x::flag: expected true or false, got a string: true\n"},
        {"{name: n, count: 101}",
         "t.yaml:1:18: error: x::count: expected an integer from 1 to 100, got an integer: 101\n"},
        {"{name: n, count: '5'}",
         "t.yaml:1:18: error: x::count: expected an integer from 1 to 100, got a string: 5\n"},
        {"{name: n, count: 1.5}",
         "t.yaml:1:18: error: x::count: expected an integer from 1 to 100, got a number: 1.5\n"},
        {"{name: n, count: 99999999999999999999}",
         "t.yaml:1:18: error: x::count: expected an integer from 1 to 100, got a number: "
         "99999999999999999999\n"},
        {"{name: n, ratio: 1.01}",
         "t.yaml:1:18: error: x::ratio: expected a number from 0 to 1, got a number: 1.01\n"},
        {"{name: n, ratio: .nan}",
         "t.yaml:1:18: error: x::ratio: expected a number from 0 to 1, got a number: .nan\n"},
        {"{name: n, delay: 5x}", "t.yaml:1:18: error: x::delay: expected a duration such as 1m30s "
                                 "or 200ms, got a string: 5x\n"},
        {"{name: n, delay: 2h}",
         "t.yaml:1:18: error: x::delay: expected a duration from 0s to 1h0m0s, got a string: 2h\n"},
        {"{name: n, delay: -1s}", "t.yaml:1:18: error: x::delay: expected a duration from 0s to "
                                  "1h0m0s, got a string: -1s\n"},
        {"{name: n, token: 7777}",
         "t.yaml:1:18: error: x::token: expected a string (put it in quotes), got an integer\n"},
        {"{name: n, color: grean}", "t.yaml:1:18: error: x::color: expected one of red, green, "
                                    "blue, got \"grean\"; did you mean \"green\"?\n"},
        {"{name: n, words: []}", "t.yaml:1:18: error: x::words: must not be empty\n"},
        {"{name: n, words: [a, 2]}", "t.yaml:1:22: error: x::words::1: expected a string (put it "
                                     "in quotes), got an integer: 2\n"},
        {"{name: n, headers: [a]}",
         "t.yaml:1:21: error: x::headers::0: expected {name: ..., value: ...}\n"},
        {"{name: n, headers: {a: 1}}", "t.yaml:1:24: error: x::headers::a: expected a string (put "
                                       "it in quotes), got an integer: 1\n"},
        {"{name: n, headers: x}",
         "t.yaml:1:20: error: x::headers: expected a map of strings, got a string: x\n"},
        {"{name: n, headers: [{name: a, value: 1}]}",
         "t.yaml:1:38: error: x::headers::0: expected a string (put it in quotes), got an integer: "
         "1\n"},
        {"{name: n, retries: {}}", "t.yaml:1:20: error: x::retries: expected a list, got a map\n"},
        {"name: n\nretries:\n  - {multiplier: x}\n  - {multiplyer: 1}\n",
         "t.yaml:3:18: error: x::retries::0::multiplier: expected a number from 0 to 1e+06, got a "
         "string: x\n"
         "t.yaml:4:6: error: x::retries::1::multiplyer: unknown key; did you mean "
         "\"multiplier\"?\n"},
        {"name: n\nretry:\n  max_elapsed_time: 1s\n",
         "t.yaml:3:21: error: x::retry::max_elapsed_time: must not be less than initial_interval\n"
         "t.yaml:3:21: error: x::retry::max_elapsed_time: must not be less than max_interval\n"},
        {"name: n\nqueue:\n  batch:\n    max_size: 10\n",
         "t.yaml:4:15: error: x::queue::batch::max_size: must not be less than min_size (8192)\n"},
        {"name: n\nqueue: {queue_size: 0}\n",
         "t.yaml:2:21: error: x::queue::queue_size: must be more than 0\n"},
        {"{name: n, count: 5, number: 6}",
         "t.yaml:1:21: error: x::number: sets the same as \"count\" in line 1; give one of them\n"},
        {"a: 1\nflag: 2\nname: 3\n",
         "t.yaml:1:1: error: x::a: unknown key\n"
         "t.yaml:2:7: error: x::flag: expected true or false, got an integer: 2\n"
         "t.yaml:3:7: error: x::name: expected a string (put it in quotes), got an integer: 3\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;

        world_open(&w);
        assert_null(decode(&w, &sample_group, cases[i].yaml));
        assert_string_equal(world_problems(&w), cases[i].problems);
        world_close(&w);
    }
}

static void test_warnings(void **state)
{
    struct world w;
    const struct sample *s;

    (void)state;
    world_open(&w);
    s = decode(&w, &sample_group, "name: n\nsparkle: {a: b}\nnumber: 9\ndelay: 5\nwords: a,b,c\n");
    assert_string_equal(
        world_problems(&w),
        "t.yaml:2:1: warning: x::sparkle: ignored: There is no sparkle here.\n"
        "t.yaml:3:1: warning: x::number: deprecated: write count\n"
        "t.yaml:4:8: warning: x::delay: a duration without a unit is read as nanoseconds, as in "
        "the Collector; write 5s, 200ms\n");
    assert_non_null(s);
    assert_int_equal(s->count, 9);
    assert_int_equal(s->delay, 5);
    assert_int_equal(s->words.n, 3);
    assert_string_equal(s->words.v[2], "c");
    world_close(&w);
}

/* Headers may be a list of pairs; text with its own lines survives in a secret. */
static void test_pair_list(void **state)
{
    struct world w;
    const struct sample *s;

    (void)state;
    world_open(&w);
    s = decode(&w, &sample_group,
               "name: n\nheaders:\n  - {name: X-A, value: one}\n  - {value: two, name: X-B}\n");
    assert_string_equal(world_problems(&w), "");
    assert_int_equal(s->headers.n, 2);
    assert_string_equal(s->headers.v[1].key, "X-B");
    assert_string_equal(s->headers.v[1].value, "two");
    world_close(&w);
}

/* Mistakes by the hundred thousand: the list stops, the count goes on, and it takes no time. */
static void test_hostile(void **state)
{
    struct world w;
    struct pp_buf text;
    clock_t begin = clock();

    (void)state;
    world_open(&w);
    pp_buf_init(&text, PP_YAML_BYTES_MAX);
    pp_buf_add_c(&text, "name: n\nretries:\n");
    for (int i = 0; i < 150000; i++)
        pp_buf_printf(&text, "  - {multiplyer%d: x}\n", i);
    pp_buf_add_byte(&text, '\0');
    assert_false(text.failed);
    assert_null(decode(&w, &sample_group, text.data));
    assert_int_equal(w.diags.list.n, PP_DIAGS_MAX);
    assert_int_equal(w.diags.errors, 150000);
    assert_non_null(strstr(world_problems(&w), "\nand 149000 more\n"));
    pp_buf_reset(&text);
    for (int i = 0; i < 200000; i++)
        pp_buf_printf(&text, "k%d:\n", i);
    pp_buf_add_byte(&text, '\0');
    assert_null(decode(&w, &sample_group, text.data));
    assert_int_equal(w.diags.errors, 150001);
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    pp_buf_done(&text);
    world_close(&w);
}

/* Rules of the shared groups, each in the smallest configuration that breaks it. */
static void test_groups(void **state)
{
    static const struct {
        const struct pp_group *group;
        const char *yaml, *problems;
    } cases[] = {
        {&pp_sending_queue_group, "{enabled: false, queue_size: 0}", ""},
        {&pp_grpc_client_group, "endpoint: h:4317", ""},
        {&pp_grpc_client_group, "{endpoint: h:4317, compression: ~, keepalive: ~}", ""},
        {&pp_grpc_client_group, "endpoint: h:1\ntls: {ca_file: a, ca_pem: b}\n",
         "t.yaml:2:27: error: x::tls::ca_pem: give ca_file or ca_pem, not both\n"},
        {&pp_grpc_client_group, "endpoint: h:1\ntls: {cert_file: a}\n",
         "t.yaml:2:18: error: x::tls::cert_file: a certificate needs key_file or key_pem too\n"},
        {&pp_grpc_client_group, "endpoint: h:1\ntls: {max_version: '1.1'}\n",
         "t.yaml:2:20: error: x::tls::max_version: must not be older than min_version (1.2)\n"},
        {&pp_grpc_client_group, "endpoint: h:1\ncompression: zlib\n",
         "t.yaml:2:14: error: x::compression: expected none, gzip, snappy, zstd, got a string: "
         "zlib\n"},
        {&pp_grpc_client_group, "endpoint: h:1\nbalancer_name: best\n",
         "t.yaml:2:16: error: x::balancer_name: \"best\" is not known; expected round_robin or "
         "pick_first\n"},
        {&pp_grpc_client_group, "endpoint: h:1\nauth: {authenticator: basicauth}\n",
         ""},
        {&pp_grpc_client_group, "endpoint: h:1\nauth: {authenticator: ''}\n",
         "t.yaml:2:23: error: x::auth::authenticator: must not be empty\n"},
        {&pp_grpc_client_group, "endpoint: h:1\nauth: {authenticator: a, request_params: [b]}\n",
         "t.yaml:2:26: error: x::auth::request_params: unknown key\n"},
        {&pp_grpc_client_group, "endpoint: h:1\nauth:\n  authenticator:\n",
         "t.yaml:2:1: error: x::auth::authenticator: missing; this key is required\n"},
        {&pp_http_server_group, "endpoint: localhost:0", ""},
        {&pp_http_server_group, "endpoint: '[::1]:4318'", ""},
        {&pp_http_server_group, "endpoint: ':4318'", ""},
        {&pp_http_server_group, "endpoint: /run/x.sock\ntransport: unix\n", ""},
        {&pp_http_server_group, "{}",
         "t.yaml:1:1: error: x::endpoint: missing; this key is required\n"},
        {&pp_http_server_group, "endpoint: localhost",
         "t.yaml:1:11: error: x::endpoint: \"localhost\" has no port; expected host:port\n"},
        {&pp_http_server_group, "endpoint: a:70000",
         "t.yaml:1:11: error: x::endpoint: \"a:70000\": the port must be a number from 0 to "
         "65535\n"},
        {&pp_http_server_group, "endpoint: ::1:80",
         "t.yaml:1:11: error: x::endpoint: \"::1:80\": an IPv6 address stands in brackets: "
         "[::1]:4317\n"},
        {&pp_http_server_group, "endpoint: '[::1]'",
         "t.yaml:1:11: error: x::endpoint: \"[::1]\" has no port; expected host:port\n"},
        {&pp_http_server_group, "endpoint: http://a:80",
         "t.yaml:1:11: error: x::endpoint: \"http://a:80\" is a URL; a server listens on "
         "host:port\n"},
        {&pp_http_server_group, "endpoint: a:1\ntls:\ncors:\nauth:\n", ""},
        {&pp_http_server_group, "endpoint: a:1\nkeepalive: {idle_timeout: 5s}\n", ""},
        {&pp_http_server_group, "endpoint: a:1\ntls: {}\n",
         "t.yaml:2:1: error: x::tls: a TLS server needs cert_file and key_file (or cert_pem and "
         "key_pem)\n"},
        {&pp_http_server_group, "endpoint: a:1\ncompression_algorithms: ['', gzipp]\n",
         "t.yaml:2:30: error: x::compression_algorithms::1: \"gzipp\" is not an encoding; did you "
         "mean \"gzip\"?\n"},
        {&pp_http_server_group, "endpoint: a:1\ncors: {allowed_origins: ['a*b*']}\n",
         "t.yaml:2:26: error: x::cors::allowed_origins::0: \"a*b*\" has more than one `*`\n"},
        {&pp_http_server_group, "endpoint: a:1\nread_buffer_size: 1\n",
         "t.yaml:2:1: error: x::read_buffer_size: unknown key\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;

        world_open(&w);
        decode(&w, cases[i].group, cases[i].yaml);
        assert_string_equal(world_problems(&w), cases[i].problems);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_problems),   cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_groups),     cmocka_unit_test(test_pair_list),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
