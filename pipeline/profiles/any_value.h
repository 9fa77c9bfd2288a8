/* Attribute values: OTLP's AnyValue kept in its encoding. Readers give typed views, writers encode into an arena. Values inside
 * a batch's tables hold no string references (string_value_strindex, key_strindex): they are resolved when tables are made. */
#ifndef PP_PROFILES_ANY_VALUE_H
#define PP_PROFILES_ANY_VALUE_H

#include "base/arena.h"
#include "profiles/tables.h"

enum pp_any_value_kind {
    PP_ANY_EMPTY, /* no field set: a legal value */
    PP_ANY_STRING,
    PP_ANY_BOOL,
    PP_ANY_INT,
    PP_ANY_DOUBLE,
    PP_ANY_ARRAY,
    PP_ANY_KVLIST,
    PP_ANY_BYTES,
    PP_ANY_STRING_REF, /* only in encodings from outside a batch's tables */
};

struct pp_any_value {
    enum pp_any_value_kind kind;
    union {
        struct pp_str string; /* STRING, BYTES; ARRAY and KVLIST: the encoded list, for the iterators below */
        bool boolean;
        int64_t integer; /* INT; STRING_REF: index into the string table */
        double number;
    };
};

/* The view of an encoded value; false when it is malformed (never for values in a batch's tables). Of several fields the last counts. */
bool pp_any_value_read(struct pp_str encoded, struct pp_any_value *ret);

/* Walks an ARRAY's elements: start with *offset = 0; false at the end. `ret` is an encoded AnyValue. */
bool pp_any_value_next_element(const struct pp_any_value *array, size_t *offset, struct pp_str *ret);
/* Walks a KVLIST's pairs. A key given by reference comes as its index in *ret_key_ref, else that is 0. */
bool pp_any_value_next_pair(const struct pp_any_value *kvlist, size_t *offset, struct pp_key_value *ret, int32_t *ret_key_ref);

/* Each encodes into `arena`; false when it is out of memory. An empty value is the empty slice. */
bool pp_any_value_from_string(struct pp_arena *arena, struct pp_str value, struct pp_str *ret);
bool pp_any_value_from_bytes(struct pp_arena *arena, struct pp_str value, struct pp_str *ret);
bool pp_any_value_from_bool(struct pp_arena *arena, bool value, struct pp_str *ret);
bool pp_any_value_from_int(struct pp_arena *arena, int64_t value, struct pp_str *ret);
bool pp_any_value_from_double(struct pp_arena *arena, double value, struct pp_str *ret);
/* `values` are encoded AnyValues. */
bool pp_any_value_from_array(struct pp_arena *arena, const struct pp_str *values, size_t n, struct pp_str *ret);
bool pp_any_value_from_pairs(struct pp_arena *arena, const struct pp_key_value *pairs, size_t n, struct pp_str *ret);

/* The string of a STRING value, without a copy; false for any other kind. */
bool pp_any_value_string(struct pp_str encoded, struct pp_str *ret);

#endif
