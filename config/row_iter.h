/* The rows of a group one by one, those of its inline groups in place and aliases with the row they
 * stand for. */
#ifndef PP_CONFIG_ROW_ITER_H
#define PP_CONFIG_ROW_ITER_H

#include "base/str.h"
#include "config/rows.h"

#define PP_ROWS_INLINE_DEPTH_MAX 4
#define PP_ROWS_MAX 96 /* keys of one group, inline ones and aliases included */

struct pp_row {
    const char *name;             /* the key; an alias's own */
    const struct pp_field *field; /* an alias's target */
    unsigned flags;               /* the field's; an alias's own beside them */
    const char *doc;              /* the field's, or the alias's own */
    size_t offset;                /* in the outer struct */
};

struct pp_row_iter {
    struct {
        const struct pp_field *next, *target;
        size_t base;
    } levels[PP_ROWS_INLINE_DEPTH_MAX];
    int depth;
};

struct pp_row_iter pp_rows_begin(const struct pp_group *group);
/* False at the end. */
bool pp_rows_next(struct pp_row_iter *iter, struct pp_row *ret);

/* The row of a key; false when there is none. */
bool pp_rows_find(const struct pp_group *group, struct pp_str key, struct pp_row *ret);
/* The key nearest to one that is not there, or NULL. */
const char *pp_rows_nearest(const struct pp_group *group, struct pp_str key);

#endif
