/* Copies parts of a batch into a builder with the dictionary entries they use, and no others, entry by entry: for splitting, where nobody knows
 * beforehand what a part will use, and for whatever has fields of a newer schema. remap.h is quicker with the rest. Private to profiles. */
#ifndef PP_PROFILES_GATHER_H
#define PP_PROFILES_GATHER_H

#include "profiles/builder_impl.h"

struct pp_gather_slot {
    uint32_t part;   /* `to` is valid in this part */
    uint32_t priced; /* its size has been counted in this part */
    int32_t to;
};

struct pp_gather {
    const struct pp_data *from;
    struct pp_builder *to;
    uint32_t part; /* counts up from 1, so that slots need not be cleared between parts */
    struct pp_gather_slot *slots[PP_BUILDER_TABLES];
    PP_VEC(int32_t) attrs, locations; /* scratch */
    PP_VEC(struct pp_line) lines;
};

/* False when memory is out, nothing to free then. */
bool pp_gather_init(struct pp_gather *gather, const struct pp_data *from);
void pp_gather_done(struct pp_gather *gather);
/* What comes next goes to this builder. */
void pp_gather_begin(struct pp_gather *gather, struct pp_builder *to);

int32_t pp_gather_string(struct pp_gather *g, int32_t i);
int32_t pp_gather_link(struct pp_gather *g, int32_t i);
int32_t pp_gather_stack(struct pp_gather *g, int32_t i);
/* The list in g->attrs. */
void pp_gather_attrs(struct pp_gather *g, struct pp_range range);

/* One entry without what is below it; failures stick to the builder. */
void pp_gather_resource(struct pp_gather *g, uint32_t i);
void pp_gather_scope(struct pp_gather *g, uint32_t i);
/* `payload`: with the original payload, which stands for the whole profile and goes with its first part. */
void pp_gather_profile(struct pp_gather *g, uint32_t i, bool payload);
void pp_gather_sample(struct pp_gather *g, uint32_t i);
/* With all below. */
void pp_gather_whole_profile(struct pp_gather *g, uint32_t i);
/* Unknown fields of the request and the dictionary. */
void pp_gather_top(struct pp_gather *g);

/* Bytes that a sample, or a profile with its resource and scope, adds at most to the part's message; counts each dictionary entry once. */
size_t pp_gather_price_sample(struct pp_gather *g, uint32_t i);
size_t pp_gather_price_head(struct pp_gather *g, uint32_t resource, uint32_t scope, uint32_t profile, bool payload);
#define PP_GATHER_PRICE_EMPTY 32u /* of a message that holds only zero entries */

#endif
