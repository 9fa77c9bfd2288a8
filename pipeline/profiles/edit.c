#include "profiles/edit.h"

#include <assert.h>

#include "profiles/batch_impl.h"

struct pp_arena *pp_batch_arena(struct pp_batch *batch)
{
    struct pp_data *data = atomic_load_explicit(&batch->data, memory_order_acquire);

    assert(!batch->wire && pp_storage_is_own(data->storage));
    return &data->storage->arena;
}

/* A part of its own on top of the shared storage, where others still read that. */
static bool own_storage(struct pp_data *data)
{
    struct pp_storage *own;

    if (pp_storage_is_own(data->storage))
        return true;
    own = pp_storage_new(NULL, data->storage);
    if (!own)
        return false;
    pp_storage_unref(data->storage);
    data->storage = own;
    return true;
}

/* The batch stops being what it came as. */
static void mark_edited(struct pp_batch *batch, struct pp_data *data, unsigned tables)
{
    data->clean &= ~tables;
    pp_bytes_unref(batch->wire); /* the storage has a reference of its own */
    pp_bytes_unref(batch->packed);
    batch->wire = batch->packed = NULL;
}

struct pp_tables *pp_batch_edit(struct pp_batch **batch, unsigned tables, struct pp_error *err)
{
    struct pp_data *data = pp_batch_data(*batch, err);
    struct pp_batch *derived = NULL;

    if (!data)
        return NULL;
    if (atomic_load_explicit(&(*batch)->refs, memory_order_acquire) > 1) {
        data = pp_data_derive(data);
        derived = data ? pp_batch_from_data(data, (*batch)->context) : NULL;
        if (!derived) {
            pp_error_nomem(err);
            return NULL;
        }
    }
    if (!pp_data_own(data, tables) || !own_storage(data)) {
        pp_batch_unref(derived);
        pp_error_nomem(err);
        return NULL;
    }
    if (derived) {
        pp_batch_unref(*batch);
        *batch = derived;
    }
    mark_edited(*batch, data, tables);
    return &data->tables;
}
