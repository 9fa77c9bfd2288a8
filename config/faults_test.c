/* Every allocation on the way from text to document made to fail once: never a crash, a leak or a
 * silent success. */
#include "config/document.h"
#include "config/groups/grpc_client.h"
#include "config/groups/sending_queue.h"
#include "config/load.h"
#include "config/print.h"
#include "config/schema.h"
#include "config/test_support.h"

#define ALLOCATIONS_MAX 20000u

struct exporter {
    struct pp_grpc_client_config client;
    struct pp_sending_queue_config *sending_queue;
};

static const struct pp_field exporter_fields[] = {
    PP_ROW_INLINE(struct exporter, client, &pp_grpc_client_group),
    PP_ROW_OPTIONAL(struct exporter, sending_queue, &pp_sending_queue_group, "The queue."),
    PP_ROW_END,
};

static const struct pp_group exporter_group = {
    .name = "exporter",
    .size = sizeof(struct exporter),
    .defaults = &(const struct exporter){.client = PP_GRPC_CLIENT_DEFAULTS},
    .fields = exporter_fields,
};

static bool find(void *ctx, enum pp_section section, struct pp_str type, struct pp_doc_type *ret)
{
    (void)ctx;
    if (!pp_str_eq_c(type, "x"))
        return false;
    *ret = (struct pp_doc_type){.factory = &exporter_group, .signals = 1u << PP_PIPELINE_PROFILES};
    if (section == PP_SECTION_EXPORTERS)
        ret->config = &exporter_group;
    return true;
}

static const char *const *names(void *ctx, enum pp_section section)
{
    static const char *const all[] = {"x", NULL};

    (void)ctx;
    (void)section;
    return all;
}

static const char *get_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "MAP") == 0 ? "{a: b, c: [d, 'e ${env:TEXT}']}" : "text";
}

static const char good[] = "yaml:{receivers: {x: }, exporters: {x: &x {endpoint: 'h:${env:TEXT}', "
                           "headers: {a: '$$ ${env:TEXT}'}},"
                           " x/2: {<<: *x, sending_queue: {batch: }}}, service: {pipelines: "
                           "{profiles: {receivers: [x], exporters: [x,"
                           " x/2]}}, telemetry: {resource: {a: '${env:TEXT}'}}}}";
static const char bad[] =
    "yaml:{receivers: {y: , x: , x: , a b: }, exporters: {x: {endpont: 1, tls: {cert_file: c}, "
    "headers: 1}},"
    " recievers: '${env:MAP}', service: {pipelines: {profile: , profiles: {receivers: [x, z]}}}}";

/* Everything once; whether there was a document. */
static bool run(const char *uri, struct pp_buf *out)
{
    static const struct pp_doc_types types = {NULL, find, names};
    static const struct pp_config_io io = {.get_env = get_env};
    static const char *const sets[] = {"service.telemetry.logs.level=debug"};
    const struct pp_document_options options = {0};
    const struct pp_config_input input = {.uris = &uri, .uris_n = 1, .sets = sets, .sets_n = 1};
    const struct pp_document *doc = NULL;
    struct pp_arena arena = {0};
    struct pp_diags diags = {0};
    const struct pp_node *root = pp_config_load(&arena, &input, &io, &diags);
    struct pp_print_options print = {.format = PP_EMIT_YAML, .redact = true};
    bool ok;

    if (root)
        doc = pp_document_read(&arena, root, &types, &options, &diags);
    if (!doc && !pp_diags_failed(&diags))
        fail_msg("no document and no problem");
    pp_diags_sort(&diags);
    pp_diags_print(&diags, out);
    ok = doc && !pp_diags_failed(&diags) && pp_print_document(doc, &print, out);
    pp_diags_done(&diags);
    pp_arena_done(&arena);
    return ok;
}

static void sweep(const char *uri, bool expected)
{
    struct pp_buf first, out;
    size_t allocations;

    pp_buf_init(&first, 1 << 16);
    pp_buf_init(&out, 1 << 16);
    pp_alloc_fail_at(0);
    if (run(uri, &first) != expected)
        fail_msg(PP_STR_FMT, PP_STR_ARG(pp_buf_str(&first)));
    allocations = pp_alloc_count();
#ifdef PP_ALLOC_FAULTS
    assert_in_range(allocations, 10, ALLOCATIONS_MAX);
#endif
    for (size_t n = 1; n <= allocations; n++) {
        bool ok;

        pp_buf_done(&out);
        pp_buf_init(&out, 1 << 16);
        pp_alloc_fail_at(n);
        ok = run(uri, &out);
        pp_alloc_fail_at(0);
        /* a document, if there is one in spite of it (the sort of problems can do without), is the
         * same document */
        if (ok && !pp_str_eq(pp_buf_str(&out), pp_buf_str(&first)))
            fail_msg("allocation %zu failed and the document differs:\n" PP_STR_FMT, n,
                     PP_STR_ARG(pp_buf_str(&out)));
    }
    pp_buf_done(&out);
    pp_buf_done(&first);
}

static void test_good(void **state)
{
    (void)state;
    sweep(good, true);
}

static void test_bad(void **state)
{
    (void)state;
    sweep(bad, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
