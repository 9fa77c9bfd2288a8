/* Configurations that are wrong as graphs, and the order of those that are right. What the document itself checks is tested there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "pipeline/plan.h"

#define FACTORY(kind_, type_, in_, out_)                                                                               \
    {                                                                                                                  \
        PP_FACTORY_DEFAULTS, .kind = kind_, .type = type_, .signals = in_, .signals_out = out_,                        \
        .instance_size = sizeof(struct pp_component), .readme = ""                                                     \
    }

static const char *const old_names[] = {"oldnop", NULL};

struct route_config {
    const char *to;
};

static const struct pp_field route_fields[] = {PP_ROW_STRING(struct route_config, to, 0, "A pipeline."), PP_ROW_END};
static const struct pp_group route_group = {.name = "route", .size = sizeof(struct route_config), .fields = route_fields};

static void route_named(const void *config, void (*fn)(void *arg, const char *path, const char *pipeline_id), void *arg)
{
    const struct route_config *route = config;

    if (route->to)
        fn(arg, "to", route->to);
}

static const struct pp_factory nop_receiver = FACTORY(PP_RECEIVER, "nop", PP_PROFILES | PP_TRACES, 0);
static const struct pp_factory nop_exporter = {
    PP_FACTORY_DEFAULTS, .kind = PP_EXPORTER, .type = "nop", .aliases = old_names, .signals = PP_PROFILES | PP_TRACES,
    .instance_size = sizeof(struct pp_component)};
static const struct pp_factory only_profiles = FACTORY(PP_PROCESSOR, "p", PP_PROFILES, 0);
static const struct pp_factory forward = FACTORY(PP_CONNECTOR, "forward", PP_PROFILES | PP_TRACES, PP_PROFILES | PP_TRACES);
static const struct pp_factory route = {
    PP_FACTORY_DEFAULTS, .kind = PP_CONNECTOR, .type = "route", .signals = PP_PROFILES, .signals_out = PP_PROFILES,
    .config = &route_group, .pipelines_named = route_named, .instance_size = sizeof(struct pp_component)};
static const struct pp_factory ext = FACTORY(PP_EXTENSION, "ext", 0, 0);

/* An extension that offers one thing or the other and may itself use one; an exporter that uses some. */
struct user_config {
    bool signs;
    const char *auth, *storage;
    struct pp_group_list more;
    struct pp_group_map named;
};

static const struct pp_field storage_fields[] = {
    PP_ROW_EXTENSION(struct user_config, storage, 0, PP_OFFERS_STORAGE, "Where."),
    PP_ROW_BOOL(struct user_config, signs, 0, "Unused."),
    {.name = "enabled", .type = PP_FIELD_BOOL, .offset = offsetof(struct user_config, signs), .doc = "Whether the block counts."},
    PP_ROW_END,
};
static const struct pp_group storage_group = {
    .name = "storage", .size = sizeof(struct user_config), .defaults = &(const struct user_config){.signs = true}, .fields = storage_fields};

static const struct pp_field user_fields[] = {
    PP_ROW_BOOL(struct user_config, signs, 0, "Offers client authentication."),
    PP_ROW_EXTENSION(struct user_config, auth, 0, PP_OFFERS_CLIENT_AUTH, "By whom."),
    PP_ROW_LIST(struct user_config, more, 0, &storage_group, "More."),
    PP_ROW_MAP(struct user_config, named, 0, &storage_group, "Still more."),
    PP_ROW_END,
};
static const struct pp_group user_group = {.name = "user", .size = sizeof(struct user_config), .fields = user_fields};

static unsigned user_offers(const void *config)
{
    return ((const struct user_config *)config)->signs ? PP_OFFERS_CLIENT_AUTH : PP_OFFERS_STORAGE;
}

static const struct pp_factory offering = {
    PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = "offering", .config = &user_group, .offers = user_offers,
    .instance_size = sizeof(struct pp_component)};
static const struct pp_factory user = {
    PP_FACTORY_DEFAULTS, .kind = PP_EXPORTER, .type = "user", .signals = PP_PROFILES, .config = &user_group,
    .instance_size = sizeof(struct pp_component)};

static const struct pp_factory *const receivers[] = {&nop_receiver, NULL};
static const struct pp_factory *const processors[] = {&only_profiles, NULL};
static const struct pp_factory *const exporters[] = {&nop_exporter, &user, NULL};
static const struct pp_factory *const connectors[] = {&forward, &route, NULL};
static const struct pp_factory *const extensions[] = {&ext, &offering, NULL};
static const struct pp_factories factories = {{receivers, processors, exporters, connectors, extensions}};

/* The plan of a text, or NULL with the problems printed into `ret_report` (pp_free). */
static struct pp_plan *plan_of(const char *text, bool profiles_only, char **ret_report)
{
    const struct pp_plan_options options = {&factories, {.profiles_only = profiles_only}};
    const struct pp_yaml_source source = {pp_str_c(text), {.file = "c.yaml"}};
    struct pp_arena arena = {0};
    struct pp_diags diags = {0};
    struct pp_plan *plan = NULL;
    const struct pp_node *root = pp_yaml_read(&arena, &source, &diags);
    struct pp_buf out;

    pp_buf_init(&out, 1 << 20);
    assert_non_null(root);
    plan = pp_plan_new(&arena, root, &options, &diags);
    pp_diags_sort(&diags);
    pp_diags_print(&diags, &out);
    *ret_report = pp_str_dup(pp_buf_str(&out));
    pp_buf_done(&out);
    pp_diags_done(&diags);
    pp_arena_done(&arena);
    return plan;
}

static const struct {
    const char *text, *expected;
} bad[] = {
    {"receivers: {nop: }\nexporters: {nop: }\nconnectors:\n  forward:\nservice:\n  pipelines:\n"
     "    profiles: {receivers: [nop], exporters: [nop, forward]}\n",
     "c.yaml:7:51: error: service::pipelines: connector \"forward\" used as exporter in [profiles] pipeline but not used in any "
     "supported receiver pipeline"},
    {"receivers: {nop: }\nexporters: {nop: }\nconnectors:\n  forward:\nservice:\n  pipelines:\n"
     "    profiles: {receivers: [forward], exporters: [nop]}\n    profiles/2: {receivers: [nop], exporters: [nop]}\n",
     "c.yaml:7:28: error: service::pipelines: connector \"forward\" used as receiver in [profiles] pipeline but not used in any "
     "supported exporter pipeline"},
    {"receivers: {nop: }\nexporters: {nop: }\nconnectors:\n  forward/a:\n  forward/b:\nservice:\n  pipelines:\n"
     "    profiles/in: {receivers: [nop], exporters: [forward/a]}\n"
     "    profiles/1: {receivers: [forward/a], exporters: [forward/b]}\n"
     "    profiles/2: {receivers: [forward/b], exporters: [forward/a, nop]}\n",
     "c.yaml:4:3: error: connectors: cycle of pipelines through connectors: \"forward/a\" -> \"forward/b\" -> \"forward/a\""},
    {"receivers: {nop: }\nexporters: {nop: }\nprocessors: {p: }\nconnectors:\n  forward:\nservice:\n  pipelines:\n"
     "    profiles: {receivers: [nop, forward], processors: [p], exporters: [forward, nop]}\n",
     "c.yaml:5:3: error: connectors: cycle of pipelines through connectors: \"forward\" -> \"forward\""},
    {"receivers: {nop: }\nexporters: {nop: }\nconnectors:\n  route:\n    to: profiles/y\nservice:\n  pipelines:\n"
     "    profiles: {receivers: [nop], exporters: [route]}\n    profiles/x: {receivers: [route], exporters: [nop]}\n",
     "c.yaml:5:9: error: connectors::route::to: pipeline \"profiles/y\" does not have this connector among its receivers"},
    {"receivers: {nop: }\nexporters: {nop: }\nservice:\n  pipelines:\n    profiles: {receivers: [nop], exporters: [nopp]}\n",
     "c.yaml:5:46: error: service::pipelines::profiles::exporters::0: the exporter \"nopp\" is not configured; did you mean "
     "\"nop\"?"},
    {"receivers: {nop: }\nexporters: {nop: }\nprocessors: {p: }\nservice:\n  pipelines:\n"
     "    traces: {receivers: [nop], processors: [p], exporters: [nop]}\n",
     "c.yaml:6:45: error: service::pipelines::traces: the processor \"p\" carries profiles, not traces; with --profiles-only this "
     "pipeline is skipped"},
};

#define USER(extensions_, running, keys)                                                                               \
    "receivers: {nop: }\nexporters:\n  user:\n    " keys "\nextensions: {" extensions_ "}\nservice:\n"                \
    "  extensions: [" running "]\n  pipelines: {profiles: {receivers: [nop], exporters: [user]}}\n"

static const struct {
    const char *text, *expected; /* NULL: right */
} uses[] = {
    {USER("offering: {signs: true}", "offering", "auth: offering"), NULL},
    {USER("offering/a: ", "offering/a", "more: [{}, {storage: offering/a}]"), NULL},
    {USER("offering/a: ", "offering/a", "more: [{enabled: false, storage: nothing}]"), NULL},
    {USER("offering/a: ", "offering/a", "auth: offering"),
     "c.yaml:4:11: error: exporters::user::auth: the extension \"offering\" is not configured; did you mean \"offering/a\"?"},
    {USER("", "", "auth: offering"), "c.yaml:4:11: error: exporters::user::auth: the extension \"offering\" is not configured\n"},
    {USER("offering: {signs: true}", "", "auth: offering"),
     "c.yaml:4:11: error: exporters::user::auth: the extension \"offering\" does not run: add it to service::extensions"},
    {USER("offering: ", "offering", "auth: offering"),
     "c.yaml:4:11: error: exporters::user::auth: the extension \"offering\" is not a client authenticator as it is configured"},
    {USER("ext: ", "ext", "more: [{}, {storage: ext}]"),
     "c.yaml:4:26: error: exporters::user::more::1::storage: the extension \"ext\" is not a storage extension as it is configured"},
    {USER("offering: {signs: true}", "offering", "named: {x: {storage: offering}}"),
     "c.yaml:4:26: error: exporters::user::named::x::storage: the extension \"offering\" is not a storage extension"},
    {USER("offering/1: {signs: true, auth: offering/2}, offering/2: {signs: true, auth: offering/1}", "offering/1, offering/2",
          "auth: offering/2"),
     "error: extensions: extensions that use each other: \"offering/1\" -> \"offering/2\" -> \"offering/1\""},
};

static void extensions_that_are_used_must_be_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        char *report;
        struct pp_plan *plan = plan_of(uses[i].text, false, &report);

        if (!plan != !!uses[i].expected || (uses[i].expected && !strstr(report, uses[i].expected)))
            fail_msg("case %zu: %s, expected:\n%s\ngot:\n%s", i, plan ? "accepted" : "refused", uses[i].expected, report);
        pp_free(report);
        pp_plan_unref(plan);
    }
}

static void wrong_graphs_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *report;
        struct pp_plan *plan = plan_of(bad[i].text, false, &report);

        if (plan || !strstr(report, bad[i].expected))
            fail_msg("case %zu: %s, expected:\n%s\ngot:\n%s", i, plan ? "accepted" : "refused", bad[i].expected, report);
        pp_free(report);
    }
}

static size_t place_of(const struct pp_plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->nodes.n; i++)
        if (strcmp(plan->nodes.v[i].spec.id, id) == 0)
            return i;
    fail_msg("no node %s", id);
    return 0;
}

static void order_is_extensions_then_targets_then_receivers(void **state)
{
    char *report;
    struct pp_plan *plan = plan_of("receivers: {nop/1: , nop/2: }\nexporters: {nop/a: , oldnop/b: }\nprocessors: {p: }\n"
                                   "connectors: {forward: }\nextensions: {ext: }\nservice:\n  extensions: [ext]\n  pipelines:\n"
                                   "    profiles/1: {receivers: [nop/1], processors: [p], exporters: [forward, nop/a]}\n"
                                   "    profiles/2: {receivers: [forward, nop/2], exporters: [oldnop/b, nop/a]}\n",
                                   false, &report);

    (void)state;
    if (!plan)
        fail_msg("%s", report);
    assert_int_equal(plan->nodes.n, 7);
    assert_int_equal(place_of(plan, "ext"), 0);
    assert_true(place_of(plan, "nop/1") >= 5);
    assert_true(place_of(plan, "nop/2") >= 5);
    assert_true(place_of(plan, "p") > place_of(plan, "forward"));
    assert_true(place_of(plan, "forward") > place_of(plan, "nop/a"));
    assert_true(place_of(plan, "forward") > place_of(plan, "oldnop/b"));
    /* The second receiver feeds both exporters directly, the first one only its processor. */
    assert_int_equal(plan->nodes.v[place_of(plan, "nop/2")].edges.n, 2);
    assert_int_equal(plan->nodes.v[place_of(plan, "nop/1")].edges.n, 1);
    assert_int_equal(plan->nodes.v[place_of(plan, "nop/1")].edges.v[0].to, place_of(plan, "p"));
    pp_free(report);
    pp_plan_unref(plan);
}

static void extensions_start_after_those_they_use(void **state)
{
    char *report;
    struct pp_plan *plan = plan_of(USER("offering/1: {signs: true, auth: offering/2}, offering/2: {signs: true}", "offering/1, offering/2",
                                        "auth: offering/1"),
                                   false, &report);
    const struct pp_plan_node *node;

    (void)state;
    if (!plan)
        fail_msg("%s", report);
    assert_int_equal(place_of(plan, "offering/2"), 0);
    assert_int_equal(place_of(plan, "offering/1"), 1);
    node = &plan->nodes.v[place_of(plan, "user")];
    assert_int_equal(node->uses.n, 1);
    assert_int_equal(node->uses.v[0].node, 1);
    assert_string_equal(node->uses.v[0].id, "offering/1");
    assert_int_equal(plan->nodes.v[1].uses.v[0].node, 0);
    pp_free(report);
    pp_plan_unref(plan);
}

/* What the document finds does not hide what the graph finds. */
static void all_kinds_of_errors_in_one_run(void **state)
{
    static const char *const text = "receivers: {nop: {}, nip: {}}\nexporters: {nop: {unknown: 1}, user: {auth: nobody, more: 7}}\n"
                                    "processors: {p: , q: }\nconnectors: {forward/a: , forward/b: , route: {to: profiles/away}}\n"
                                    "extensions: {none: }\nservice:\n  extensions: [none]\n  pipelines:\n"
                                    "    profiles: {receivers: [nop, nip, forward/b, ghost], processors: [p, q], exporters: [user, forward/a, route]}\n"
                                    "    profiles/2: {receivers: [forward/a, route], exporters: [nop, forward/b]}\n"
                                    "    profiles/3: {receivers: [nip], exporters: [nop]}\n";
    static const char *const wanted[] = {
        "there is no receiver of type \"nip\"", "unknown", "more", "there is no processor of type \"q\"",
        "there is no extension of type \"none\"", "the receiver \"ghost\" is not configured",
        "c.yaml:4:52: error: connectors::route::to: pipeline \"profiles/away\" does not have this connector among its receivers",
        "cycle of pipelines through connectors",
    };
    char *report;

    (void)state;
    assert_null(plan_of(text, false, &report));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!strstr(report, wanted[i]))
            fail_msg("no \"%s\" in:\n%s", wanted[i], report);
    assert_null(strstr(report, "profiles-only"));
    pp_free(report);
}

static void profiles_only_leaves_out_what_cannot_run(void **state)
{
    static const char *const text =
        "receivers: {nop: , jaeger: {protocols: {grpc: }}}\nexporters: {nop: }\nprocessors: {batch: }\n"
        "connectors: {forward: }\nservice:\n  pipelines:\n"
        "    traces: {receivers: [jaeger], processors: [batch], exporters: [forward]}\n"
        "    profiles: {receivers: [nop, forward], exporters: [nop]}\n";
    char *report;
    struct pp_plan *plan = plan_of(text, true, &report);

    (void)state;
    if (!plan)
        fail_msg("%s", report);
    assert_int_equal(plan->nodes.n, 2);
    assert_int_equal(plan->pipelines.n, 1);
    assert_non_null(strstr(report, "connector \"forward\" is left out"));
    assert_null(strstr(report, "error"));
    assert_string_equal(plan->pipelines.v[0].receivers[0], "nop");
    assert_null(plan->pipelines.v[0].receivers[1]);
    pp_free(report);
    pp_plan_unref(plan);
    assert_null(plan_of(text, false, &report));
    pp_free(report);
}

static void profiles_only_needs_something_left(void **state)
{
    char *report;

    (void)state;
    assert_null(plan_of("receivers: {jaeger: }\nexporters: {nop: }\nconnectors: {forward: }\nservice:\n  pipelines:\n"
                        "    traces: {receivers: [jaeger], exporters: [forward]}\n"
                        "    profiles: {receivers: [forward], exporters: [nop]}\n",
                        true, &report));
    assert_non_null(strstr(report, "c.yaml:7:5: error: service::pipelines: pipeline \"profiles\" has no receivers left"));
    pp_free(report);
}

static void sameness_follows_the_text(void **state)
{
    static const char *const one = "receivers: {nop: }\nexporters: {nop: }\nconnectors: {route: {to: profiles/x}}\n"
                                   "service: {pipelines: {profiles: {receivers: [nop], exporters: [route]}, profiles/x: "
                                   "{receivers: [route], exporters: [nop]}}}\n";
    static const char *const other = "receivers: {nop: }\nexporters: {nop: }\nconnectors: {route: {}}\n"
                                     "service: {pipelines: {profiles: {receivers: [nop], exporters: [route]}, profiles/x: "
                                     "{receivers: [route], exporters: [nop]}}}\n";
    char *report;
    struct pp_plan *a = plan_of(one, false, &report), *b, *c;

    (void)state;
    pp_free(report);
    b = plan_of(one, false, &report);
    pp_free(report);
    c = plan_of(other, false, &report);
    pp_free(report);
    for (size_t i = 0; i < a->nodes.n; i++) {
        bool is_route = strcmp(a->nodes.v[i].spec.id, "route") == 0;

        assert_true(pp_plan_node_same(&a->nodes.v[i], &b->nodes.v[i]));
        assert_true(pp_plan_node_is(&a->nodes.v[i], &c->nodes.v[i]));
        assert_int_equal(pp_plan_node_same(&a->nodes.v[i], &c->nodes.v[i]), !is_route);
    }
    pp_plan_unref(a);
    pp_plan_unref(b);
    pp_plan_unref(c);
}

/* Every allocation fails once: the plan is refused, and nothing leaks or is touched that is not there. */
static void no_allocation_failure_goes_wrong(void **state)
{
    static const char *const text =
        "receivers: {nop: }\nexporters: {nop: , user: {auth: offering}}\nprocessors: {p: }\n"
        "connectors: {forward: , route: {to: profiles/2}}\nextensions: {offering: {signs: true}}\n"
        "service:\n  extensions: [offering]\n  pipelines:\n    profiles: {receivers: [nop], processors: [p], exporters: [forward, route]}\n"
        "    profiles/2: {receivers: [forward, route], exporters: [nop, user]}\n";
    const struct pp_plan_options options = {&factories, {0}};
    struct pp_plan *plan = NULL;
    size_t n;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    for (n = 1; !plan && n < 100000; n++) {
        const struct pp_yaml_source source = {pp_str_c(text), {.file = "c.yaml"}};
        struct pp_arena arena = {0};
        struct pp_diags diags = {0};
        const struct pp_node *root = pp_yaml_read(&arena, &source, &diags);
        bool failed;

        assert_non_null(root);
        pp_alloc_fail_at(n);
        plan = pp_plan_new(&arena, root, &options, &diags);
        failed = pp_alloc_count() >= n;
        pp_alloc_fail_at(0);
        assert_int_equal(plan == NULL, failed);
        if (!plan)
            assert_true(pp_diags_failed(&diags));
        pp_diags_done(&diags);
        pp_arena_done(&arena);
    }
    assert_true(n > 10);
    pp_plan_unref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_graphs_are_told_apart),
        cmocka_unit_test(extensions_that_are_used_must_be_there),
        cmocka_unit_test(extensions_start_after_those_they_use),
        cmocka_unit_test(order_is_extensions_then_targets_then_receivers),
        cmocka_unit_test(all_kinds_of_errors_in_one_run),
        cmocka_unit_test(profiles_only_leaves_out_what_cannot_run),
        cmocka_unit_test(profiles_only_needs_something_left),
        cmocka_unit_test(sameness_follows_the_text),
        cmocka_unit_test(no_allocation_failure_goes_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
