#include "profiles/encode_impl.h"

#include "profiles/hash.h"
#include "profiles/origins.h"

uint8_t *pp_encode_leaf_begin(struct pp_encode *e, uint32_t field, size_t n, enum pp_unknown_kind kind, uint32_t entry,
                              struct pp_str *ret_unknown)
{
    uint8_t *p;

    *ret_unknown = e->data->unknown[kind].n ? pp_unknown_find(e->data, kind, entry) : (struct pp_str){0};
    p = (uint8_t *)pp_buf_reserve(&e->out, PP_OUT_TAG_BYTES_MAX + PP_OUT_LEN_BYTES_MAX + n + ret_unknown->n);
    if (!p)
        return NULL;
    *p = (uint8_t)PP_TAG_LEN(field);
    return p + 2;
}

void pp_encode_leaf_end(struct pp_encode *e, uint8_t *body, uint8_t *end, struct pp_str unknown)
{
    if (unknown.n)
        end = (uint8_t *)memcpy(end, unknown.p, unknown.n) + unknown.n;
    end = pp_out_close(body, end, 1);
    e->out.len = (size_t)(end - (uint8_t *)e->out.data);
}

struct string_key {
    const struct pp_encode *e;
    struct pp_str s;
};

static bool same_string(const void *context, uint32_t id)
{
    const struct string_key *key = context;
    uint32_t n = key->e->t->strings.n;

    return pp_str_eq(id < n ? key->e->t->strings.v[id] : key->e->added.v[id - n], key->s);
}

/* Equal strings may stand in the table twice; the first is found. */
static bool index_strings(struct pp_encode *e)
{
    if (!pp_index_reserve(&e->strings, e->t->strings.n))
        return false;
    for (uint32_t i = 0; i < e->t->strings.n; i++)
        if (!pp_index_add(&e->strings, pp_hash_str(e->t->strings.v[i]), i))
            return false;
    return true;
}

int32_t pp_encode_string_ref(struct pp_encode *e, struct pp_str s)
{
    struct string_key key = {e, s};
    uint64_t hash = pp_hash_str(s);
    uint32_t id = pp_index_find(&e->strings, hash, same_string, &key);

    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    id = e->t->strings.n + (uint32_t)e->added.n;
    if (!pp_vec_push(&e->added, s) || !pp_index_add(&e->strings, hash, id))
        e->failed = true;
    return (int32_t)id;
}

bool pp_batch_is_as_received(const struct pp_batch *batch, const struct pp_encode_options *options)
{
    return batch->wire && !pp_layout_is_old(batch->info.layout) && (options->references || !batch->info.references);
}

/* Bytes that hold references cannot be copied into a message without. */
static unsigned clean_tables(const struct pp_data *data, bool references)
{
    if (!data->spans)
        return 0;
    return data->references && !references ? data->clean & ~(unsigned)(PP_EDIT_RESOURCES | PP_EDIT_SCOPES | PP_EDIT_ATTRIBUTES)
                                           : data->clean;
}

static bool encode_data(const struct pp_data *data, size_t bytes_guess, bool references, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_encode e = {.data = data, .t = &data->tables, .references = references};
    struct pp_bytes *bytes = NULL;

    pp_buf_init(&e.out, PP_OTLP_MESSAGE_BYTES_MAX);
    e.clean = clean_tables(data, references);
    e.reserved = pp_varint_size(bytes_guess);
    if (pp_buf_reserve(&e.out, bytes_guess + PP_ENCODE_SLACK_BYTES) && (!references || index_strings(&e))) {
        pp_encode_resources(&e);
        pp_encode_dictionary(&e);
        pp_encode_unknown(&e, PP_UNKNOWN_REQUEST, 0);
        bytes = e.failed ? NULL : pp_bytes_take(&e.out);
    }
    pp_buf_done(&e.out);
    pp_index_done(&e.strings);
    pp_vec_done(&e.added);
    if (!bytes)
        return pp_error_set(err, PP_ERR_NOMEM, "out of memory, or the message is over 2 GiB");
    *ret = bytes;
    return true;
}

/* The edited origins where the rest is as it came; NULL otherwise. */
static struct pp_data *only_origins(const struct pp_batch *batch)
{
    if (batch->wire || atomic_load_explicit(&batch->data, memory_order_acquire))
        return NULL;
    return atomic_load_explicit(&batch->origins, memory_order_acquire);
}

bool pp_batch_encode(struct pp_batch *batch, const struct pp_encode_options *options, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_data *data;

    if (pp_batch_is_as_received(batch, options)) {
        *ret = pp_bytes_ref(batch->wire);
        return true;
    }
    data = options->references ? NULL : only_origins(batch);
    if (data)
        return pp_origins_encode(data, ret, err);
    data = pp_batch_data(batch, err);
    return data && encode_data(data, pp_batch_wire_bytes(batch), options->references, ret, err);
}

bool pp_batch_has_packed(const struct pp_batch *batch, enum pp_encoding encoding)
{
    return batch->packed && batch->packed_encoding == encoding;
}

struct pp_bytes *pp_batch_packed(struct pp_batch *batch, enum pp_encoding encoding, const struct pp_encode_options *options)
{
    if (!pp_batch_has_packed(batch, encoding) || !pp_batch_is_as_received(batch, options))
        return NULL;
    return pp_bytes_ref(batch->packed);
}
