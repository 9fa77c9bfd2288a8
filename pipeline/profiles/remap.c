#include "profiles/remap.h"

#include "base/mem.h"
#include "profiles/edit.h"

/* Unknown fields that are carried over beside the profiles. */
#define BESIDE                                                                                                                 \
    (1u << PP_UNKNOWN_REQUEST | 1u << PP_UNKNOWN_DICTIONARY | 1u << PP_UNKNOWN_KEY_VALUE | 1u << PP_UNKNOWN_RESOURCE_PROFILES |  \
     1u << PP_UNKNOWN_RESOURCE | 1u << PP_UNKNOWN_SCOPE_PROFILES | 1u << PP_UNKNOWN_SCOPE)

bool pp_remap_possible(const struct pp_data *from)
{
    for (unsigned k = 0; k < PP_UNKNOWN_KINDS; k++)
        if (from->unknown[k].n && !(BESIDE & 1u << k))
            return false;
    return true;
}

static void mark(int32_t *marks, const int32_t *indices, struct pp_range range)
{
    for (uint32_t i = range.first; i < range.first + range.n; i++)
        marks[indices[i]] = 1;
}

/* Whether the ranges follow each other without gaps, as decoding makes them: then they are one. */
static bool one_run(const struct pp_range *v, uint32_t n, struct pp_range *ret)
{
    uint32_t next = n ? v[0].first : 0;

    for (uint32_t i = 0; i < n; next += v[i].n, i++)
        if (v[i].first != next)
            return false;
    *ret = (struct pp_range){n ? v[0].first : 0, n ? next - v[0].first : 0};
    return true;
}

static void mark_profile(struct pp_remap *r, const struct pp_profile *p)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *const *marks = r->to_of;
    struct pp_range rows = p->samples, run;

    marks[PP_BUILDER_STRINGS][p->sample_type.type] = marks[PP_BUILDER_STRINGS][p->sample_type.unit] = 1;
    marks[PP_BUILDER_STRINGS][p->period_type.type] = marks[PP_BUILDER_STRINGS][p->period_type.unit] = 1;
    mark(marks[PP_BUILDER_ATTRIBUTES], t->attr_indices.v, p->attrs);
    if (rows.n == 0)
        return;
    mark(marks[PP_BUILDER_STACKS], t->samples.stack, rows);
    mark(marks[PP_BUILDER_LINKS], t->samples.link, rows);
    if (one_run(t->samples.attrs + rows.first, rows.n, &run)) {
        mark(marks[PP_BUILDER_ATTRIBUTES], t->attr_indices.v, run);
        return;
    }
    for (uint32_t i = rows.first; i < rows.first + rows.n; i++)
        mark(marks[PP_BUILDER_ATTRIBUTES], t->attr_indices.v, t->samples.attrs[i]);
}

static void mark_data(struct pp_remap *r, const bool *kept)
{
    const struct pp_tables *t = &r->from->tables;

    for (uint32_t i = 0; i < t->resources.n; i++) {
        struct pp_range scopes = t->resources.v[i].scopes;

        for (uint32_t s = scopes.first; (!kept || kept[i]) && s < scopes.first + scopes.n; s++) {
            struct pp_range profiles = t->scopes.v[s].profiles;

            for (uint32_t p = profiles.first; p < profiles.first + profiles.n; p++)
                mark_profile(r, &t->profiles.v[p]);
        }
    }
}

/* Entries that use others come before those. */
static void mark_dictionary(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *strings = r->to_of[PP_BUILDER_STRINGS];

    for (uint32_t i = 1; i < t->stacks.n; i++)
        if (r->to_of[PP_BUILDER_STACKS][i])
            mark(r->to_of[PP_BUILDER_LOCATIONS], t->location_indices.v, t->stacks.v[i].locations);
    for (uint32_t i = 1; i < t->locations.n; i++) {
        const struct pp_location *l = &t->locations.v[i];

        if (!r->to_of[PP_BUILDER_LOCATIONS][i])
            continue;
        r->to_of[PP_BUILDER_MAPPINGS][l->mapping] = 1;
        for (uint32_t n = l->lines.first; n < l->lines.first + l->lines.n; n++)
            r->to_of[PP_BUILDER_FUNCTIONS][t->lines.v[n].function] = 1;
        mark(r->to_of[PP_BUILDER_ATTRIBUTES], t->attr_indices.v, l->attrs);
    }
    for (uint32_t i = 1; i < t->mappings.n; i++)
        if (r->to_of[PP_BUILDER_MAPPINGS][i]) {
            strings[t->mappings.v[i].filename] = 1;
            mark(r->to_of[PP_BUILDER_ATTRIBUTES], t->attr_indices.v, t->mappings.v[i].attrs);
        }
    for (uint32_t i = 1; i < t->functions.n; i++)
        if (r->to_of[PP_BUILDER_FUNCTIONS][i])
            strings[t->functions.v[i].name] = strings[t->functions.v[i].system_name] = strings[t->functions.v[i].filename] = 1;
    for (uint32_t i = 1; i < t->attributes.n; i++)
        if (r->to_of[PP_BUILDER_ATTRIBUTES][i])
            strings[t->attributes.v[i].key] = strings[t->attributes.v[i].unit] = 1;
}

/* The list in r->attrs. */
static bool map_attrs(struct pp_remap *r, struct pp_range range)
{
    const int32_t *from = r->from->tables.attr_indices.v + range.first;

    r->attrs.n = 0;
    if (range.n && !pp_vec_reserve(&r->attrs, range.n))
        return pp_builder_fail(r->to, PP_ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < range.n; i++)
        r->attrs.v[i] = r->to_of[PP_BUILDER_ATTRIBUTES][from[i]];
    r->attrs.n = range.n;
    return true;
}

static void map_attributes(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *to_of = r->to_of[PP_BUILDER_ATTRIBUTES];

    for (uint32_t i = 1; i < t->attributes.n; i++) {
        struct pp_attribute a = t->attributes.v[i];

        if (!to_of[i])
            continue;
        a.key = r->to_of[PP_BUILDER_STRINGS][a.key];
        a.unit = r->to_of[PP_BUILDER_STRINGS][a.unit];
        to_of[i] = pp_builder_attribute_entry(r->to, &a);
    }
}

static void map_functions(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *to_of = r->to_of[PP_BUILDER_FUNCTIONS], *strings = r->to_of[PP_BUILDER_STRINGS];

    for (uint32_t i = 1; i < t->functions.n; i++) {
        struct pp_function f = t->functions.v[i];

        if (!to_of[i])
            continue;
        f.name = strings[f.name];
        f.system_name = strings[f.system_name];
        f.filename = strings[f.filename];
        to_of[i] = pp_builder_function(r->to, &f);
    }
}

static void map_mappings(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *to_of = r->to_of[PP_BUILDER_MAPPINGS];

    for (uint32_t i = 1; i < t->mappings.n; i++) {
        struct pp_mapping m = t->mappings.v[i];

        if (!to_of[i] || !map_attrs(r, m.attrs))
            continue;
        m.filename = r->to_of[PP_BUILDER_STRINGS][m.filename];
        to_of[i] = pp_builder_mapping(r->to, &m, r->attrs.v, r->attrs.n);
    }
}

static bool map_lines(struct pp_remap *r, struct pp_range range)
{
    const struct pp_line *from = r->from->tables.lines.v + range.first;

    r->lines.n = 0;
    if (range.n && !pp_vec_reserve(&r->lines, range.n))
        return pp_builder_fail(r->to, PP_ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < range.n; i++) {
        r->lines.v[i] = from[i];
        r->lines.v[i].function = r->to_of[PP_BUILDER_FUNCTIONS][from[i].function];
    }
    r->lines.n = range.n;
    return true;
}

static void map_locations(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *to_of = r->to_of[PP_BUILDER_LOCATIONS];

    for (uint32_t i = 1; i < t->locations.n; i++) {
        struct pp_location l = t->locations.v[i];

        if (!to_of[i] || !map_attrs(r, l.attrs) || !map_lines(r, l.lines))
            continue;
        l.mapping = r->to_of[PP_BUILDER_MAPPINGS][l.mapping];
        to_of[i] = pp_builder_location(r->to, &l, r->lines.v, r->lines.n, r->attrs.v, r->attrs.n);
    }
}

static void map_all(struct pp_remap *r)
{
    const struct pp_tables *t = &r->from->tables;
    int32_t *stacks = r->to_of[PP_BUILDER_STACKS], *links = r->to_of[PP_BUILDER_LINKS];

    pp_builder_strings(r->to, t->strings.v, t->strings.n, r->to_of[PP_BUILDER_STRINGS]);
    map_attributes(r);
    map_functions(r);
    map_mappings(r);
    map_locations(r);
    for (uint32_t i = 1; i < t->stacks.n; i++)
        if (stacks[i])
            stacks[i] = pp_builder_stack_mapped(r->to, t->location_indices.v + t->stacks.v[i].locations.first, t->stacks.v[i].locations.n,
                                                r->to_of[PP_BUILDER_LOCATIONS]);
    for (uint32_t i = 1; i < t->links.n; i++)
        if (links[i])
            links[i] = pp_builder_link(r->to, &t->links.v[i]);
}

bool pp_remap_init(struct pp_remap *r, const struct pp_data *from, const bool *kept, struct pp_builder *to)
{
    const struct pp_tables *t = &from->tables;
    const uint32_t sizes[PP_BUILDER_TABLES] = {
        [PP_BUILDER_STRINGS] = t->strings.n,     [PP_BUILDER_FUNCTIONS] = t->functions.n, [PP_BUILDER_MAPPINGS] = t->mappings.n,
        [PP_BUILDER_LOCATIONS] = t->locations.n, [PP_BUILDER_STACKS] = t->stacks.n,       [PP_BUILDER_LINKS] = t->links.n,
        [PP_BUILDER_ATTRIBUTES] = t->attributes.n,
    };
    size_t total = 0;
    int32_t *at;

    for (unsigned i = 0; i < PP_BUILDER_TABLES; i++)
        total += sizes[i];
    *r = (struct pp_remap){.from = from, .to = to, .block = pp_calloc(total, sizeof(int32_t))};
    if (!r->block)
        return false;
    at = r->block;
    for (unsigned i = 0; i < PP_BUILDER_TABLES; at += sizes[i], i++)
        r->to_of[i] = at;
    mark_data(r, kept);
    mark_dictionary(r);
    for (unsigned i = 0; i < PP_BUILDER_TABLES; i++)
        r->to_of[i][0] = 0;
    map_all(r);
    return true;
}

void pp_remap_done(struct pp_remap *r)
{
    pp_free(r->block);
    pp_vec_done(&r->attrs);
    pp_vec_done(&r->lines);
}

/* Room for the samples' lists, all at once. */
static bool reserve_lists(struct pp_remap *r, struct pp_range rows, struct pp_range runs[3])
{
    const struct pp_samples *s = &r->from->tables.samples;
    struct pp_tables *t = r->to->t;

    return one_run(s->attrs + rows.first, rows.n, &runs[0]) && one_run(s->values + rows.first, rows.n, &runs[1]) &&
           one_run(s->timestamps + rows.first, rows.n, &runs[2]) &&
           ((pp_table_reserve(&t->attr_indices, runs[0].n) && pp_table_reserve(&t->values, runs[1].n) &&
             pp_table_reserve(&t->timestamps, runs[2].n)) ||
            pp_builder_fail(r->to, PP_ERR_NOMEM, "out of memory, or a table is full"));
}

/* The same ranges in an array whose run begins at `to` instead. */
static void move_ranges(struct pp_range *to, const struct pp_range *from, uint32_t n, uint32_t run, uint32_t run_to)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = (struct pp_range){from[i].first - run + run_to, from[i].n};
}

static void copy_lists(struct pp_remap *r, struct pp_range rows, const struct pp_range runs[3])
{
    const struct pp_tables *from = &r->from->tables;
    const int32_t *attrs = from->attr_indices.v + runs[0].first;
    struct pp_tables *t = r->to->t;

    move_ranges(t->samples.attrs + t->samples.n, from->samples.attrs + rows.first, rows.n, runs[0].first, t->attr_indices.n);
    move_ranges(t->samples.values + t->samples.n, from->samples.values + rows.first, rows.n, runs[1].first, t->values.n);
    move_ranges(t->samples.timestamps + t->samples.n, from->samples.timestamps + rows.first, rows.n, runs[2].first, t->timestamps.n);
    for (uint32_t i = 0; i < runs[0].n; i++)
        t->attr_indices.v[t->attr_indices.n + i] = r->to_of[PP_BUILDER_ATTRIBUTES][attrs[i]];
    memcpy(t->values.v + t->values.n, from->values.v + runs[1].first, runs[1].n * sizeof(*t->values.v));
    memcpy(t->timestamps.v + t->timestamps.n, from->timestamps.v + runs[2].first, runs[2].n * sizeof(*t->timestamps.v));
    t->attr_indices.n += runs[0].n;
    t->values.n += runs[1].n;
    t->timestamps.n += runs[2].n;
}

/* Samples whose lists follow each other, as they do unless they were edited. */
static void copy_rows(struct pp_remap *r, struct pp_range rows, const struct pp_range runs[3])
{
    const struct pp_samples *from = &r->from->tables.samples;
    struct pp_tables *t = r->to->t;

    copy_lists(r, rows, runs);
    for (uint32_t i = 0; i < rows.n; i++) {
        t->samples.stack[t->samples.n + i] = r->to_of[PP_BUILDER_STACKS][from->stack[rows.first + i]];
        t->samples.link[t->samples.n + i] = r->to_of[PP_BUILDER_LINKS][from->link[rows.first + i]];
    }
    t->samples.n += rows.n;
    t->profiles.v[t->profiles.n - 1].samples.n += rows.n;
}

static void copy_row(struct pp_remap *r, uint32_t i)
{
    const struct pp_tables *t = &r->from->tables;
    const struct pp_samples *s = &t->samples;
    struct pp_builder_sample copy = {
        .stack = r->to_of[PP_BUILDER_STACKS][s->stack[i]],
        .link = r->to_of[PP_BUILDER_LINKS][s->link[i]],
        .values = t->values.v + s->values[i].first,
        .values_n = s->values[i].n,
        .timestamps = t->timestamps.v + s->timestamps[i].first,
        .timestamps_n = s->timestamps[i].n,
    };

    if (!map_attrs(r, s->attrs[i]))
        return;
    copy.attrs = r->attrs.v;
    copy.attrs_n = r->attrs.n;
    pp_builder_add_sample(r->to, &copy);
}

void pp_remap_profile(struct pp_remap *r, uint32_t i)
{
    const int32_t *strings = r->to_of[PP_BUILDER_STRINGS];
    struct pp_profile p = r->from->tables.profiles.v[i];
    struct pp_range rows = p.samples, runs[3];

    p.sample_type = (struct pp_value_type){strings[p.sample_type.type], strings[p.sample_type.unit]};
    p.period_type = (struct pp_value_type){strings[p.period_type.type], strings[p.period_type.unit]};
    if (pp_builder_failed(r->to) || !map_attrs(r, p.attrs) || !pp_builder_add_profile(r->to, &p, r->attrs.v, r->attrs.n) || rows.n == 0 ||
        !pp_builder_reserve_samples(r->to, rows.n))
        return;
    if (reserve_lists(r, rows, runs)) {
        copy_rows(r, rows, runs);
        return;
    }
    for (uint32_t n = 0; n < rows.n && !pp_builder_failed(r->to); n++)
        copy_row(r, rows.first + n);
}
