#include "base/mem.h"
#include "profiles/batch_impl.h"
#include "profiles/gather.h"
#include "profiles/remap.h"

/* What the parts of copying below need. */
struct copy {
    const struct pp_data *data;
    const bool *kept; /* NULL: all */
    struct pp_builder *builder;
    struct pp_gather gather; /* without slots where `remap` does the profiles */
    struct pp_remap remap;
};

static void copy_scope(struct copy *c, uint32_t scope)
{
    struct pp_range profiles = c->data->tables.scopes.v[scope].profiles;

    pp_gather_scope(&c->gather, scope);
    for (uint32_t p = profiles.first; p < profiles.first + profiles.n && !pp_builder_failed(c->builder); p++) {
        if (c->remap.from)
            pp_remap_profile(&c->remap, p);
        else
            pp_gather_whole_profile(&c->gather, p);
    }
}

static void copy_resources(struct copy *c)
{
    const struct pp_tables *t = &c->data->tables;

    pp_gather_begin(&c->gather, c->builder);
    pp_gather_top(&c->gather);
    for (uint32_t i = 0; i < t->resources.n && !pp_builder_failed(c->builder); i++) {
        struct pp_range scopes = t->resources.v[i].scopes;

        if (c->kept && !c->kept[i])
            continue;
        pp_gather_resource(&c->gather, i);
        for (uint32_t s = scopes.first; s < scopes.first + scopes.n && !pp_builder_failed(c->builder); s++)
            copy_scope(c, s);
    }
}

/* `distinct`: without looking for equal entries. */
static bool copy_kept(struct pp_batch *batch, const struct pp_data *data, const bool *kept, bool distinct, struct pp_batch **ret,
                      struct pp_error *err)
{
    struct copy c = {.data = data, .kept = kept, .builder = pp_builder_new(batch->context), .gather.from = data};
    bool ok;

    if (!c.builder)
        return pp_error_nomem(err);
    c.builder->distinct = distinct;
    if (pp_remap_possible(data) ? !pp_remap_init(&c.remap, data, kept, c.builder) : !pp_gather_init(&c.gather, data)) {
        pp_builder_free(c.builder);
        return pp_error_nomem(err);
    }
    copy_resources(&c);
    ok = pp_builder_finish(c.builder, ret, err);
    pp_builder_free(c.builder);
    pp_gather_done(&c.gather);
    pp_remap_done(&c.remap);
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
