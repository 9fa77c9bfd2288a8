/* What the parts of the encoder share. Private to profiles. */
#ifndef PP_PROFILES_ENCODE_IMPL_H
#define PP_PROFILES_ENCODE_IMPL_H

#include "base/index.h"
#include "profiles/batch_impl.h"
#include "proto/wire_out.h"

/* Behind a size that is known at most: what the writers ask for beyond what they use, so that the end does not grow the block. */
#define PP_ENCODE_SLACK_BYTES 64u

struct pp_encode {
    const struct pp_data *data;
    const struct pp_tables *t;
    struct pp_buf out;
    unsigned clean;    /* tables whose bytes are copied as they came */
    unsigned reserved; /* bytes to guess for a container's length */
    bool references;
    struct pp_index strings;           /* of the string table and `added`, when references are written */
    PP_VEC(struct pp_str) added;       /* strings that references needed, to follow the table */
    bool failed;                       /* memory is out; beside out.failed */
};

static inline bool pp_encode_is_clean(const struct pp_encode *e, unsigned set)
{
    return (e->clean & set) == set;
}

static inline void pp_encode_unknown(struct pp_encode *e, enum pp_unknown_kind kind, uint32_t entry)
{
    if (e->data->unknown[kind].n)
        pp_buf_add_str(&e->out, pp_unknown_find(e->data, kind, entry));
}

/* Room for a leaf message of at most `n` bytes, its tag, length and unknown fields besides; NULL on failure. */
uint8_t *pp_encode_leaf_begin(struct pp_encode *e, uint32_t field, size_t n, enum pp_unknown_kind kind, uint32_t entry,
                              struct pp_str *ret_unknown);
void pp_encode_leaf_end(struct pp_encode *e, uint8_t *body, uint8_t *end, struct pp_str unknown);

/* The string's index, adding it where it is new. */
int32_t pp_encode_string_ref(struct pp_encode *e, struct pp_str s);

void pp_encode_dictionary(struct pp_encode *e);
void pp_encode_resources(struct pp_encode *e);
/* The Resource message of a ResourceProfiles message. */
void pp_encode_resource_alone(struct pp_encode *e, uint32_t i);

#endif
