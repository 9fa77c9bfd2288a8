/* The largest size that parts of a batch can have on the wire. An index in a part is never above the one it has here, so that its
 * size here is a bound. */
#include "profiles/gather.h"
#include "proto/wire_out.h"

#define HEAD_BYTES_MAX (PP_OUT_TAG_BYTES_MAX + PP_OUT_LEN_BYTES_MAX)

/* Whether the entry still has to be counted in this part; it is from now on. */
static bool unpriced(struct pp_gather *g, enum pp_builder_table table, int32_t i)
{
    struct pp_gather_slot *slot = &g->slots[table][i];

    if (i == 0 || slot->priced == g->part)
        return false;
    slot->priced = g->part;
    return true;
}

static size_t price_unknown(const struct pp_gather *g, enum pp_unknown_kind kind, uint32_t i)
{
    return g->from->unknown[kind].n ? pp_unknown_find(g->from, kind, i).n : 0;
}

static size_t field(uint64_t value)
{
    return value ? 1 + pp_varint_size(value) : 0;
}

/* A message of that many bytes, with its tag and length. */
static size_t enclosed(size_t bytes)
{
    return 1 + pp_varint_size(bytes) + bytes;
}

static size_t price_string(struct pp_gather *g, int32_t i)
{
    return unpriced(g, PP_BUILDER_STRINGS, i) ? enclosed(g->from->tables.strings.v[i].n) : 0;
}

static size_t price_attrs(struct pp_gather *g, struct pp_range range, size_t *entries)
{
    const struct pp_tables *t = &g->from->tables;
    size_t bytes = 0;

    for (uint32_t n = range.first; n < range.first + range.n; n++) {
        int32_t i = t->attr_indices.v[n];
        const struct pp_attribute *a = &t->attributes.v[i];

        bytes += pp_varint_size((uint32_t)i);
        if (unpriced(g, PP_BUILDER_ATTRIBUTES, i))
            *entries += price_string(g, a->key) + price_string(g, a->unit) +
                        enclosed(field((uint32_t)a->key) + field((uint32_t)a->unit) + enclosed(a->value.n) +
                                 price_unknown(g, PP_UNKNOWN_ATTRIBUTE, (uint32_t)i));
    }
    return range.n ? enclosed(bytes) : 0;
}

static size_t price_function(struct pp_gather *g, int32_t i)
{
    const struct pp_function *f = &g->from->tables.functions.v[i];

    if (!unpriced(g, PP_BUILDER_FUNCTIONS, i))
        return 0;
    return price_string(g, f->name) + price_string(g, f->system_name) + price_string(g, f->filename) +
           enclosed(field((uint32_t)f->name) + field((uint32_t)f->system_name) + field((uint32_t)f->filename) +
                    field((uint64_t)f->start_line) + price_unknown(g, PP_UNKNOWN_FUNCTION, (uint32_t)i));
}

static size_t price_mapping(struct pp_gather *g, int32_t i)
{
    const struct pp_mapping *m = &g->from->tables.mappings.v[i];
    size_t entries = 0, own;

    if (!unpriced(g, PP_BUILDER_MAPPINGS, i))
        return 0;
    own = field(m->memory_start) + field(m->memory_limit) + field(m->file_offset) + field((uint32_t)m->filename) +
          price_attrs(g, m->attrs, &entries) + price_unknown(g, PP_UNKNOWN_MAPPING, (uint32_t)i);
    return entries + price_string(g, m->filename) + enclosed(own);
}

static size_t price_location(struct pp_gather *g, int32_t i)
{
    const struct pp_location *l = &g->from->tables.locations.v[i];
    size_t entries = 0, own;

    if (!unpriced(g, PP_BUILDER_LOCATIONS, i))
        return 0;
    own = field((uint32_t)l->mapping) + field(l->address) + price_attrs(g, l->attrs, &entries) +
          price_unknown(g, PP_UNKNOWN_LOCATION, (uint32_t)i);
    for (uint32_t n = l->lines.first; n < l->lines.first + l->lines.n; n++) {
        const struct pp_line *line = &g->from->tables.lines.v[n];

        entries += price_function(g, line->function);
        own += enclosed(field((uint32_t)line->function) + field((uint64_t)line->line) + field((uint64_t)line->column) +
                        price_unknown(g, PP_UNKNOWN_LINE, n));
    }
    return entries + price_mapping(g, l->mapping) + enclosed(own);
}

static size_t price_stack(struct pp_gather *g, int32_t i)
{
    const struct pp_tables *t = &g->from->tables;
    struct pp_range range = t->stacks.v[i].locations;
    size_t entries = 0, own = 0;

    if (!unpriced(g, PP_BUILDER_STACKS, i))
        return 0;
    for (uint32_t n = range.first; n < range.first + range.n; n++) {
        own += pp_varint_size((uint32_t)t->location_indices.v[n]);
        entries += price_location(g, t->location_indices.v[n]);
    }
    return entries + enclosed(enclosed(own) + price_unknown(g, PP_UNKNOWN_STACK, (uint32_t)i));
}

static size_t price_link(struct pp_gather *g, int32_t i)
{
    if (!unpriced(g, PP_BUILDER_LINKS, i))
        return 0;
    return enclosed(enclosed(PP_TRACE_ID_BYTES) + enclosed(PP_SPAN_ID_BYTES) + price_unknown(g, PP_UNKNOWN_LINK, (uint32_t)i));
}

size_t pp_gather_price_sample(struct pp_gather *g, uint32_t i)
{
    const struct pp_samples *s = &g->from->tables.samples;
    size_t values = 0, entries = 0, own;

    for (uint32_t n = 0; n < s->values[i].n; n++)
        values += pp_varint_size((uint64_t)g->from->tables.values.v[s->values[i].first + n]);
    own = field((uint32_t)s->stack[i]) + field((uint32_t)s->link[i]) + price_attrs(g, s->attrs[i], &entries) +
          price_unknown(g, PP_UNKNOWN_SAMPLE, i);
    own += values ? enclosed(values) : 0;
    own += s->timestamps[i].n ? enclosed(8 * (size_t)s->timestamps[i].n) : 0;
    return entries + price_stack(g, s->stack[i]) + price_link(g, s->link[i]) + enclosed(own);
}

static size_t price_pairs(const struct pp_gather *g, struct pp_range range)
{
    size_t bytes = 0;

    for (uint32_t i = range.first; i < range.first + range.n; i++) {
        const struct pp_key_value *kv = &g->from->tables.key_values.v[i];

        bytes += enclosed(enclosed(kv->key.n) + enclosed(kv->value.n) + price_unknown(g, PP_UNKNOWN_KEY_VALUE, i));
    }
    return bytes;
}

static size_t price_origin(struct pp_gather *g, uint32_t resource, uint32_t scope)
{
    const struct pp_resource *r = &g->from->tables.resources.v[resource];
    const struct pp_scope *s = &g->from->tables.scopes.v[scope];

    return 4 * HEAD_BYTES_MAX + 2 * PP_OUT_SCALAR_BYTES_MAX + price_pairs(g, r->attributes) + enclosed(r->schema_url.n) +
           price_pairs(g, s->attributes) + enclosed(s->name.n) + enclosed(s->version.n) + enclosed(s->schema_url.n) +
           price_unknown(g, PP_UNKNOWN_RESOURCE, resource) + price_unknown(g, PP_UNKNOWN_RESOURCE_PROFILES, resource) +
           price_unknown(g, PP_UNKNOWN_SCOPE, scope) + price_unknown(g, PP_UNKNOWN_SCOPE_PROFILES, scope);
}

size_t pp_gather_price_head(struct pp_gather *g, uint32_t resource, uint32_t scope, uint32_t profile, bool payload)
{
    const struct pp_profile *p = &g->from->tables.profiles.v[profile];
    size_t entries = 0, bytes = price_origin(g, resource, scope);

    bytes += 7 * HEAD_BYTES_MAX + 8 * PP_OUT_SCALAR_BYTES_MAX + 9 + PP_PROFILE_ID_BYTES;
    bytes += price_attrs(g, p->attrs, &entries) + (payload ? p->original_payload.n + p->original_payload_format.n : 0);
    bytes += price_string(g, p->sample_type.type) + price_string(g, p->sample_type.unit);
    bytes += price_string(g, p->period_type.type) + price_string(g, p->period_type.unit);
    bytes += price_unknown(g, PP_UNKNOWN_PROFILE, profile) + price_unknown(g, PP_UNKNOWN_SAMPLE_TYPE, profile) +
             price_unknown(g, PP_UNKNOWN_PERIOD_TYPE, profile);
    return bytes + entries;
}
