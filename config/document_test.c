#include "config/document.h"

#include "config/groups/retry_on_failure.h"
#include "config/load.h"
#include "config/test_support.h"

#define PROFILES (1u << PP_PIPELINE_PROFILES)
#define TRACES (1u << PP_PIPELINE_TRACES)

/* The types of a small imaginary build. */
static const struct fake_type {
    enum pp_section section;
    const char *name, *alias;
    unsigned signals, signals_out;
    const struct pp_group *config;
} fakes[] = {
    {PP_SECTION_RECEIVERS, "otlp", NULL, PROFILES, 0, NULL},
    {PP_SECTION_RECEIVERS, "both", NULL, PROFILES | TRACES, 0, NULL},
    {PP_SECTION_PROCESSORS, "resource", NULL, PROFILES, 0, NULL},
    {PP_SECTION_PROCESSORS, "memory_limiter", NULL, PROFILES, 0, NULL},
    {PP_SECTION_EXPORTERS, "otlp_http", "otlphttp", PROFILES, 0, &pp_retry_group},
    {PP_SECTION_EXPORTERS, "both", NULL, PROFILES | TRACES, 0, NULL},
    {PP_SECTION_CONNECTORS, "forward", NULL, PROFILES, PROFILES, NULL},
    {PP_SECTION_CONNECTORS, "spans", NULL, TRACES, PROFILES, NULL},
    {PP_SECTION_EXTENSIONS, "zpages", NULL, 0, 0, NULL},
};

static bool fake_find(void *ctx, enum pp_section section, struct pp_str type,
                      struct pp_doc_type *ret)
{
    (void)ctx;
    for (size_t i = 0; i < COUNT(fakes); i++) {
        const struct fake_type *fake = &fakes[i];
        if (fake->section != section ||
            (!pp_str_eq_c(type, fake->name) && !(fake->alias && pp_str_eq_c(type, fake->alias))))
            continue;
        *ret = (struct pp_doc_type){
            .factory = fake,
            .config = fake->config,
            .signals = fake->signals,
            .signals_out = fake->signals_out,
        };
        return true;
    }
    return false;
}

static const char *const *fake_names(void *ctx, enum pp_section section)
{
    static const char *names[COUNT(fakes) + 1];
    size_t n = 0;

    (void)ctx;
    for (size_t i = 0; i < COUNT(fakes); i++) {
        if (fakes[i].section == section)
            names[n++] = fakes[i].name;
    }
    names[n] = NULL;
    return names;
}

static const struct pp_document *read_document(struct world *w, const char *text,
                                               bool profiles_only)
{
    const struct pp_doc_types types = {NULL, fake_find, fake_names};
    const struct pp_document_options options = {.profiles_only = profiles_only};
    const struct pp_node *root = world_read(w, text);

    assert_non_null(root);
    return pp_document_read(&w->arena, root, &types, &options, &w->diags);
}

static const char whole[] = "receivers:\n"
                            "  otlp:\n"
                            "  otlp/second: {}\n"
                            "processors:\n"
                            "  resource:\n"
                            "exporters:\n"
                            "  otlphttp/central:\n"
                            "    multiplier: 3\n"
                            "connectors:\n"
                            "  forward:\n"
                            "extensions:\n"
                            "  zpages:\n"
                            "service:\n"
                            "  extensions: [zpages]\n"
                            "  pipelines:\n"
                            "    profiles:\n"
                            "      receivers: [otlp, otlp/second]\n"
                            "      processors: [resource]\n"
                            "      exporters: [forward]\n"
                            "    profiles/out:\n"
                            "      receivers: [forward]\n"
                            "      exporters: [otlphttp/central]\n"
                            "  telemetry:\n"
                            "    logs: {level: WARN, encoding: json}\n"
                            "    resource: {service.name: x, host.name: null}\n";

static void test_whole(void **state)
{
    struct world w;
    const struct pp_document *doc;
    const struct pp_doc_pipeline *pipeline;
    const char *name, *value;

    (void)state;
    world_open(&w);
    doc = read_document(&w, whole, false);
    assert_string_equal(world_problems(&w), "");
    assert_non_null(doc);
    assert_int_equal(doc->components[PP_SECTION_RECEIVERS].n, 2);
    assert_string_equal(doc->components[PP_SECTION_RECEIVERS].v[1].id, "otlp/second");
    assert_int_equal(doc->components[PP_SECTION_RECEIVERS].v[1].mark.line, 3);
    assert_ptr_equal(doc->components[PP_SECTION_EXPORTERS].v[0].type.factory, &fakes[4]);
    assert_true(((const struct pp_retry_config *)doc->components[PP_SECTION_EXPORTERS].v[0].config)
                    ->multiplier == 3);
    assert_int_equal(doc->pipelines.n, 2);
    pipeline = &doc->pipelines.v[0];
    assert_int_equal(pipeline->signal, PP_PIPELINE_PROFILES);
    assert_int_equal(pipeline->receivers.n, 2);
    assert_int_equal(pipeline->receivers.v[1].mark.line, 17);
    assert_int_equal(pipeline->receivers.v[1].mark.column, 25);
    assert_ptr_equal(pipeline->exporters.v[0].component,
                     &doc->components[PP_SECTION_CONNECTORS].v[0]);
    assert_ptr_equal(doc->pipelines.v[1].receivers.v[0].component,
                     &doc->components[PP_SECTION_CONNECTORS].v[0]);
    assert_int_equal(doc->extensions.n, 1);
    assert_int_equal(pp_telemetry_log_level(doc->telemetry), PP_TELEMETRY_WARN);
    assert_int_equal(doc->telemetry->logs.encoding, PP_TELEMETRY_JSON);
    assert_int_equal(pp_telemetry_endpoint(doc->telemetry, 0)->port, 8888);
    assert_null(pp_telemetry_endpoint(doc->telemetry, 1));
    assert_true(pp_telemetry_attribute(doc->telemetry, 0, &name, &value));
    assert_string_equal(name, "service.name");
    assert_string_equal(value, "x");
    assert_true(pp_telemetry_attribute(doc->telemetry, 1, &name, &value));
    assert_null(value);
    assert_false(pp_telemetry_attribute(doc->telemetry, 2, &name, &value));
    world_close(&w);
}

#define SMALL(receivers, exporters, pipelines)                                                     \
    "receivers:\n  otlp:\n" receivers "exporters:\n  both:\n" exporters                            \
    "service:\n  pipelines:\n" pipelines
#define PIPELINE "    profiles: {receivers: [otlp], exporters: [both]}\n"

static void test_problems(void **state)
{
    static const struct {
        const char *yaml, *problems;
    } cases[] = {
        {SMALL("", "", PIPELINE), ""},
        {"{}", "t.yaml:1:1: error: service::pipelines: at least one pipeline is needed\n"},
        {"[]", "t.yaml:1:1: error: expected a map, got a list\n"
               "t.yaml:1:1: error: service::pipelines: at least one pipeline is needed\n"},
        {SMALL("", "", PIPELINE) "recievers: {}\n",
         "t.yaml:8:1: error: recievers: unknown key; did you mean \"receivers\"?\n"},
        {SMALL("  otpl/x:\n", "", PIPELINE), "t.yaml:3:3: error: receivers::otpl/x: there is no "
                                             "receiver of type \"otpl\"; did you mean \"otlp\"?\n"},
        {SMALL("  zpages:\n", "", PIPELINE),
         "t.yaml:3:3: error: receivers::zpages: there is no receiver of type \"zpages\"; it "
         "belongs under extensions\n"},
        {SMALL("  kafka:\n", "", PIPELINE),
         "t.yaml:3:3: error: receivers::kafka: there is no receiver of type \"kafka\"\n"},
        {SMALL("  otlp/a b:\n", "", PIPELINE),
         "t.yaml:3:3: error: receivers::otlp/a b: a name must have no white space, control "
         "characters or symbols, "
         "and at most 1024 characters\n"},
        {SMALL("  otlp/:\n", "", PIPELINE),
         "t.yaml:3:3: error: receivers::otlp/: the part behind the / must not be empty\n"},
        {SMALL("  ' otlp ':\n", "", PIPELINE),
         "t.yaml:3:3: error: receivers:: otlp : the same id as in line 2\n"},
        {SMALL("  both:\n    key: 1\n", "", PIPELINE),
         "t.yaml:3:3: warning: receivers::both: not used: no pipeline names it\n"
         "t.yaml:4:5: error: receivers::both::key: unknown key\n"},
        {SMALL("", "", "    profiles: {receivers: [otpl], exporters: [both]}\n"),
         "t.yaml:2:3: warning: receivers::otlp: not used: no pipeline names it\n"
         "t.yaml:7:28: error: service::pipelines::profiles::receivers::0: the receiver \"otpl\" is "
         "not configured; "
         "did you mean \"otlp\"?\n"},
        {SMALL("", "", "    profiles: {exporters: [both]}\n"),
         "t.yaml:2:3: warning: receivers::otlp: not used: no pipeline names it\n"
         "t.yaml:7:5: error: service::pipelines::profiles::receivers: missing; this key is "
         "required\n"},
        {SMALL("", "", "    profiles: {receivers: [otlp], exporters: []}\n"),
         "t.yaml:4:3: warning: exporters::both: not used: no pipeline names it\n"
         "t.yaml:7:46: error: service::pipelines::profiles::exporters: must not be empty\n"},
        {SMALL("", "", "    profile: {receivers: [otlp], exporters: [both]}\n"),
         "t.yaml:2:3: warning: receivers::otlp: not used: no pipeline names it\n"
         "t.yaml:4:3: warning: exporters::both: not used: no pipeline names it\n"
         "t.yaml:7:5: error: service::pipelines::profile: a pipeline's id begins with its signal: "
         "profiles, or "
         "profiles/name; did you mean \"profiles\"?\n"},
        {SMALL("", "", PIPELINE "    traces: {receivers: [otlp], exporters: [both]}\n"),
         "t.yaml:8:26: error: service::pipelines::traces: the receiver \"otlp\" carries profiles, "
         "not traces; with "
         "--profiles-only this pipeline is skipped\n"},
        {SMALL("", "", PIPELINE) "processors: {resource: }\n",
         "t.yaml:8:14: warning: processors::resource: not used: no pipeline names it\n"},
        {SMALL("", "",
               "    profiles: {receivers: [otlp, otlp], processors: [resource, resource], "
               "exporters: [both]}\n") "processors: {resource: }\n",
         "t.yaml:7:34: warning: service::pipelines::profiles::receivers::1: the receiver \"otlp\" "
         "comes twice; the "
         "second has no effect\n"
         "t.yaml:7:64: error: service::pipelines::profiles::processors::1: the processor "
         "\"resource\" comes twice in "
         "this pipeline\n"},
        {SMALL("", "  forward:\n", PIPELINE) "connectors: {forward/a: , both: }\n",
         "t.yaml:5:3: error: exporters::forward: there is no exporter of type \"forward\"; it "
         "belongs under "
         "connectors\n"
         "t.yaml:9:14: warning: connectors::forward/a: not used: no pipeline names it\n"
         "t.yaml:9:27: error: connectors::both: the exporter in line 4 has the same id; change one "
         "of them\n"
         "t.yaml:9:27: error: connectors::both: there is no connector of type \"both\"; it belongs "
         "under receivers\n"},
        {SMALL("", "",
               PIPELINE "  telemetry: {traces: {}, metrics: {address: a, readers: [{periodic: "
                        "{}}], level: x}}\n"),
         "t.yaml:8:15: warning: service::telemetry::traces: ignored: the daemon makes no traces of "
         "itself.\n"
         "t.yaml:8:37: warning: service::telemetry::metrics::address: ignored: as in the Collector "
         "since 0.123; give "
         "a reader with pull.exporter.prometheus.\n"
         "t.yaml:8:60: warning: service::telemetry::metrics::readers::0::periodic: ignored: "
         "metrics are not pushed; "
         "use a pull reader.\n"
         "t.yaml:8:83: error: service::telemetry::metrics::level: expected none, basic, normal, "
         "detailed, got a string: x\n"},
        {SMALL("", "", "    profiles: {receivers: [otlp], exporters: [2, both]}\n"),
         "t.yaml:7:47: error: service::pipelines::profiles::exporters::0: expected a string (put "
         "it in quotes), got "
         "an integer: 2\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        const struct pp_document *doc;

        world_open(&w);
        doc = read_document(&w, cases[i].yaml, false);
        assert_string_equal(world_problems(&w), cases[i].problems);
        assert_int_equal(doc != NULL, w.diags.errors == 0);
        world_close(&w);
    }
}

static void test_profiles_only(void **state)
{
    static const char text[] = SMALL(
        "  jaeger:\n    any: thing\n", "  debug:\n",
        PIPELINE
        "    traces: {receivers: [otlp, jaeger], exporters: [both, debug]}\n"
        "    traces/ours: {receivers: [both], exporters: [both]}\n") "connectors: {count: }\n";
    struct world w;
    const struct pp_document *doc;

    (void)state;
    world_open(&w);
    doc = read_document(&w, text, true);
    assert_null(
        doc); /* traces/ours names a receiver that is not configured: an error in any mode */
    assert_string_equal(
        world_problems(&w),
        "t.yaml:3:3: warning: receivers::jaeger: skipped: no pipeline that runs uses it\n"
        "t.yaml:7:3: warning: exporters::debug: skipped: no pipeline that runs uses it\n"
        "t.yaml:11:5: warning: service::pipelines::traces: skipped: the receiver \"otlp\" does not "
        "carry traces here\n"
        "t.yaml:12:31: error: service::pipelines::traces/ours::receivers::0: the receiver \"both\" "
        "is "
        "not configured\n"
        "t.yaml:13:14: warning: connectors::count: skipped: no pipeline that runs uses it\n");
    world_close(&w);

    world_open(&w);
    doc = read_document(
        &w, SMALL("  both:\n", "", PIPELINE "    traces: {receivers: [both], exporters: [both]}\n"),
        true);
    assert_string_equal(world_problems(&w), "");
    assert_false(doc->pipelines.v[1].skipped);
    world_close(&w);

    world_open(&w); /* a profiles pipeline is never skipped */
    doc = read_document(
        &w, SMALL("  jaeger:\n", "", "    profiles: {receivers: [jaeger], exporters: [both]}\n"),
        true);
    assert_null(doc);
    assert_string_equal(
        world_problems(&w),
        "t.yaml:2:3: warning: receivers::otlp: skipped: no pipeline that runs uses it\n"
        "t.yaml:3:3: error: receivers::jaeger: there is no receiver of type \"jaeger\"\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_profiles_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
