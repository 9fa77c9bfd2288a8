#include "profiles/gather.h"

#include "base/mem.h"

static bool add_slots(struct pp_gather *g, enum pp_builder_table table, uint32_t n)
{
    g->slots[table] = pp_calloc(n, sizeof(*g->slots[table]));
    return g->slots[table] != NULL;
}

bool pp_gather_init(struct pp_gather *g, const struct pp_data *from)
{
    const struct pp_tables *t = &from->tables;

    *g = (struct pp_gather){.from = from};
    if (add_slots(g, PP_BUILDER_STRINGS, t->strings.n) && add_slots(g, PP_BUILDER_FUNCTIONS, t->functions.n) &&
        add_slots(g, PP_BUILDER_MAPPINGS, t->mappings.n) && add_slots(g, PP_BUILDER_LOCATIONS, t->locations.n) &&
        add_slots(g, PP_BUILDER_STACKS, t->stacks.n) && add_slots(g, PP_BUILDER_LINKS, t->links.n) &&
        add_slots(g, PP_BUILDER_ATTRIBUTES, t->attributes.n))
        return true;
    pp_gather_done(g);
    return false;
}

void pp_gather_done(struct pp_gather *g)
{
    for (unsigned i = 0; i < PP_BUILDER_TABLES; i++)
        pp_free(g->slots[i]);
    pp_vec_done(&g->attrs);
    pp_vec_done(&g->locations);
    pp_vec_done(&g->lines);
}

void pp_gather_begin(struct pp_gather *g, struct pp_builder *to)
{
    g->to = to;
    g->part++;
}

/* Whether the entry is there already, as *ret. */
static bool seen(struct pp_gather *g, enum pp_builder_table table, int32_t i, int32_t *ret)
{
    const struct pp_gather_slot *slot = &g->slots[table][i];

    *ret = slot->to;
    return i == 0 || slot->part == g->part;
}

static int32_t remember(struct pp_gather *g, enum pp_builder_table table, int32_t i, int32_t to)
{
    g->slots[table][i].part = g->part;
    g->slots[table][i].to = to;
    return to;
}

static bool no_memory(struct pp_gather *g)
{
    return pp_builder_fail(g->to, PP_ERR_NOMEM, "out of memory");
}

static struct pp_str unknown_of(const struct pp_gather *g, enum pp_unknown_kind kind, uint32_t i)
{
    return g->from->unknown[kind].n ? pp_unknown_find(g->from, kind, i) : (struct pp_str){0};
}

/* An entry with unknown fields is equal to no other: it is added without looking. Returns what was set before. */
static bool set_apart(struct pp_gather *g, bool apart)
{
    bool before = g->to->distinct;

    g->to->distinct = before || apart;
    return before;
}

int32_t pp_gather_string(struct pp_gather *g, int32_t i)
{
    int32_t to;

    if (seen(g, PP_BUILDER_STRINGS, i, &to))
        return to;
    return remember(g, PP_BUILDER_STRINGS, i, pp_builder_string(g->to, g->from->tables.strings.v[i]));
}

static int32_t gather_attribute(struct pp_gather *g, int32_t i)
{
    struct pp_str unknown;
    struct pp_attribute a;
    bool before;
    int32_t to;

    if (seen(g, PP_BUILDER_ATTRIBUTES, i, &to))
        return to;
    a = g->from->tables.attributes.v[i];
    a.key = pp_gather_string(g, a.key);
    a.unit = pp_gather_string(g, a.unit);
    unknown = unknown_of(g, PP_UNKNOWN_ATTRIBUTE, (uint32_t)i);
    before = set_apart(g, unknown.n > 0);
    to = pp_builder_attribute_entry(g->to, &a);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_ATTRIBUTE, (uint32_t)to, unknown);
    return remember(g, PP_BUILDER_ATTRIBUTES, i, to);
}

void pp_gather_attrs(struct pp_gather *g, struct pp_range range)
{
    g->attrs.n = 0;
    if (range.n && !pp_vec_reserve(&g->attrs, range.n)) {
        no_memory(g);
        return;
    }
    for (uint32_t i = 0; i < range.n; i++)
        g->attrs.v[g->attrs.n++] = gather_attribute(g, g->from->tables.attr_indices.v[range.first + i]);
}

static int32_t gather_function(struct pp_gather *g, int32_t i)
{
    struct pp_str unknown;
    struct pp_function f;
    bool before;
    int32_t to;

    if (seen(g, PP_BUILDER_FUNCTIONS, i, &to))
        return to;
    f = g->from->tables.functions.v[i];
    f.name = pp_gather_string(g, f.name);
    f.system_name = pp_gather_string(g, f.system_name);
    f.filename = pp_gather_string(g, f.filename);
    unknown = unknown_of(g, PP_UNKNOWN_FUNCTION, (uint32_t)i);
    before = set_apart(g, unknown.n > 0);
    to = pp_builder_function(g->to, &f);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_FUNCTION, (uint32_t)to, unknown);
    return remember(g, PP_BUILDER_FUNCTIONS, i, to);
}

static int32_t gather_mapping(struct pp_gather *g, int32_t i)
{
    struct pp_str unknown;
    struct pp_mapping m;
    bool before;
    int32_t to;

    if (seen(g, PP_BUILDER_MAPPINGS, i, &to))
        return to;
    m = g->from->tables.mappings.v[i];
    m.filename = pp_gather_string(g, m.filename);
    pp_gather_attrs(g, m.attrs);
    unknown = unknown_of(g, PP_UNKNOWN_MAPPING, (uint32_t)i);
    before = set_apart(g, unknown.n > 0);
    to = pp_builder_mapping(g->to, &m, g->attrs.v, g->attrs.n);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_MAPPING, (uint32_t)to, unknown);
    return remember(g, PP_BUILDER_MAPPINGS, i, to);
}

/* The lines in g->lines; whether one of them has unknown fields. */
static bool gather_lines(struct pp_gather *g, struct pp_range range)
{
    bool unknown = false;

    g->lines.n = 0;
    if (range.n && !pp_vec_reserve(&g->lines, range.n))
        return no_memory(g);
    for (uint32_t i = range.first; i < range.first + range.n; i++) {
        struct pp_line line = g->from->tables.lines.v[i];

        line.function = gather_function(g, line.function);
        g->lines.v[g->lines.n++] = line;
        unknown |= unknown_of(g, PP_UNKNOWN_LINE, i).n > 0;
    }
    return unknown;
}

static int32_t gather_location(struct pp_gather *g, int32_t i)
{
    struct pp_str unknown;
    struct pp_location l;
    struct pp_range lines;
    bool before, apart;
    int32_t to;

    if (seen(g, PP_BUILDER_LOCATIONS, i, &to))
        return to;
    l = g->from->tables.locations.v[i];
    lines = l.lines;
    l.mapping = gather_mapping(g, l.mapping);
    apart = gather_lines(g, lines);
    pp_gather_attrs(g, l.attrs);
    unknown = unknown_of(g, PP_UNKNOWN_LOCATION, (uint32_t)i);
    before = set_apart(g, apart || unknown.n > 0);
    to = pp_builder_location(g->to, &l, g->lines.v, g->lines.n, g->attrs.v, g->attrs.n);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_LOCATION, (uint32_t)to, unknown);
    for (uint32_t n = 0; apart && n < lines.n && !pp_builder_failed(g->to); n++)
        pp_builder_unknown(g->to, PP_UNKNOWN_LINE, g->to->t->locations.v[to].lines.first + n,
                           unknown_of(g, PP_UNKNOWN_LINE, lines.first + n));
    return remember(g, PP_BUILDER_LOCATIONS, i, to);
}

int32_t pp_gather_stack(struct pp_gather *g, int32_t i)
{
    const struct pp_tables *t = &g->from->tables;
    struct pp_str unknown;
    struct pp_range range;
    bool before;
    int32_t to;

    if (seen(g, PP_BUILDER_STACKS, i, &to))
        return to;
    range = t->stacks.v[i].locations;
    g->locations.n = 0;
    if (range.n && !pp_vec_reserve(&g->locations, range.n)) {
        no_memory(g);
        return 0;
    }
    for (uint32_t n = 0; n < range.n; n++)
        g->locations.v[g->locations.n++] = gather_location(g, t->location_indices.v[range.first + n]);
    unknown = unknown_of(g, PP_UNKNOWN_STACK, (uint32_t)i);
    before = set_apart(g, unknown.n > 0);
    to = pp_builder_stack(g->to, g->locations.v, g->locations.n);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_STACK, (uint32_t)to, unknown);
    return remember(g, PP_BUILDER_STACKS, i, to);
}

int32_t pp_gather_link(struct pp_gather *g, int32_t i)
{
    struct pp_str unknown;
    bool before;
    int32_t to;

    if (seen(g, PP_BUILDER_LINKS, i, &to))
        return to;
    unknown = unknown_of(g, PP_UNKNOWN_LINK, (uint32_t)i);
    before = set_apart(g, unknown.n > 0);
    to = pp_builder_link(g->to, &g->from->tables.links.v[i]);
    g->to->distinct = before;
    pp_builder_unknown(g->to, PP_UNKNOWN_LINK, (uint32_t)to, unknown);
    return remember(g, PP_BUILDER_LINKS, i, to);
}
