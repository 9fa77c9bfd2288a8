#include "profiles/batch_impl.h"

#include <assert.h>

#include "base/mem.h"
#include "profiles/origins.h"

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
    pp_data_free(atomic_load_explicit(&batch->origins, memory_order_relaxed));
    pp_bytes_unref(batch->wire);
    pp_bytes_unref(batch->packed);
    pp_context_unref(batch->context);
    pthread_mutex_destroy(&batch->decode_lock);
    pp_free(batch);
}

/* The tables once nothing but them says how much the batch holds; NULL while it is as it came, its resources perhaps excepted. */
static const struct pp_tables *own_tables(const struct pp_batch *batch)
{
    const struct pp_data *data = batch->wire ? NULL : atomic_load_explicit(&batch->data, memory_order_acquire);

    return data ? &data->tables : NULL;
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
    const struct pp_data *data = atomic_load_explicit(&batch->data, memory_order_acquire);
    size_t bytes = sizeof(*batch) + (batch->packed ? batch->packed->cap : 0);

    if (!data)
        data = atomic_load_explicit(&batch->origins, memory_order_acquire); /* few bytes beside the whole */
    if (data)
        return bytes + pp_data_bytes(data); /* its storage holds the message too */
    return bytes + (batch->wire ? batch->wire->cap : 0);
}

struct pp_bytes *pp_batch_received(const struct pp_batch *batch, enum pp_encoding *ret_encoding, enum pp_layout *ret_layout)
{
    if (!batch->wire)
        return NULL;
    *ret_encoding = batch->packed ? batch->packed_encoding : PP_ENCODING_IDENTITY;
    *ret_layout = batch->info.layout;
    return pp_bytes_ref(batch->packed ? batch->packed : batch->wire);
}

struct pp_context *pp_batch_context(const struct pp_batch *batch)
{
    return batch->context;
}

void pp_batch_drop_wire(struct pp_batch *batch)
{
    pp_bytes_unref(batch->wire); /* the storage has a reference of its own */
    pp_bytes_unref(batch->packed);
    batch->wire = batch->packed = NULL;
}

static struct pp_data *decode_all(struct pp_batch *batch)
{
    return batch->wire ? pp_data_decode(batch->wire, &batch->info, NULL) : pp_origins_complete(batch->origins, &batch->info);
}

static struct pp_data *decode_origins(struct pp_batch *batch)
{
    return pp_origins_decode(batch->wire, &batch->info);
}

/* What stands at `slot`, made by the first who asks. */
static struct pp_data *decode_once(struct pp_batch *batch, _Atomic(struct pp_data *) *slot, struct pp_data *(*decode)(struct pp_batch *batch),
                                   struct pp_error *err)
{
    struct pp_data *data = atomic_load_explicit(slot, memory_order_acquire);

    if (data)
        return data;
    pthread_mutex_lock(&batch->decode_lock);
    data = atomic_load_explicit(slot, memory_order_relaxed);
    if (!data) {
        data = decode(batch);
        atomic_store_explicit(slot, data, memory_order_release);
    }
    pthread_mutex_unlock(&batch->decode_lock);
    if (!data)
        pp_error_nomem(err);
    return data;
}

struct pp_data *pp_batch_data(struct pp_batch *batch, struct pp_error *err)
{
    return decode_once(batch, &batch->data, decode_all, err);
}

struct pp_data *pp_batch_origins_data(struct pp_batch *batch, struct pp_error *err)
{
    if (atomic_load_explicit(&batch->data, memory_order_acquire) || !pp_origins_possible(&batch->info))
        return pp_batch_data(batch, err);
    return decode_once(batch, &batch->origins, decode_origins, err);
}

const struct pp_tables *pp_batch_origins(struct pp_batch *batch, struct pp_error *err)
{
    struct pp_data *data = pp_batch_origins_data(batch, err);

    return data ? &data->tables : NULL;
}

const struct pp_tables *pp_batch_tables(struct pp_batch *batch, struct pp_error *err)
{
    struct pp_data *data = pp_batch_data(batch, err);

    return data ? &data->tables : NULL;
}
