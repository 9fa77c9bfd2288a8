/* A YAML node onto a struct, by its rows. */
#ifndef PP_CONFIG_DECODE_H
#define PP_CONFIG_DECODE_H

#include "config/check.h"

/* The group's struct in the arena: its defaults with what `node` says over them, validated. `node`
 * may be NULL or null: all defaults. The struct points into the tree, so both must live in `arena`.
 * All problems go to `diags`; NULL when there was an error among them. `mark` is for what is
 * missing: the position of the key that has this body.
 *
 * null is a scalar's zero (false, 0, "", the empty choice if
 * there is one) and keeps the default of a list, a map, a block, as in the Collector; an OPTIONAL
 * it switches on with its defaults, unless the row is PP_FIELD_NULL_ABSENT. A list written as one
 * string is split at commas. */
const void *pp_decode(struct pp_arena *arena, const struct pp_group *group,
                      const struct pp_node *node, const struct pp_path *path, struct pp_mark mark,
                      struct pp_diags *diags);

/* The same, but the struct is there in spite of errors, members that could not be decoded holding
 * their defaults or less than was written: for a caller that goes on to look for more problems.
 * NULL only when memory is out. */
const void *pp_decode_partial(struct pp_arena *arena, const struct pp_group *group,
                              const struct pp_node *node, const struct pp_path *path,
                              struct pp_mark mark, struct pp_diags *diags);

#endif
