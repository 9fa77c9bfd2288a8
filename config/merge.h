/* Merging of configurations, the later over the earlier, as the Collector does it. */
#ifndef PP_CONFIG_MERGE_H
#define PP_CONFIG_MERGE_H

#include "config/tree.h"

/* Maps merge key by key; anything else (lists too, and an explicit null) takes the earlier one's
 * place. Either may be returned as it is. NULL when the arena is full. */
const struct pp_node *pp_node_merge(struct pp_arena *arena, const struct pp_node *earlier,
                                    const struct pp_node *later);

/* `later` as it must be for its component lists to be added to those of `earlier` by pp_node_merge,
 * instead of replacing them: service::extensions, and receivers and exporters of what is below
 * service, hold the earlier items first, then those that are not among them. What the Collector's
 * gate confmap.enableMergeAppendOption does. NULL when the arena is full. */
const struct pp_node *pp_node_append_lists(struct pp_arena *arena, const struct pp_node *earlier,
                                           const struct pp_node *later);

/* Splits the map's own keys at "::", so that {a::b: v} is {a: {b: v}}; nested maps are left alone.
 * Keys with an empty part stay. NULL, with a problem in `diags`, when a key nests too deep or the
 * arena is full. */
const struct pp_node *pp_node_unflatten(struct pp_arena *arena, const struct pp_node *map,
                                        struct pp_diags *diags);

#endif
