#include "cli/print_config.h"

#include <stdio.h>

#include "cli/cli.h"
#include "cli/load.h"
#include "config/print.h"
#include "config/schema.h"

#define PRINT_BYTES_MAX (256u << 20)

static int print_and_free(struct pp_buf *out, bool ok)
{
    if (ok)
        ok = fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
    else
        fprintf(stderr, "profpipe: the text is too large, or memory is out\n");
    pp_buf_done(out);
    return ok ? PP_EXIT_OK : PP_EXIT_START;
}

/* The tree as merged and expanded, before any component has looked at it. Secrets cannot be told apart there, so that it is printed unredacted only. */
static int print_unchecked(const struct pp_options *options)
{
    const struct pp_print_options print = {.format = options->json ? PP_EMIT_JSON : PP_EMIT_YAML};
    struct pp_loaded loaded;
    struct pp_buf out;
    int code = PP_EXIT_CONFIG;

    if (!options->unredacted) {
        fprintf(stderr, "profpipe: print-config: --validate=false needs --mode=unredacted: secrets are not known before the check\n");
        return PP_EXIT_USAGE;
    }
    if (pp_load_tree(options, &loaded)) {
        pp_buf_init(&out, PRINT_BYTES_MAX);
        code = print_and_free(&out, pp_print_node(loaded.root, &print, &out));
    }
    pp_report_print(&loaded.diags);
    pp_loaded_done(&loaded);
    return code;
}

int pp_print_config(const struct pp_options *options, const struct pp_factories *factories)
{
    const struct pp_print_options print = {
        .format = options->json ? PP_EMIT_JSON : PP_EMIT_YAML, .redact = !options->unredacted, .as_source = true};
    struct pp_plan *plan;
    struct pp_buf out;
    int code;

    if (!options->validate)
        return print_unchecked(options);
    plan = pp_load_plan(options, factories, false);
    if (!plan)
        return PP_EXIT_CONFIG;
    pp_buf_init(&out, PRINT_BYTES_MAX);
    code = print_and_free(&out, pp_print_document(plan->document, &print, &out));
    pp_plan_unref(plan);
    return code;
}

int pp_print_schema(const struct pp_factories *factories)
{
    PP_VEC(struct pp_schema_type) types = {0};
    struct pp_buf out;
    bool ok = true;
    int code;

    for (int kind = 0; kind < PP_KIND_COUNT; kind++) {
        for (const struct pp_factory *const *f = factories->tables[kind]; *f && ok; f++)
            ok = pp_vec_push(&types, (struct pp_schema_type){(enum pp_section)kind, (*f)->type, (*f)->aliases, (*f)->summary,
                                                             (*f)->config});
    }
    pp_buf_init(&out, PRINT_BYTES_MAX);
    code = print_and_free(&out, ok && pp_schema_print(types.v, types.n, &out));
    pp_vec_done(&types);
    return code;
}
