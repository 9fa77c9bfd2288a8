#include "base/index.h"

#include <string.h>

#include "base/mem.h"

#define INDEX_CAPACITY_MIN 16u
#define INDEX_CAPACITY_MAX (1u << 30)

uint32_t pp_index_find(const struct pp_index *index, uint64_t hash, pp_index_equal *equal, const void *context)
{
    uint32_t mask = index->capacity - 1, tag = (uint32_t)(hash >> 32);

    if (index->capacity == 0)
        return PP_INDEX_NONE;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        const struct pp_index_slot *slot = &index->slots[i];

        if (slot->id == PP_INDEX_NONE)
            return PP_INDEX_NONE;
        if (slot->tag == tag && equal(context, slot->id))
            return slot->id;
    }
}

static void insert(struct pp_index *index, uint32_t tag, uint32_t low, uint32_t id)
{
    uint32_t mask = index->capacity - 1, i = low & mask;

    while (index->slots[i].id != PP_INDEX_NONE)
        i = (i + 1) & mask;
    index->slots[i] = (struct pp_index_slot){.tag = tag, .id = id};
    index->hashes_low[i] = low;
}

static bool resize(struct pp_index *index, uint32_t capacity)
{
    struct pp_index grown = {.capacity = capacity, .used = index->used};

    grown.slots = pp_reallocarray(NULL, capacity, sizeof(*grown.slots));
    grown.hashes_low = pp_reallocarray(NULL, capacity, sizeof(*grown.hashes_low));
    if (!grown.slots || !grown.hashes_low) {
        pp_index_done(&grown);
        return false;
    }
    memset(grown.slots, 0xFF, (size_t)capacity * sizeof(*grown.slots));
    for (uint32_t i = 0; i < index->capacity; i++)
        if (index->slots[i].id != PP_INDEX_NONE)
            insert(&grown, index->slots[i].tag, index->hashes_low[i], index->slots[i].id);
    pp_index_done(index);
    *index = grown;
    return true;
}

/* At most two thirds full: probes stay short. */
bool pp_index_reserve(struct pp_index *index, uint32_t entries)
{
    uint64_t need = (uint64_t)entries + entries / 2 + 1;
    uint32_t capacity = index->capacity ? index->capacity : INDEX_CAPACITY_MIN;

    if (need > INDEX_CAPACITY_MAX)
        return false;
    while (capacity < need)
        capacity *= 2;
    return capacity == index->capacity || resize(index, capacity);
}

bool pp_index_add(struct pp_index *index, uint64_t hash, uint32_t id)
{
    if (!pp_index_reserve(index, index->used + 1))
        return false;
    insert(index, (uint32_t)(hash >> 32), (uint32_t)hash, id);
    index->used++;
    return true;
}

void pp_index_done(struct pp_index *index)
{
    pp_free(index->slots);
    pp_free(index->hashes_low);
    *index = (struct pp_index){0};
}
