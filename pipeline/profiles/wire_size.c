/* How large a batch's message is, without writing it. */
#include "profiles/batch_impl.h"
#include "profiles/origins.h"

#include "proto/wire_out.h"

/* Tag and length around a message, three bytes of length being enough for all but the largest. */
#define HEAD_BYTES 4u

static size_t indices_bytes(uint32_t indices, uint32_t table_n)
{
    return (size_t)indices * pp_varint_size(table_n);
}

static size_t dictionary_bytes(const struct pp_tables *t)
{
    size_t bytes = HEAD_BYTES + 1, string = pp_varint_size(t->strings.n) + 1;

    for (uint32_t i = 0; i < t->strings.n; i++)
        bytes += 1 + pp_varint_size(t->strings.v[i].n) + t->strings.v[i].n;
    for (uint32_t i = 0; i < t->attributes.n; i++)
        bytes += 2 * HEAD_BYTES + 2 * string + t->attributes.v[i].value.n;
    for (uint32_t i = 0; i < t->locations.n; i++)
        bytes += HEAD_BYTES + 3 + 2 + pp_varint_size(t->locations.v[i].address) + pp_varint_size(t->mappings.n);
    for (uint32_t i = 0; i < t->lines.n; i++)
        bytes += 2 + 4 + pp_varint_size(t->functions.n) + pp_varint_size((uint64_t)t->lines.v[i].line) +
                 pp_varint_size((uint64_t)t->lines.v[i].column);
    for (uint32_t i = 0; i < t->functions.n; i++)
        bytes += HEAD_BYTES + 3 * string + 1 + pp_varint_size((uint64_t)t->functions.v[i].start_line);
    bytes += t->mappings.n * (HEAD_BYTES + 3 * (size_t)PP_OUT_SCALAR_BYTES_MAX + string + 3);
    bytes += t->links.n * (HEAD_BYTES + sizeof(struct pp_link));
    bytes += t->stacks.n * (2 * (size_t)HEAD_BYTES + 2) + indices_bytes(t->location_indices.n, t->locations.n);
    return bytes;
}

static size_t data_bytes(const struct pp_tables *t)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < t->resources.n; i++)
        bytes += 5 * HEAD_BYTES + PP_OUT_SCALAR_BYTES_MAX + t->resources.v[i].schema_url.n;
    for (uint32_t i = 0; i < t->key_values.n; i++)
        bytes += 3 * HEAD_BYTES + t->key_values.v[i].key.n + t->key_values.v[i].value.n;
    for (uint32_t i = 0; i < t->scopes.n; i++)
        bytes += 6 * HEAD_BYTES + PP_OUT_SCALAR_BYTES_MAX + t->scopes.v[i].name.n + t->scopes.v[i].version.n +
                 t->scopes.v[i].schema_url.n;
    for (uint32_t i = 0; i < t->profiles.n; i++)
        bytes += 160 + t->profiles.v[i].original_payload.n + t->profiles.v[i].original_payload_format.n;
    for (uint32_t i = 0; i < t->values.n; i++)
        bytes += pp_varint_size((uint64_t)t->values.v[i]);
    bytes += 8 * (size_t)t->timestamps.n + indices_bytes(t->attr_indices.n, t->attributes.n);
    /* head, stack, link, and the heads of three lists */
    bytes += t->samples.n * (HEAD_BYTES + 2 + pp_varint_size(t->stacks.n) + pp_varint_size(t->links.n) + 3 * (size_t)3);
    return bytes;
}

static size_t unknown_bytes(const struct pp_data *data)
{
    size_t bytes = 0;

    for (unsigned k = 0; k < PP_UNKNOWN_KINDS; k++)
        for (size_t i = 0; i < data->unknown[k].n; i++)
            bytes += data->unknown[k].v[i].fields.n;
    return bytes;
}

size_t pp_batch_wire_bytes(const struct pp_batch *batch)
{
    const struct pp_data *data;

    if (batch->wire)
        return batch->wire->len;
    data = atomic_load_explicit(&batch->data, memory_order_acquire);
    if (!data)
        return pp_origins_wire_bytes(atomic_load_explicit(&batch->origins, memory_order_acquire));
    return dictionary_bytes(&data->tables) + data_bytes(&data->tables) + unknown_bytes(data);
}
