#include "pprof/pprof_private.h"

#include <inttypes.h>

static uint64_t id_at(const struct pp_pprof_ids *ids, size_t i)
{
    uint64_t id;

    memcpy(&id, ids->entries + i * ids->stride, sizeof(id));
    return id;
}

/* splitmix64: ids are a peer's, often addresses. */
static uint64_t id_hash(uint64_t x)
{
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

struct id_key {
    const struct pp_pprof_ids *ids;
    uint64_t id;
};

static bool id_equal(const void *context, uint32_t i)
{
    const struct id_key *key = context;

    return id_at(key->ids, i) == key->id;
}

static bool add_all(struct pp_pprof_ids *ids, struct pp_error *err)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct id_key key = {ids, id_at(ids, i)};
        uint64_t hash = id_hash(key.id);

        if (pp_index_find(&ids->index, hash, id_equal, &key) != PP_INDEX_NONE)
            return pp_error_set(err, PP_ERR_INVALID, "malformed profile: multiple %ss with same id: %" PRIu64, ids->what, key.id);
        if (!pp_index_add(&ids->index, hash, (uint32_t)i))
            return pp_error_nomem(err);
    }
    return true;
}

bool pp_pprof_ids_init(struct pp_pprof_ids *ids, const char *what, const void *entries, size_t n, size_t stride, struct pp_error *err)
{
    *ids = (struct pp_pprof_ids){.what = what, .entries = entries, .n = n, .stride = stride, .dense = true};
    for (size_t i = 0; i < n; i++) {
        uint64_t id = id_at(ids, i);

        if (id == 0)
            return pp_error_set(err, PP_ERR_INVALID, "malformed profile: found %s with reserved ID=0", what);
        if (id != i + 1)
            ids->dense = false;
    }
    return ids->dense || add_all(ids, err);
}

uint32_t pp_pprof_ids_find(const struct pp_pprof_ids *ids, uint64_t id)
{
    struct id_key key = {ids, id};

    if (ids->dense)
        return id - 1 < ids->n ? (uint32_t)(id - 1) : PP_PPROF_NONE;
    return pp_index_find(&ids->index, id_hash(id), id_equal, &key);
}

void pp_pprof_ids_done(struct pp_pprof_ids *ids)
{
    pp_index_done(&ids->index);
}
