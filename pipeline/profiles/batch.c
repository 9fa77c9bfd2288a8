#include "profiles/batch_impl.h"

#include <assert.h>

#include "base/mem.h"

struct pp_batch *pp_batch_new(struct pp_context *context)
{
    struct pp_batch *batch = pp_calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    atomic_init(&batch->refs, 1);
    pthread_mutex_init(&batch->decode_lock, NULL);
    batch->context = pp_context_ref(context);
    return batch;
}

struct pp_batch *pp_batch_from_data(struct pp_data *data, struct pp_context *context)
{
    struct pp_batch *batch = pp_batch_new(context);

    if (batch)
        atomic_init(&batch->data, data);
    else
        pp_data_free(data);
    return batch;
}

bool pp_batch_from_otlp(const struct pp_batch_source *source, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_otlp_info info;
    struct pp_batch *batch;

    if (!pp_otlp_check(pp_bytes_str(source->wire), source->layout, &info, err))
        return false;
    batch = pp_batch_new(source->context);
    if (!batch)
        return pp_error_nomem(err);
    batch->info = info;
    batch->wire = pp_bytes_ref(source->wire);
    batch->packed = source->packed ? pp_bytes_ref(source->packed) : NULL;
    batch->packed_encoding = source->packed_encoding;
    *ret = batch;
    return true;
}

struct pp_batch *pp_batch_ref(struct pp_batch *batch)
{
    unsigned before = atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
    return batch;
}

void pp_batch_unref(struct pp_batch *batch)
{
    if (!batch || atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
        return;
    pp_data_free(atomic_load_explicit(&batch->data, memory_order_relaxed));
    pp_bytes_unref(batch->wire);
    pp_bytes_unref(batch->packed);
    pp_context_unref(batch->context);
    pthread_mutex_destroy(&batch->decode_lock);
    pp_free(batch);
}

/* The tables once nothing but them says what the batch holds; NULL while it is as it came. */
static const struct pp_tables *own_tables(const struct pp_batch *batch)
{
    return batch->wire ? NULL : &atomic_load_explicit(&batch->data, memory_order_acquire)->tables;
}

uint64_t pp_batch_samples(const struct pp_batch *batch)
{
    const struct pp_tables *t = own_tables(batch);

    return t ? t->samples.n : batch->info.counts.samples;
}

uint32_t pp_batch_profiles(const struct pp_batch *batch)
{
    const struct pp_tables *t = own_tables(batch);

    return t ? t->profiles.n : batch->info.counts.profiles;
}

uint32_t pp_batch_resources(const struct pp_batch *batch)
{
    const struct pp_tables *t = own_tables(batch);

    return t ? t->resources.n : batch->info.counts.resources;
}

size_t pp_batch_memory_bytes(const struct pp_batch *batch)
{
    const struct pp_data *data = atomic_load_explicit(&((struct pp_batch *)batch)->data, memory_order_acquire);
    size_t bytes = sizeof(*batch) + (batch->packed ? batch->packed->cap : 0);

    if (data)
        return bytes + pp_data_bytes(data); /* its storage holds the message too */
    return bytes + (batch->wire ? batch->wire->cap : 0);
}

struct pp_context *pp_batch_context(const struct pp_batch *batch)
{
    return batch->context;
}

struct pp_data *pp_batch_data(struct pp_batch *batch, struct pp_error *err)
{
    struct pp_data *data = atomic_load_explicit(&batch->data, memory_order_acquire);

    if (data)
        return data;
    pthread_mutex_lock(&batch->decode_lock);
    data = atomic_load_explicit(&batch->data, memory_order_relaxed);
    if (!data) {
        data = pp_data_decode(batch->wire, &batch->info);
        atomic_store_explicit(&batch->data, data, memory_order_release);
    }
    pthread_mutex_unlock(&batch->decode_lock);
    if (!data)
        pp_error_nomem(err);
    return data;
}

const struct pp_tables *pp_batch_tables(struct pp_batch *batch, struct pp_error *err)
{
    struct pp_data *data = pp_batch_data(batch, err);

    return data ? &data->tables : NULL;
}
