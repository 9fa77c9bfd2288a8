/* ${...} in values, by the Collector's rules:
 *
 * - `${scheme:value}`, `${NAME}` for an environment variable, `${env:NAME:-default}`; the innermost
 * goes first, so that
 *   `${file:${env:PATH}}` works; what comes out is expanded again. Keys are never expanded.
 * - A value that is nothing but one ${...} takes the type its text has as YAML: a number, a list, a
 * map. If a string is wanted in that place, it gets the text as it was. Anywhere else the text is
 * put in, and the result is a string.
 * - `$$` is a `$`; an odd number of them before a `{` means that it is no expansion. */
#ifndef PP_CONFIG_EXPAND_H
#define PP_CONFIG_EXPAND_H

#include "config/source.h"

#define PP_EXPAND_STEPS_MAX 1000u        /* for one value; the Collector's */
#define PP_EXPAND_STEPS_TOTAL_MAX 20000u /* for the whole configuration */
#define PP_EXPAND_TEXT_BYTES_MAX 65536u  /* of one value with text put in */

/* The tree with everything expanded; parts without a `$` are shared with `root`. Problems go to
 * `diags`, and the value concerned is then left as it is. NULL when memory is out. */
const struct pp_node *pp_node_expand(struct pp_arena *arena, const struct pp_node *root,
                                     const struct pp_config_io *io, struct pp_diags *diags);

#endif
