/* From the command line's --config and --set to a checked plan. */
#ifndef PP_CLI_LOAD_H
#define PP_CLI_LOAD_H

#include "cli/options.h"
#include "pipeline/plan.h"

struct pp_loaded {
    struct pp_arena arena; /* holds the tree until a plan takes it over */
    struct pp_diags diags;
    const struct pp_node *root;
};

/* Retrieves, merges and expands. False when nothing could be read; problems are in the diags either way. */
bool pp_load_tree(const struct pp_options *options, struct pp_loaded *ret);
void pp_loaded_done(struct pp_loaded *loaded);

/* On standard error. */
void pp_report_print(const struct pp_diags *diags);

/* NULL when the configuration is wrong. Every problem is printed on standard error, or logged with `log`. */
struct pp_plan *pp_load_plan(const struct pp_options *options, const struct pp_factories *factories, bool log);

#endif
