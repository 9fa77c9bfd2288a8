/* The decoder's inner half: one value onto one member. Private to decode.c and decode_value.c. */
#ifndef PP_CONFIG_DECODE_VALUE_H
#define PP_CONFIG_DECODE_VALUE_H

#include "config/check.h"
#include "config/row_iter.h"

struct pp_decoder {
    struct pp_arena *arena;
    struct pp_diags *diags;
    struct pp_mark key_mark; /* of the key whose value is being read */
};

/* Both report and return false. */
bool pp_decode_fail(struct pp_decoder *d, struct pp_mark mark, const struct pp_path *path,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool pp_decode_fail_kind(struct pp_decoder *d, const struct pp_node *node,
                         const struct pp_path *path, const char *expected);
bool pp_decode_fail_nomem(struct pp_decoder *d);

/* Scalars, lists of strings, maps of strings. */
bool pp_decode_value(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                     const struct pp_path *path, void *member);
bool pp_decode_group(struct pp_decoder *d, const struct pp_group *group, const struct pp_node *node,
                     const struct pp_path *path, struct pp_mark key_mark, void *value);

/* Bytes of a row's member. */
size_t pp_field_size(const struct pp_field *field);

#endif
