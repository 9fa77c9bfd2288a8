#include "profiles/edit.h"

#include <assert.h>

#include "profiles/batch_impl.h"

struct pp_arena *pp_batch_arena(struct pp_batch *batch)
{
    struct pp_data *data = atomic_load_explicit(&batch->data, memory_order_acquire);

    if (!data)
        data = atomic_load_explicit(&batch->origins, memory_order_acquire);
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

/* Origins beside full tables would go stale. */
static void forget_origins(struct pp_batch *batch)
{
    pp_data_free(atomic_load_explicit(&batch->origins, memory_order_relaxed));
    atomic_store_explicit(&batch->origins, NULL, memory_order_relaxed);
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
    data->clean &= ~tables;
    pp_batch_drop_wire(*batch);
    forget_origins(*batch);
    return &data->tables;
}

/* A batch of its own with the same origins. */
static struct pp_batch *derive_origins(const struct pp_batch *batch, struct pp_data *origins)
{
    struct pp_data *copy = pp_data_derive(origins);
    struct pp_batch *derived = copy ? pp_batch_new(batch->context) : NULL;

    if (!derived) {
        pp_data_free(copy);
        return NULL;
    }
    derived->info = batch->info;
    atomic_init(&derived->origins, copy);
    return derived;
}

struct pp_tables *pp_batch_edit_origins(struct pp_batch **batch, struct pp_error *err)
{
    struct pp_data *origins = pp_batch_origins_data(*batch, err);
    struct pp_batch *derived = NULL;

    if (!origins || !origins->message)
        return origins ? pp_batch_edit(batch, PP_EDIT_RESOURCES, err) : NULL;
    if (atomic_load_explicit(&(*batch)->refs, memory_order_acquire) > 1) {
        derived = derive_origins(*batch, origins);
        origins = derived ? derived->origins : NULL;
    }
    if (!origins || !pp_data_own(origins, PP_EDIT_RESOURCES) || !own_storage(origins)) {
        pp_batch_unref(derived);
        pp_error_nomem(err);
        return NULL;
    }
    if (derived) {
        pp_batch_unref(*batch);
        *batch = derived;
    }
    pp_batch_drop_wire(*batch);
    return &origins->tables;
}
