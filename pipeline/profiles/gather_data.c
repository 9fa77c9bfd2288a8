#include "profiles/gather.h"

static void keep_unknown(struct pp_gather *g, enum pp_unknown_kind kind, uint32_t i, uint32_t to)
{
    if (g->from->unknown[kind].n)
        pp_builder_unknown(g->to, kind, to, pp_unknown_find(g->from, kind, i));
}

/* The pairs have just been copied to the end of the builder's. */
static void keep_unknown_of_pairs(struct pp_gather *g, struct pp_range range)
{
    for (uint32_t i = 0; g->from->unknown[PP_UNKNOWN_KEY_VALUE].n && i < range.n; i++)
        keep_unknown(g, PP_UNKNOWN_KEY_VALUE, range.first + i, g->to->t->key_values.n - range.n + i);
}

void pp_gather_resource(struct pp_gather *g, uint32_t i)
{
    const struct pp_resource *r = &g->from->tables.resources.v[i];
    struct pp_builder_resource copy = {
        .attributes = g->from->tables.key_values.v + r->attributes.first,
        .attributes_n = r->attributes.n,
        .dropped_attributes_count = r->dropped_attributes_count,
        .schema_url = r->schema_url,
    };

    if (!pp_builder_add_resource(g->to, &copy))
        return;
    keep_unknown_of_pairs(g, r->attributes);
    keep_unknown(g, PP_UNKNOWN_RESOURCE, i, g->to->t->resources.n - 1);
    keep_unknown(g, PP_UNKNOWN_RESOURCE_PROFILES, i, g->to->t->resources.n - 1);
}

void pp_gather_scope(struct pp_gather *g, uint32_t i)
{
    const struct pp_scope *s = &g->from->tables.scopes.v[i];
    struct pp_builder_scope copy = {
        .name = s->name,
        .version = s->version,
        .schema_url = s->schema_url,
        .attributes = g->from->tables.key_values.v + s->attributes.first,
        .attributes_n = s->attributes.n,
        .dropped_attributes_count = s->dropped_attributes_count,
    };

    if (!pp_builder_add_scope(g->to, &copy))
        return;
    keep_unknown_of_pairs(g, s->attributes);
    keep_unknown(g, PP_UNKNOWN_SCOPE, i, g->to->t->scopes.n - 1);
    keep_unknown(g, PP_UNKNOWN_SCOPE_PROFILES, i, g->to->t->scopes.n - 1);
}

static struct pp_value_type gather_type(struct pp_gather *g, struct pp_value_type type)
{
    return (struct pp_value_type){pp_gather_string(g, type.type), pp_gather_string(g, type.unit)};
}

void pp_gather_profile(struct pp_gather *g, uint32_t i, bool payload)
{
    struct pp_profile p = g->from->tables.profiles.v[i];
    uint32_t to;

    p.sample_type = gather_type(g, p.sample_type);
    p.period_type = gather_type(g, p.period_type);
    if (!payload)
        p.original_payload = p.original_payload_format = (struct pp_str){0};
    pp_gather_attrs(g, p.attrs);
    if (!pp_builder_add_profile(g->to, &p, g->attrs.v, g->attrs.n))
        return;
    to = g->to->t->profiles.n - 1;
    keep_unknown(g, PP_UNKNOWN_PROFILE, i, to);
    keep_unknown(g, PP_UNKNOWN_SAMPLE_TYPE, i, to);
    keep_unknown(g, PP_UNKNOWN_PERIOD_TYPE, i, to);
}

void pp_gather_sample(struct pp_gather *g, uint32_t i)
{
    const struct pp_tables *t = &g->from->tables;
    const struct pp_samples *s = &t->samples;
    struct pp_builder_sample copy = {
        .stack = pp_gather_stack(g, s->stack[i]),
        .link = pp_gather_link(g, s->link[i]),
        .values = t->values.v + s->values[i].first,
        .values_n = s->values[i].n,
        .timestamps = t->timestamps.v + s->timestamps[i].first,
        .timestamps_n = s->timestamps[i].n,
    };

    pp_gather_attrs(g, s->attrs[i]);
    copy.attrs = g->attrs.v;
    copy.attrs_n = g->attrs.n;
    if (pp_builder_add_sample(g->to, &copy))
        keep_unknown(g, PP_UNKNOWN_SAMPLE, i, g->to->t->samples.n - 1);
}

void pp_gather_whole_profile(struct pp_gather *g, uint32_t i)
{
    struct pp_range samples = g->from->tables.profiles.v[i].samples;

    pp_gather_profile(g, i, true);
    for (uint32_t s = 0; s < samples.n && !pp_builder_failed(g->to); s++)
        pp_gather_sample(g, samples.first + s);
}

void pp_gather_top(struct pp_gather *g)
{
    keep_unknown(g, PP_UNKNOWN_REQUEST, 0, 0);
    keep_unknown(g, PP_UNKNOWN_DICTIONARY, 0, 0);
}
