/* Where a component's configuration names extensions: the rows of PP_ROW_EXTENSION, found in what was written. */
#ifndef PP_CONFIG_EXTENSION_REFS_H
#define PP_CONFIG_EXTENSION_REFS_H

#include "config/check.h"

struct pp_extension_ref {
    const char *id;        /* as written; never empty */
    unsigned offers;       /* what is needed: enum pp_capability */
    struct pp_check check; /* for pp_check_error(&ref->check, "", ...): at the reference itself */
};

/* Calls `fn` for each reference in `value`, the struct that `check->node` was decoded into without an error. A block with a key `enabled` that is
 * false names nothing, since nothing in it is used. */
void pp_extension_refs_each(const struct pp_group *group, const void *value, const struct pp_check *check,
                            void (*fn)(void *arg, struct pp_extension_ref *ref), void *arg);

#endif
