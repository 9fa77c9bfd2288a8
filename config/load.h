/* All of --config and --set to one tree: retrieved, merged from left to right, expanded. */
#ifndef PP_CONFIG_LOAD_H
#define PP_CONFIG_LOAD_H

#include "config/expand.h"

/* Memory one configuration may take, its trees before and after expansion and everything decoded. */
#define PP_CONFIG_BYTES_MAX (256u << 20)

struct pp_config_input {
    const char *const *uris; /* --config, in order: a path, file:, env:, yaml:, http:, https: */
    size_t uris_n;
    const char *const *sets; /* --set, in order: "a.b=v" is yaml:a::b: v, after all URIs */
    size_t sets_n;
    bool append_lists; /* pp_node_append_lists over all of them */
};

/* The merged and expanded root, always a map. All problems go to `diags`; NULL when nothing could be read at all or memory is
 * out, but a tree may come with errors too (a duplicate key, a ${...} that failed), so that the rest can be checked: test
 * pp_diags_failed(). */
const struct pp_node *pp_config_load(struct pp_arena *arena, const struct pp_config_input *input,
                                     const struct pp_config_io *io, struct pp_diags *diags);

#endif
