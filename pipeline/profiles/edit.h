/* Helpers for those who hold a batch for editing (pp_batch_edit).
 *
 * An edit changes and appends entries in the tables it named; it does not reorder them, for the fields of a newer schema that a
 * message carried are kept by entry number. The index arrays (attr_indices, location_indices, lines, key_values, values,
 * timestamps) are append-only: give an entry a new list by appending there and moving its range. */
#ifndef PP_PROFILES_EDIT_H
#define PP_PROFILES_EDIT_H

#include "base/arena.h"
#include "profiles/batch.h"

/* Makes room for `extra` more entries of a table that is being edited; false, table untouched, when memory is out or the table would
 * pass INT32_MAX entries. */
#define pp_table_reserve(table, extra)                                                             \
    pp_table_grow((void **)&(table)->v, &(table)->cap, (table)->n, (extra), sizeof(*(table)->v))

/* Appends by value; false, table untouched, as above. */
#define pp_table_push(table, ...)                                                                  \
    (pp_table_reserve((table), 1) ? ((table)->v[(table)->n++] = (__VA_ARGS__), true) : false)

bool pp_table_grow(void **data, uint32_t *cap, uint32_t n, size_t extra, size_t element_size);

/* Storage that lives as long as the batch and all that is derived from it: for new strings and values. Only while editing. NULL when
 * memory is out. */
struct pp_arena *pp_batch_arena(struct pp_batch *batch);

#endif
