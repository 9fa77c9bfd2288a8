/* A YAML document as a read-only tree. Nodes live in an arena and may be shared (aliases), so
 * nothing changes one after it has been published: merging and expansion make new nodes. */
#ifndef PP_CONFIG_TREE_H
#define PP_CONFIG_TREE_H

#include "config/diag.h"

enum pp_node_kind { PP_NODE_NULL, PP_NODE_SCALAR, PP_NODE_LIST, PP_NODE_MAP };

struct pp_node;

struct pp_entry {
    const struct pp_node *key; /* always a scalar, or null written out ("~") */
    const struct pp_node *value;
};

struct pp_node {
    enum pp_node_kind kind;
    bool quoted; /* SCALAR: a string whatever it looks like: quoted, a block scalar or tagged !!str
                  */
    bool expanded; /* came out of a ${...}, whole or in part */
    struct pp_mark mark;
    struct pp_str text; /* SCALAR, NULL: as written, NUL behind it, no NUL inside */
    const char
        *original; /* not NULL: the text a whole-value ${...} gave, which a string takes as it is */
    size_t n;      /* LIST, MAP */
    union {
        const struct pp_node *const *items; /* LIST */
        const struct pp_entry *entries;     /* MAP, in the order written, keys unique */
    };
};

/* What a plain scalar means, by YAML's core schema as the Collector's YAML library reads it. */
enum pp_scalar_type {
    PP_SCALAR_NULL,
    PP_SCALAR_STRING,
    PP_SCALAR_BOOL,
    PP_SCALAR_INT,
    PP_SCALAR_FLOAT
};

struct pp_scalar {
    enum pp_scalar_type type;
    bool b;
    int64_t i;
    double f; /* FLOAT; also an integer outside int64_t */
};

/* Of a text without quotes. Integers: decimal, 0x, 0o, 0b, C's leading 0; `_` between digits.
 * Floats also .inf and .nan. */
struct pp_scalar pp_scalar_read(struct pp_str text);
/* Of a SCALAR or NULL node; quoted ones are strings. */
struct pp_scalar pp_node_scalar(const struct pp_node *node);

/* The value of a key; NULL when `node` is not a map or has no such key. */
const struct pp_node *pp_node_get(const struct pp_node *node, const char *key);
/* The whole entry, for the key's own position. */
const struct pp_entry *pp_node_entry(const struct pp_node *node, const char *key);
/* "a map", "a list", "a string", "an integer", ... for messages. */
const char *pp_node_kind_name(const struct pp_node *node);

/* New nodes; NULL when the arena is full. */
struct pp_node *pp_node_new(struct pp_arena *arena, enum pp_node_kind kind, struct pp_mark mark);
struct pp_node *pp_node_new_string(struct pp_arena *arena, struct pp_str text, struct pp_mark mark);
/* Copies the array; entries' keys must be unique. */
struct pp_node *pp_node_new_map(struct pp_arena *arena, const struct pp_entry *entries, size_t n,
                                struct pp_mark mark);
struct pp_node *pp_node_new_list(struct pp_arena *arena, const struct pp_node *const *items,
                                 size_t n, struct pp_mark mark);

/* ret_first[i]: the number of the first entry with the same key as entry i (i itself when it is the
 * first). O(n log n), so that a map of a million keys is no trap. False when memory is out. */
bool pp_entries_first(const struct pp_entry *entries, size_t n, uint32_t *ret_first);

#endif
