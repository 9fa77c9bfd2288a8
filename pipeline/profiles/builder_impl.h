/* The builder's parts that the merger and splitter use beside the public ones. Private to profiles. */
#ifndef PP_PROFILES_BUILDER_IMPL_H
#define PP_PROFILES_BUILDER_IMPL_H

#include "base/index.h"
#include "profiles/builder.h"
#include "profiles/data.h"

enum pp_builder_table {
    PP_BUILDER_STRINGS,
    PP_BUILDER_FUNCTIONS,
    PP_BUILDER_MAPPINGS,
    PP_BUILDER_LOCATIONS,
    PP_BUILDER_STACKS,
    PP_BUILDER_LINKS,
    PP_BUILDER_ATTRIBUTES,
    PP_BUILDER_TABLES,
};

struct pp_builder {
    struct pp_data *data; /* NULL once finished */
    struct pp_tables *t;  /* data->tables */
    struct pp_context *context;
    struct pp_index index[PP_BUILDER_TABLES];
    bool distinct; /* every entry becomes a new one: what comes from one dictionary differs already */
    char *text;    /* room for short strings, taken from the arena a piece at a time */
    size_t text_left;
    struct pp_error err; /* the first failure */
};

/* Interns all strings whose place in `to_of` is not 0, and puts their indices there. */
void pp_builder_strings(struct pp_builder *builder, const struct pp_str *strings, uint32_t n, int32_t *to_of);
/* A stack of locations that stand in `to_of` by the indices given. */
int32_t pp_builder_stack_mapped(struct pp_builder *builder, const int32_t *locations, size_t locations_n, const int32_t *to_of);
/* Room for `n` more samples, their lists apart; false, and the builder failed, when memory is out. */
bool pp_builder_reserve_samples(struct pp_builder *builder, uint32_t n);
/* A copy that lives as long as the batch; false, and the builder failed, when memory is out. */
bool pp_builder_store(struct pp_builder *builder, struct pp_str s, struct pp_str *ret);
/* An attribute whose key and unit are strings of the builder already. */
int32_t pp_builder_attribute_entry(struct pp_builder *builder, const struct pp_attribute *entry);
/* Keeps unknown fields of an entry that was just added. */
void pp_builder_unknown(struct pp_builder *builder, enum pp_unknown_kind kind, uint32_t entry, struct pp_str fields);

#endif
