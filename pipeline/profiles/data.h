/* A batch's decoded form: its tables, and what it takes to give untouched parts back as they came. Private to profiles. */
#ifndef PP_PROFILES_DATA_H
#define PP_PROFILES_DATA_H

#include "base/error.h"
#include "base/vec.h"
#include "profiles/batch.h"
#include "profiles/storage.h"
#include "proto/otlp/otlp_check.h"

/* The messages whose unknown fields are kept, each by the number of its entry. */
enum pp_unknown_kind {
    PP_UNKNOWN_REQUEST, /* entry 0 */
    PP_UNKNOWN_DICTIONARY,
    PP_UNKNOWN_FUNCTION,
    PP_UNKNOWN_MAPPING,
    PP_UNKNOWN_LOCATION,
    PP_UNKNOWN_LINE,
    PP_UNKNOWN_STACK,
    PP_UNKNOWN_LINK,
    PP_UNKNOWN_ATTRIBUTE,
    PP_UNKNOWN_KEY_VALUE,
    PP_UNKNOWN_RESOURCE_PROFILES, /* by resource */
    PP_UNKNOWN_RESOURCE,
    PP_UNKNOWN_SCOPE_PROFILES, /* by scope */
    PP_UNKNOWN_SCOPE,
    PP_UNKNOWN_PROFILE,
    PP_UNKNOWN_SAMPLE_TYPE, /* by profile */
    PP_UNKNOWN_PERIOD_TYPE,
    PP_UNKNOWN_SAMPLE,
    PP_UNKNOWN_KINDS,
};

struct pp_unknown {
    uint32_t entry;
    struct pp_str fields; /* tags and contents, ready to be written out */
};

/* Where parts stand in the received bytes, each with its tag. */
struct pp_spans {
    atomic_uint refs;
    struct pp_str tables[PP_DICTIONARY_STACK + 1]; /* by field number in the dictionary: all entries in one piece */
    struct pp_str *resources, *scopes, *profiles;  /* by entry */
    struct pp_str *samples;                        /* by profile: all its samples in one piece */
};

struct pp_data {
    struct pp_tables tables; /* each `v` is a block of storage.h */
    PP_VEC(struct pp_unknown) unknown[PP_UNKNOWN_KINDS]; /* by entry, ascending */
    struct pp_spans *spans;                              /* NULL when the batch was built */
    unsigned clean;          /* tables (enum pp_table_set) that are as in the spans */
    bool references;         /* the spans hold attributes by reference */
    struct pp_storage *storage;
    /* Of origins (origins.h) only: */
    struct pp_bytes *message; /* kept by the storage */
    uint32_t pairs_decoded;   /* key_values of the message; what stands behind them was edited */
};

struct pp_data *pp_data_new(struct pp_storage *storage); /* takes over the reference, also on failure */
void pp_data_free(struct pp_data *data);
/* A copy that shares every block; NULL when memory is out. */
struct pp_data *pp_data_derive(struct pp_data *data);
/* Gives the tables in `set` blocks of their own, so that they may be written. */
bool pp_data_own(struct pp_data *data, unsigned set);
size_t pp_data_bytes(const struct pp_data *data);
/* Puts the zero entry into each dictionary table that is empty, which is then no longer as in the spans, and gives all others some room. */
bool pp_data_add_zero_entries(struct pp_data *data);

/* Decodes a message that pp_otlp_check has passed as `info`. NULL when memory is out. With `keep`, that storage holds the message already, and
 * is kept alive besides. */
struct pp_data *pp_data_decode(struct pp_bytes *wire, const struct pp_otlp_info *info, struct pp_storage *keep);

/* Appends to what is known of the entry; entries come in ascending order. */
bool pp_unknown_add(struct pp_data *data, enum pp_unknown_kind kind, uint32_t entry, struct pp_str fields);
/* The fields, empty when there are none. */
struct pp_str pp_unknown_find(const struct pp_data *data, enum pp_unknown_kind kind, uint32_t entry);

struct pp_spans *pp_spans_new(const struct pp_otlp_counts *counts);
void pp_spans_unref(struct pp_spans *spans);

#endif
