/* What the parts of the check share. Private to proto/otlp. */
#ifndef PP_PROTO_OTLP_CHECK_STATE_H
#define PP_PROTO_OTLP_CHECK_STATE_H

#include "base/vec.h"
#include "proto/otlp/otlp_check.h"

#define CHECK_PATH_MAX 16u
#define CHECK_NO_INDEX UINT32_MAX

enum check_table {
    CHECK_STRING,
    CHECK_FUNCTION,
    CHECK_MAPPING,
    CHECK_LOCATION,
    CHECK_STACK,
    CHECK_LINK,
    CHECK_ATTRIBUTE,
    CHECK_TABLES,
};

struct check_step {
    const char *field;
    uint32_t index; /* CHECK_NO_INDEX: the field is not repeated */
};

/* A packed attribute list of a sample that was found good. */
struct check_list {
    uint64_t key; /* its bytes, their number in the highest */
    uint32_t count;
};

#define CHECK_LISTS_SEEN_BITS 8

struct check {
    struct pp_otlp_info info;
    const uint8_t *end; /* of the whole message */
    bool quick;         /* take the quick way where possible (check_quick.h) */
    enum pp_layout layout;
    bool detect; /* a sample of the 1.9 layout ends the walk */
    /* An index must be below its table's limit. While the dictionary is walked its sizes are not known: then the limit only keeps
     * negatives out, and the highest index seen is compared afterwards. */
    uint32_t limit[CHECK_TABLES], highest[CHECK_TABLES];
    PP_VEC(int32_t) keys;           /* key of each entry of attribute_table */
    PP_VEC(int32_t) attrs;          /* of the object being walked */
    PP_VEC(struct pp_str) key_text; /* of the resource or scope being walked */
    PP_VEC(int32_t) key_refs;
    bool keys_known;
    unsigned dictionaries; /* a message may carry its dictionary in several pieces */
    struct pp_wire lists;  /* the part of the dictionary where objects with several attributes stand, */
    uint32_t lists_mappings, lists_locations; /* and how many entries stand before it */
    struct check_list lists_seen[1u << CHECK_LISTS_SEEN_BITS]; /* by a hash of the bytes */
    struct check_step path[CHECK_PATH_MAX];
    unsigned path_n; /* innermost first: steps are added on the way out of a failure */
    struct pp_error why;
};

/* All return false. */
bool check_fail(struct check *c, const char *field, const char *fmt, ...) __attribute__((format(printf, 3, 4), cold));
bool check_fail_index(struct check *c, const char *field, uint64_t value, uint32_t limit) __attribute__((cold));
bool check_malformed(struct check *c) __attribute__((cold));
bool check_nomem(struct check *c) __attribute__((cold));
bool check_step(struct check *c, const char *field, uint32_t index) __attribute__((cold));

/* A field that no case took: unknown ones are passed over, known ones have the wrong wire type. */
bool check_other_at(struct check *c, struct pp_wire *w, uint32_t tag, uint32_t field_last);

/* These wrappers keep the address of the caller's cursor out of calls, so that it can stay in registers. */
#define CHECK_KEEP_CURSOR(w, call)                                                                 \
    struct pp_wire at = *(w);                                                                      \
    bool ok = call;                                                                                \
    (w)->p = at.p;                                                                                 \
    return ok

static inline bool check_other(struct check *c, struct pp_wire *w, uint32_t tag, uint32_t field_last)
{
    CHECK_KEEP_CURSOR(w, check_other_at(c, &at, tag, field_last));
}

static inline bool check_varint(struct check *c, struct pp_wire *w, uint64_t *ret)
{
    if (pp_wire_varint(w, ret))
        return true;
    check_malformed(c);
    return false;
}

static inline bool check_skip_varint(struct check *c, struct pp_wire *w)
{
    uint64_t ignored;

    return pp_wire_varint(w, &ignored) || check_malformed(c);
}

static inline bool check_index_value(struct check *c, uint64_t value, enum check_table table, const char *field)
{
    if (__builtin_expect(value >= c->limit[table], 0))
        return check_fail_index(c, field, value, c->limit[table]);
    if (value > c->highest[table])
        c->highest[table] = (uint32_t)value;
    return true;
}

static inline bool check_index(struct check *c, struct pp_wire *w, enum check_table table, const char *field)
{
    uint64_t value;

    return check_varint(c, w, &value) && check_index_value(c, value, table, field);
}

bool check_utf8_at(struct check *c, struct pp_wire *w, const char *field);
static inline bool check_utf8(struct check *c, struct pp_wire *w, const char *field)
{
    CHECK_KEEP_CURSOR(w, check_utf8_at(c, &at, field));
}
/* Packed indices; adds their number to *count. */
bool check_packed_indices_at(struct check *c, struct pp_wire *w, enum check_table table, const char *field, uint32_t *count);
static inline bool check_packed_indices(struct check *c, struct pp_wire *w, enum check_table table, const char *field, uint32_t *count)
{
    CHECK_KEEP_CURSOR(w, check_packed_indices_at(c, &at, table, field, count));
}

/* attribute_indices of one object: begin, then each field as it comes, then the end, where keys must be unique. */
static inline void check_attrs_begin(struct check *c)
{
    c->attrs.n = 0;
}
bool check_attrs_packed_at(struct check *c, struct pp_wire *w);
bool check_attrs_one_at(struct check *c, struct pp_wire *w);
static inline bool check_attrs_packed(struct check *c, struct pp_wire *w)
{
    CHECK_KEEP_CURSOR(w, check_attrs_packed_at(c, &at));
}
static inline bool check_attrs_one(struct check *c, struct pp_wire *w)
{
    CHECK_KEEP_CURSOR(w, check_attrs_one_at(c, &at));
}
bool check_attrs_many(struct check *c);
static inline bool check_attrs_end(struct check *c)
{
    return c->attrs.n < 2 || check_attrs_many(c);
}

bool check_any_value(struct check *c, struct pp_wire w, unsigned depth);
/* Attributes of a resource or scope: begin, each pair, then the end, where keys must be unique. */
void check_pairs_begin(struct check *c);
bool check_pair(struct check *c, struct pp_wire w);
bool check_pairs_end(struct check *c);

/* pp_otlp_check, with or without the quick way: tests compare the two. */
bool check_message(struct pp_str message, enum pp_layout layout, bool quick, struct pp_otlp_info *ret, struct pp_error *err);
bool check_dictionary(struct check *c, struct pp_wire w);
bool check_resource_profiles(struct check *c, struct pp_wire w);

#endif
