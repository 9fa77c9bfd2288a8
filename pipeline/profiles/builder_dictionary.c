/* Interning of dictionary entries: each table has an index from the hash of an entry's value to its number. */
#include "profiles/any_value.h"
#include "profiles/builder_impl.h"
#include "profiles/edit.h"
#include "profiles/hash.h"
#include "proto/otlp/otlp_fields.h"
#include "proto/wire_out.h"

#include <assert.h>

/* An entry being looked up, with its lists. */
struct key {
    const struct pp_tables *t;
    union {
        struct pp_str string;
        const struct pp_function *function;
        const struct pp_mapping *mapping;
        const struct pp_location *location;
        const struct pp_link *link;
        const struct pp_attribute *attribute;
    };
    const struct pp_line *lines;
    const int32_t *indices; /* attributes, or a stack's locations */
    size_t lines_n, indices_n;
};

static bool same_indices(const int32_t *table, struct pp_range range, const struct key *key)
{
    return range.n == key->indices_n &&
           (range.n == 0 || memcmp(table + range.first, key->indices, range.n * sizeof(*table)) == 0);
}

static bool same_string(const void *context, uint32_t id)
{
    const struct key *key = context;

    return pp_str_eq(key->t->strings.v[id], key->string);
}

static bool same_function(const void *context, uint32_t id)
{
    const struct key *key = context;
    const struct pp_function *a = &key->t->functions.v[id], *b = key->function;

    return a->name == b->name && a->system_name == b->system_name && a->filename == b->filename &&
           a->start_line == b->start_line;
}

static bool same_mapping(const void *context, uint32_t id)
{
    const struct key *key = context;
    const struct pp_mapping *a = &key->t->mappings.v[id], *b = key->mapping;

    return a->memory_start == b->memory_start && a->memory_limit == b->memory_limit &&
           a->file_offset == b->file_offset && a->filename == b->filename &&
           same_indices(key->t->attr_indices.v, a->attrs, key);
}

static bool same_location(const void *context, uint32_t id)
{
    const struct key *key = context;
    const struct pp_location *a = &key->t->locations.v[id], *b = key->location;
    const struct pp_line *lines = key->t->lines.v + a->lines.first;

    if (a->address != b->address || a->mapping != b->mapping || a->lines.n != key->lines_n ||
        !same_indices(key->t->attr_indices.v, a->attrs, key))
        return false;
    for (size_t i = 0; i < key->lines_n; i++)
        if (lines[i].function != key->lines[i].function || lines[i].line != key->lines[i].line ||
            lines[i].column != key->lines[i].column)
            return false;
    return true;
}

static bool same_stack(const void *context, uint32_t id)
{
    const struct key *key = context;

    return same_indices(key->t->location_indices.v, key->t->stacks.v[id].locations, key);
}

static bool same_link(const void *context, uint32_t id)
{
    const struct key *key = context;

    return memcmp(&key->t->links.v[id], key->link, sizeof(*key->link)) == 0;
}

static bool same_attribute(const void *context, uint32_t id)
{
    const struct key *key = context;
    const struct pp_attribute *a = &key->t->attributes.v[id], *b = key->attribute;

    return a->key == b->key && a->unit == b->unit && pp_str_eq(a->value, b->value);
}

static pp_index_equal *const same[PP_BUILDER_TABLES] = {
    [PP_BUILDER_STRINGS] = same_string,     [PP_BUILDER_FUNCTIONS] = same_function, [PP_BUILDER_MAPPINGS] = same_mapping,
    [PP_BUILDER_LOCATIONS] = same_location, [PP_BUILDER_STACKS] = same_stack,       [PP_BUILDER_LINKS] = same_link,
    [PP_BUILDER_ATTRIBUTES] = same_attribute,
};

/* The number of the equal entry, or PP_INDEX_NONE. */
static uint32_t find(struct pp_builder *b, enum pp_builder_table table, uint64_t hash, const struct key *key)
{
    return b->distinct ? PP_INDEX_NONE : pp_index_find(&b->index[table], hash, same[table], key);
}

static int32_t full(struct pp_builder *b)
{
    pp_builder_fail(b, PP_ERR_NOMEM, "out of memory, or a table is full");
    return 0;
}

/* Makes the entry that was just appended as `id` findable. */
static int32_t added(struct pp_builder *b, enum pp_builder_table table, uint64_t hash, uint32_t id)
{
    if (!b->distinct && !pp_index_add(&b->index[table], hash, id))
        return full(b);
    return (int32_t)id;
}

static bool append_indices(struct pp_builder *b, const int32_t *v, size_t n, struct pp_range *ret)
{
    struct pp_tables *t = b->t;

    *ret = (struct pp_range){t->attr_indices.n, (uint32_t)n};
    if (!pp_table_reserve(&t->attr_indices, n))
        return false;
    if (n)
        memcpy(t->attr_indices.v + t->attr_indices.n, v, n * sizeof(*v));
    t->attr_indices.n += (uint32_t)n;
    return true;
}

static int32_t intern_string(struct pp_builder *b, struct pp_str s, uint64_t hash)
{
    struct key key = {.t = b->t, .string = s};
    uint32_t id = find(b, PP_BUILDER_STRINGS, hash, &key);
    struct pp_str copy;

    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    if (!pp_builder_store(b, s, &copy))
        return 0;
    if (!pp_table_push(&b->t->strings, copy))
        return full(b);
    return added(b, PP_BUILDER_STRINGS, hash, b->t->strings.n - 1);
}

int32_t pp_builder_string(struct pp_builder *b, struct pp_str s)
{
    if (s.n == 0 || pp_builder_failed(b))
        return 0;
    return intern_string(b, s, b->distinct ? 0 : pp_hash_str(s));
}

/* Hashed some at a time, so that the index's slots come from memory meanwhile. */
#define STRINGS_AHEAD 16u

void pp_builder_strings(struct pp_builder *b, const struct pp_str *strings, uint32_t n, int32_t *to_of)
{
    uint32_t wanted[STRINGS_AHEAD];
    uint64_t hashes[STRINGS_AHEAD];

    for (uint32_t i = 0; i < n && !pp_builder_failed(b);) {
        uint32_t ahead = 0;

        for (; i < n && ahead < STRINGS_AHEAD; i++) {
            if (!to_of[i])
                continue;
            wanted[ahead] = i;
            hashes[ahead] = b->distinct ? 0 : pp_hash_str(strings[i]);
            pp_index_prefetch(&b->index[PP_BUILDER_STRINGS], hashes[ahead++]);
        }
        for (uint32_t k = 0; k < ahead && !pp_builder_failed(b); k++)
            to_of[wanted[k]] = strings[wanted[k]].n ? intern_string(b, strings[wanted[k]], hashes[k]) : 0;
    }
}

int32_t pp_builder_function(struct pp_builder *b, const struct pp_function *f)
{
    struct key key = {.t = b->t, .function = f};
    uint64_t hash;
    uint32_t id;

    if (pp_builder_failed(b) || (!b->distinct && !f->name && !f->system_name && !f->filename && !f->start_line))
        return 0;
    hash = pp_hash_function(f);
    id = find(b, PP_BUILDER_FUNCTIONS, hash, &key);
    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    assert((uint32_t)f->name < b->t->strings.n && (uint32_t)f->system_name < b->t->strings.n && (uint32_t)f->filename < b->t->strings.n);
    if (!pp_table_push(&b->t->functions, *f))
        return full(b);
    return added(b, PP_BUILDER_FUNCTIONS, hash, b->t->functions.n - 1);
}

int32_t pp_builder_mapping(struct pp_builder *b, const struct pp_mapping *m, const int32_t *attrs, size_t attrs_n)
{
    struct key key = {.t = b->t, .mapping = m, .indices = attrs, .indices_n = attrs_n};
    struct pp_mapping copy = *m;
    uint64_t hash;
    uint32_t id;

    if (pp_builder_failed(b) || (!b->distinct && !m->memory_start && !m->memory_limit && !m->file_offset && !m->filename && !attrs_n))
        return 0;
    hash = pp_hash_mapping(m, attrs, attrs_n);
    id = find(b, PP_BUILDER_MAPPINGS, hash, &key);
    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    assert((uint32_t)m->filename < b->t->strings.n);
    if (!append_indices(b, attrs, attrs_n, &copy.attrs) || !pp_table_push(&b->t->mappings, copy))
        return full(b);
    return added(b, PP_BUILDER_MAPPINGS, hash, b->t->mappings.n - 1);
}

static bool append_lines(struct pp_builder *b, const struct pp_line *lines, size_t n, struct pp_range *ret)
{
    struct pp_tables *t = b->t;

    *ret = (struct pp_range){t->lines.n, (uint32_t)n};
    if (!pp_table_reserve(&t->lines, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        assert((uint32_t)lines[i].function < t->functions.n);
        t->lines.v[t->lines.n++] = lines[i];
    }
    return true;
}

int32_t pp_builder_location(struct pp_builder *b, const struct pp_location *l, const struct pp_line *lines,
                            size_t lines_n, const int32_t *attrs, size_t attrs_n)
{
    struct key key = {
        .t = b->t, .location = l, .lines = lines, .lines_n = lines_n, .indices = attrs, .indices_n = attrs_n};
    struct pp_location copy = *l;
    uint64_t hash;
    uint32_t id;

    if (pp_builder_failed(b) || (!b->distinct && !l->address && !l->mapping && !lines_n && !attrs_n))
        return 0;
    hash = b->distinct ? 0 : pp_hash_location(l, lines, lines_n, attrs, attrs_n);
    id = find(b, PP_BUILDER_LOCATIONS, hash, &key);
    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    assert((uint32_t)l->mapping < b->t->mappings.n);
    if (!append_lines(b, lines, lines_n, &copy.lines) || !append_indices(b, attrs, attrs_n, &copy.attrs) ||
        !pp_table_push(&b->t->locations, copy))
        return full(b);
    return added(b, PP_BUILDER_LOCATIONS, hash, b->t->locations.n - 1);
}

/* The stack whose locations have been put behind the last one's, not counted in yet. */
static int32_t intern_stack(struct pp_builder *b, uint32_t n)
{
    struct pp_tables *t = b->t;
    const int32_t *locations = t->location_indices.v + t->location_indices.n;
    struct key key = {.t = t, .indices = locations, .indices_n = n};
    struct pp_stack stack = {{t->location_indices.n, n}};
    uint64_t hash = b->distinct ? 0 : pp_hash_bytes(locations, n * sizeof(*locations));
    uint32_t id = find(b, PP_BUILDER_STACKS, hash, &key);

    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    if (!pp_table_push(&t->stacks, stack))
        return full(b);
    t->location_indices.n += n;
    return added(b, PP_BUILDER_STACKS, hash, t->stacks.n - 1);
}

int32_t pp_builder_stack(struct pp_builder *b, const int32_t *locations, size_t n)
{
    struct pp_tables *t = b->t;

    if (pp_builder_failed(b) || (!b->distinct && n == 0))
        return 0;
    if (!pp_table_reserve(&t->location_indices, n))
        return full(b);
    for (size_t i = 0; i < n; i++) {
        assert((uint32_t)locations[i] < t->locations.n);
        t->location_indices.v[t->location_indices.n + i] = locations[i];
    }
    return intern_stack(b, (uint32_t)n);
}

int32_t pp_builder_stack_mapped(struct pp_builder *b, const int32_t *locations, size_t n, const int32_t *to_of)
{
    struct pp_tables *t = b->t;
    int32_t *to;

    if (pp_builder_failed(b) || (!b->distinct && n == 0))
        return 0;
    if (!pp_table_reserve(&t->location_indices, n))
        return full(b);
    to = t->location_indices.v + t->location_indices.n;
    for (size_t i = 0; i < n; i++)
        to[i] = to_of[locations[i]];
    return intern_stack(b, (uint32_t)n);
}

int32_t pp_builder_link(struct pp_builder *b, const struct pp_link *link)
{
    static const struct pp_link zero;
    struct key key = {.t = b->t, .link = link};
    uint64_t hash;
    uint32_t id;

    if (pp_builder_failed(b) || (!b->distinct && memcmp(link, &zero, sizeof(zero)) == 0))
        return 0;
    hash = pp_hash_bytes(link, sizeof(*link));
    id = find(b, PP_BUILDER_LINKS, hash, &key);
    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    if (!pp_table_push(&b->t->links, *link))
        return full(b);
    return added(b, PP_BUILDER_LINKS, hash, b->t->links.n - 1);
}

int32_t pp_builder_attribute_entry(struct pp_builder *b, const struct pp_attribute *entry)
{
    struct pp_attribute copy = *entry;
    struct key key = {.t = b->t, .attribute = entry};
    uint64_t hash;
    uint32_t id;

    if (pp_builder_failed(b) || (!b->distinct && !entry->key && !entry->unit && entry->value.n == 0))
        return 0;
    hash = pp_hash_mix(pp_hash_mix(pp_hash_str(entry->value), (uint32_t)entry->key), (uint32_t)entry->unit);
    id = find(b, PP_BUILDER_ATTRIBUTES, hash, &key);
    if (id != PP_INDEX_NONE)
        return (int32_t)id;
    if (!pp_builder_store(b, entry->value, &copy.value))
        return 0;
    if (!pp_table_push(&b->t->attributes, copy))
        return full(b);
    return added(b, PP_BUILDER_ATTRIBUTES, hash, b->t->attributes.n - 1);
}

int32_t pp_builder_attribute(struct pp_builder *b, struct pp_str key, struct pp_str value, struct pp_str unit)
{
    struct pp_attribute entry = {.key = pp_builder_string(b, key), .unit = pp_builder_string(b, unit), .value = value};

    return pp_builder_attribute_entry(b, &entry);
}

/* Most values are short and seen before: they are encoded on the stack, and only a new one is copied. */
#define VALUE_SHORT_BYTES_MAX 256u

int32_t pp_builder_attribute_string(struct pp_builder *b, struct pp_str key, struct pp_str value)
{
    uint8_t room[VALUE_SHORT_BYTES_MAX + PP_OUT_SCALAR_BYTES_MAX];
    struct pp_str encoded = {(char *)room, 0};

    if (pp_builder_failed(b))
        return 0;
    if (value.n <= VALUE_SHORT_BYTES_MAX)
        encoded.n = (size_t)(pp_out_bytes(room, PP_ANY_VALUE_STRING, value.p, value.n) - room);
    else if (!pp_any_value_from_string(pp_builder_arena(b), value, &encoded))
        return full(b);
    return pp_builder_attribute(b, key, encoded, PP_STR(""));
}

static int32_t attribute_varint(struct pp_builder *b, struct pp_str key, uint32_t field, uint64_t value, struct pp_str unit)
{
    uint8_t room[PP_OUT_SCALAR_BYTES_MAX] = {(uint8_t)PP_TAG_VARINT(field)};
    uint8_t *end = pp_out_varint(room + 1, value);

    return pp_builder_attribute(b, key, (struct pp_str){(char *)room, (size_t)(end - room)}, unit);
}

int32_t pp_builder_attribute_int(struct pp_builder *b, struct pp_str key, int64_t value, struct pp_str unit)
{
    return attribute_varint(b, key, PP_ANY_VALUE_INT, (uint64_t)value, unit);
}

int32_t pp_builder_attribute_bool(struct pp_builder *b, struct pp_str key, bool value)
{
    return attribute_varint(b, key, PP_ANY_VALUE_BOOL, value, PP_STR(""));
}
