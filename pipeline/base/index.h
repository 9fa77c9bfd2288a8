/* Hash index over entries that live elsewhere: maps a 64-bit hash to the 32-bit number of an entry. Open addressing, linear
 * probing; the caller compares entries. Used to merge dictionaries in linear time. */
#ifndef PP_BASE_INDEX_H
#define PP_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_INDEX_NONE UINT32_MAX

struct pp_index_slot {
    uint32_t tag; /* upper half of the hash, so that most comparisons never touch the entry */
    uint32_t id;  /* PP_INDEX_NONE: free */
};

/* All zero is empty. */
struct pp_index {
    struct pp_index_slot *slots;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t used;
    uint32_t *hashes_low; /* lower half by slot, for growing without asking the caller */
};

/* Whether entry `id` equals the key being looked up. */
typedef bool pp_index_equal(const void *context, uint32_t id);

/* The id of the equal entry, or PP_INDEX_NONE. */
uint32_t pp_index_find(const struct pp_index *index, uint64_t hash, pp_index_equal *equal, const void *context);
/* Asks for the memory that finding this hash will need. */
static inline void pp_index_prefetch(const struct pp_index *index, uint64_t hash)
{
    if (index->capacity)
        __builtin_prefetch(&index->slots[(uint32_t)hash & (index->capacity - 1)]);
}

/* Adds an entry that pp_index_find did not find; false when memory is out. */
bool pp_index_add(struct pp_index *index, uint64_t hash, uint32_t id);
bool pp_index_reserve(struct pp_index *index, uint32_t entries);
void pp_index_done(struct pp_index *index);

#endif
