/* Copies a whole batch, or chosen resources of it, into a builder, a table at a time: first what is used is marked from the samples down, then the
 * entries of each table are interned in order, so that lists of indices are only looked up. gather.h does the same entry by entry, for parts that are
 * not known beforehand and for messages with fields of a newer schema. Private to profiles. */
#ifndef PP_PROFILES_REMAP_H
#define PP_PROFILES_REMAP_H

#include "profiles/builder_impl.h"

struct pp_remap {
    const struct pp_data *from;
    struct pp_builder *to;
    int32_t *to_of[PP_BUILDER_TABLES]; /* by entry of `from`: the builder's entry, 0 where it is not used */
    int32_t *block;                    /* behind all of them */
    PP_VEC(int32_t) attrs;             /* scratch */
    PP_VEC(struct pp_line) lines;
};

/* Whether entries need no more than the tables say: none has unknown fields. */
bool pp_remap_possible(const struct pp_data *from);
/* Interns what the resources use for which `kept` is true, or all of them when it is NULL. False when memory is out, nothing to free
 * then; other failures stick to the builder. */
bool pp_remap_init(struct pp_remap *remap, const struct pp_data *from, const bool *kept, struct pp_builder *to);
void pp_remap_done(struct pp_remap *remap);
/* A profile of a resource that is kept, with its samples, into the builder's last scope. */
void pp_remap_profile(struct pp_remap *remap, uint32_t i);

#endif
