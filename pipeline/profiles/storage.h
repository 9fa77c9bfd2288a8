/* Memory behind a batch's tables. Private to profiles.
 *
 * Blocks hold one table each and are shared by the batches that did not write that table. Storage holds what slices point to, the
 * received bytes and an arena, and keeps alive the storage it was derived from. */
#ifndef PP_PROFILES_STORAGE_H
#define PP_PROFILES_STORAGE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/bytes.h"

/* Uninitialised room for `count` elements, one reference; NULL when memory is out. Tables point at the elements. */
void *pp_block_new(size_t count, size_t element_size);
void *pp_block_ref(void *block);
void pp_block_unref(void *block);
/* Whether the caller holds the only reference. */
bool pp_block_is_own(const void *block);
/* Grows a block that is the caller's own; NULL, block untouched, when memory is out. `block` may be NULL. */
void *pp_block_resize(void *block, size_t count, size_t element_size);

struct pp_storage {
    atomic_uint refs;
    struct pp_bytes *wire;     /* may be NULL */
    struct pp_storage *parent; /* may be NULL */
    struct pp_arena arena;     /* written only by the one batch that owns this storage, while it is being edited or made */
};

/* Takes its own references; NULL when memory is out. */
struct pp_storage *pp_storage_new(struct pp_bytes *wire, struct pp_storage *parent);
struct pp_storage *pp_storage_ref(struct pp_storage *storage);
void pp_storage_unref(struct pp_storage *storage);
bool pp_storage_is_own(const struct pp_storage *storage);
/* Bytes of this storage and those it keeps alive, the received bytes included. */
size_t pp_storage_bytes(const struct pp_storage *storage);

#endif
