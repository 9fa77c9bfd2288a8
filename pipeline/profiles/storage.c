#include "profiles/storage.h"

#include <assert.h>

#include "base/mem.h"

struct block {
    atomic_uint refs;
    _Alignas(16) char data[];
};

static struct block *block_of(const void *data)
{
    return (struct block *)((char *)data - offsetof(struct block, data));
}

static bool block_bytes(size_t count, size_t element_size, size_t *ret)
{
    return !__builtin_mul_overflow(count, element_size, ret) &&
           !__builtin_add_overflow(*ret, sizeof(struct block), ret);
}

void *pp_block_new(size_t count, size_t element_size)
{
    size_t bytes;
    struct block *block = block_bytes(count, element_size, &bytes) ? pp_malloc(bytes) : NULL;

    if (!block)
        return NULL;
    atomic_init(&block->refs, 1);
    return block->data;
}

void *pp_block_ref(void *data)
{
    if (data)
        atomic_fetch_add_explicit(&block_of(data)->refs, 1, memory_order_relaxed);
    return data;
}

void pp_block_unref(void *data)
{
    if (data && atomic_fetch_sub_explicit(&block_of(data)->refs, 1, memory_order_acq_rel) == 1)
        pp_free(block_of(data));
}

bool pp_block_is_own(const void *data)
{
    return atomic_load_explicit(&block_of(data)->refs, memory_order_acquire) == 1;
}

void *pp_block_resize(void *data, size_t count, size_t element_size)
{
    size_t bytes;
    struct block *block;

    if (!data)
        return pp_block_new(count, element_size);
    assert(pp_block_is_own(data));
    block = block_bytes(count, element_size, &bytes) ? pp_realloc(block_of(data), bytes) : NULL;
    return block ? block->data : NULL;
}

struct pp_storage *pp_storage_new(struct pp_bytes *wire, struct pp_storage *parent)
{
    struct pp_storage *storage = pp_calloc(1, sizeof(*storage));

    if (!storage)
        return NULL;
    atomic_init(&storage->refs, 1);
    storage->wire = wire ? pp_bytes_ref(wire) : NULL;
    storage->parent = parent ? pp_storage_ref(parent) : NULL;
    return storage;
}

struct pp_storage *pp_storage_ref(struct pp_storage *storage)
{
    atomic_fetch_add_explicit(&storage->refs, 1, memory_order_relaxed);
    return storage;
}

void pp_storage_unref(struct pp_storage *storage)
{
    while (storage && atomic_fetch_sub_explicit(&storage->refs, 1, memory_order_acq_rel) == 1) {
        struct pp_storage *parent = storage->parent;

        pp_bytes_unref(storage->wire);
        pp_arena_done(&storage->arena);
        pp_free(storage);
        storage = parent;
    }
}

bool pp_storage_is_own(const struct pp_storage *storage)
{
    return atomic_load_explicit(&storage->refs, memory_order_acquire) == 1;
}

size_t pp_storage_bytes(const struct pp_storage *storage)
{
    size_t bytes = 0;

    for (; storage; storage = storage->parent)
        bytes += sizeof(*storage) + storage->arena.bytes_used + (storage->wire ? storage->wire->cap : 0);
    return bytes;
}
