#include "profiles/batch_impl.h"
#include "profiles/gather.h"

struct splitter {
    struct pp_gather g;
    struct pp_batch *batch;
    const struct pp_batch_limits *limits;
    pp_batch_part *part;
    void *arg;
    struct pp_error *err;
    struct pp_builder *builder; /* of the part being filled; NULL between parts */
    size_t bytes;               /* of the part, at most */
    uint64_t samples;
    bool holds_profiles; /* the part has something to hand over */
    bool stopped;        /* by the receiver of the parts */
    uint32_t resource, scope, profile; /* the open ones, UINT32_MAX: none */
};

#define NOT_OPEN UINT32_MAX

static bool begin_part(struct splitter *s)
{
    s->builder = pp_builder_new(s->batch->context);
    if (!s->builder)
        return pp_error_nomem(s->err);
    s->builder->distinct = true;
    pp_gather_begin(&s->g, s->builder);
    pp_gather_top(&s->g);
    s->bytes = PP_GATHER_PRICE_EMPTY;
    s->samples = 0;
    s->holds_profiles = false;
    s->resource = s->scope = s->profile = NOT_OPEN;
    return true;
}

static bool end_part(struct splitter *s)
{
    struct pp_batch *part = NULL;
    bool ok = pp_builder_finish(s->builder, &part, s->err);

    pp_builder_free(s->builder);
    s->builder = NULL;
    if (ok && !s->part(s->arg, part)) {
        s->stopped = true;
        return false;
    }
    return ok;
}

static void open_scope(struct splitter *s, uint32_t resource, uint32_t scope)
{
    if (s->resource != resource) {
        pp_gather_resource(&s->g, resource);
        s->resource = resource;
        s->scope = NOT_OPEN;
    }
    if (scope != NOT_OPEN && s->scope != scope) {
        pp_gather_scope(&s->g, scope);
        s->scope = scope;
        s->profile = NOT_OPEN;
    }
}

static bool over(const struct splitter *s, size_t bytes, uint64_t samples)
{
    return (s->limits->bytes_max && s->bytes + bytes > s->limits->bytes_max) ||
           (s->limits->samples_max && s->samples + samples > s->limits->samples_max);
}

static void open_profile(struct splitter *s, uint32_t resource, uint32_t scope, uint32_t profile, bool payload)
{
    open_scope(s, resource, scope);
    pp_gather_profile(&s->g, profile, payload);
    s->profile = profile;
    s->holds_profiles = true;
}

/* What the next sample adds, with the head of its profile where that is not in the part yet. `sample` is NOT_OPEN for a profile without. */
static size_t price(struct splitter *s, uint32_t resource, uint32_t scope, uint32_t profile, uint32_t sample, bool payload)
{
    size_t bytes = s->profile == profile ? 0 : pp_gather_price_head(&s->g, resource, scope, profile, payload);

    return bytes + (sample == NOT_OPEN ? 0 : pp_gather_price_sample(&s->g, sample));
}

static bool split_profile(struct splitter *s, uint32_t resource, uint32_t scope, uint32_t profile)
{
    struct pp_range samples = s->g.from->tables.profiles.v[profile].samples;
    uint32_t n = 0;

    do {
        uint32_t sample = n < samples.n ? samples.first + n : NOT_OPEN;
        size_t bytes = price(s, resource, scope, profile, sample, n == 0);

        if (over(s, bytes, sample != NOT_OPEN) && s->holds_profiles) {
            if (!end_part(s) || !begin_part(s))
                return false;
            bytes = price(s, resource, scope, profile, sample, n == 0);
        }
        if (s->profile != profile)
            open_profile(s, resource, scope, profile, n == 0);
        if (sample != NOT_OPEN)
            pp_gather_sample(&s->g, sample);
        s->bytes += bytes;
        s->samples += sample != NOT_OPEN;
        if (pp_builder_failed(s->builder))
            return end_part(s);
    } while (++n < samples.n);
    return true;
}

static bool split_resources(struct splitter *s)
{
    const struct pp_tables *t = &s->g.from->tables;

    for (uint32_t r = 0; r < t->resources.n; r++) {
        struct pp_range scopes = t->resources.v[r].scopes;

        if (scopes.n == 0)
            open_scope(s, r, NOT_OPEN);
        for (uint32_t c = scopes.first; c < scopes.first + scopes.n; c++) {
            struct pp_range profiles = t->scopes.v[c].profiles;

            if (profiles.n == 0)
                open_scope(s, r, c);
            for (uint32_t p = profiles.first; p < profiles.first + profiles.n; p++)
                if (!split_profile(s, r, c, p))
                    return false;
        }
    }
    return true;
}

static bool within(struct pp_batch *batch, const struct pp_batch_limits *limits)
{
    return (!limits->samples_max || pp_batch_samples(batch) <= limits->samples_max) &&
           (!limits->bytes_max || pp_batch_wire_bytes(batch) <= limits->bytes_max);
}

bool pp_batch_split(struct pp_batch *batch, const struct pp_batch_limits *limits, pp_batch_part *part, void *arg, struct pp_error *err)
{
    struct splitter s = {.batch = batch, .limits = limits, .part = part, .arg = arg, .err = err};
    struct pp_data *data;
    bool ok;

    if (within(batch, limits)) {
        part(arg, pp_batch_ref(batch));
        return true;
    }
    data = pp_batch_data(batch, err);
    if (!data)
        return false;
    if (!pp_gather_init(&s.g, data))
        return pp_error_nomem(err);
    ok = begin_part(&s) && split_resources(&s) && end_part(&s);
    pp_builder_free(s.builder);
    pp_gather_done(&s.g);
    return ok || s.stopped;
}
