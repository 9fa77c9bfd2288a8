#include "cli/load.h"

#include <stdio.h>

#include "cli/fetch.h"
#include "config/load.h"

#define REPORT_BYTES_MAX (1u << 20)

bool pp_load_tree(const struct pp_options *options, struct pp_loaded *ret)
{
    const struct pp_config_input input = {options->configs.v, options->configs.n, options->sets.v, options->sets.n,
                                          pp_gates_enabled(&options->gates, "confmap.enableMergeAppendOption")};
    const struct pp_config_io io = {.fetch = pp_fetch};

    *ret = (struct pp_loaded){.arena = {.bytes_limit = PP_CONFIG_BYTES_MAX}};
    if (!options->configs.n && !options->sets.n) {
        pp_diag_add(&ret->diags, PP_SEVERITY_ERROR, (struct pp_mark){.file = ""}, "", "no configuration: give --config FILE");
        return false;
    }
    ret->root = pp_config_load(&ret->arena, &input, &io, &ret->diags);
    return ret->root != NULL;
}

void pp_loaded_done(struct pp_loaded *loaded)
{
    pp_diags_done(&loaded->diags);
    pp_arena_done(&loaded->arena);
}

static void report_log(const struct pp_diags *diags)
{
    for (size_t i = 0; i < diags->list.n; i++) {
        const struct pp_diag *diag = &diags->list.v[i];

        pp_log(diag->severity == PP_SEVERITY_ERROR ? PP_LOG_ERROR : PP_LOG_WARN, NULL, "%s:%u:%u: %s%s%s", diag->mark.file,
               diag->mark.line, diag->mark.column, diag->path, *diag->path ? ": " : "", diag->message);
    }
    if (diags->errors + diags->warnings > diags->list.n)
        pp_log(PP_LOG_WARN, NULL, "%zu more problems", diags->errors + diags->warnings - diags->list.n);
    if (diags->nomem)
        pp_log(PP_LOG_ERROR, NULL, "out of memory while reading the configuration");
}

void pp_report_print(const struct pp_diags *diags)
{
    struct pp_buf out;

    pp_buf_init(&out, REPORT_BYTES_MAX);
    pp_diags_print(diags, &out);
    if (out.len)
        fwrite(out.data, 1, out.len, stderr);
    pp_buf_done(&out);
}

struct pp_plan *pp_load_plan(const struct pp_options *options, const struct pp_factories *factories, bool log)
{
    const struct pp_plan_options plan_options = {
        .factories = factories,
        .document = {.profiles_only = options->profiles_only,
                     .allow_no_pipelines = pp_gates_enabled(&options->gates, "service.AllowNoPipelines")},
    };
    struct pp_loaded loaded;
    struct pp_plan *plan = NULL;

    if (pp_load_tree(options, &loaded))
        plan = pp_plan_new(&loaded.arena, loaded.root, &plan_options, &loaded.diags);
    pp_diags_sort(&loaded.diags);
    (log ? report_log : pp_report_print)(&loaded.diags);
    pp_loaded_done(&loaded);
    return plan;
}
