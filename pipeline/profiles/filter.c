#include "base/mem.h"
#include "profiles/batch_impl.h"
#include "profiles/gather.h"

/* `kept` may be NULL: all of them. `distinct`: without looking for equal entries. */
static bool copy_kept(struct pp_batch *batch, const struct pp_data *data, const bool *kept, bool distinct, struct pp_batch **ret,
                      struct pp_error *err)
{
    struct pp_builder *builder = pp_builder_new(batch->context);
    struct pp_gather gather;
    bool ok;

    if (!builder || !pp_gather_init(&gather, data)) {
        pp_builder_free(builder);
        return pp_error_nomem(err);
    }
    builder->distinct = distinct;
    pp_gather_begin(&gather, builder);
    pp_gather_top(&gather);
    for (uint32_t i = 0; i < data->tables.resources.n && !pp_builder_failed(builder); i++)
        if (!kept || kept[i])
            pp_gather_whole_resource(&gather, i);
    ok = pp_builder_finish(builder, ret, err);
    pp_builder_free(builder);
    pp_gather_done(&gather);
    return ok;
}

bool pp_batch_filter_resources(struct pp_batch *batch, pp_batch_keep *keep, void *arg, struct pp_batch **ret, struct pp_error *err)
{
    const struct pp_tables *origins = pp_batch_origins(batch, err);
    struct pp_data *data;
    uint32_t n, kept_n = 0;
    bool *kept, ok = true;

    if (!origins)
        return false;
    n = origins->resources.n;
    kept = pp_calloc(n, sizeof(*kept));
    if (!kept)
        return pp_error_nomem(err);
    for (uint32_t i = 0; i < n; i++)
        kept_n += kept[i] = keep(arg, origins, i);
    if (kept_n == n && n > 0)
        *ret = pp_batch_ref(batch);
    else if (kept_n == 0)
        *ret = NULL;
    else
        ok = (data = pp_batch_data(batch, err)) && copy_kept(batch, data, kept, true, ret, err);
    pp_free(kept);
    return ok;
}

bool pp_batch_compact(struct pp_batch *batch, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_data *data = pp_batch_data(batch, err);

    return data && copy_kept(batch, data, NULL, false, ret, err);
}
