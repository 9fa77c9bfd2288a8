#include "convert/pprof_intern.h"

#include <xxhash.h>

/* Adds to `vec` what has just been looked up in `index` in vain. */
#define APPEND(m, vec, index, hash, ...)                                                                               \
    (pp_vec_push((vec), __VA_ARGS__) && (pp_index_add((index), (hash), (uint32_t)(vec)->n - 1) || ((vec)->n--, false)) \
         ? (uint32_t)(vec)->n - 1                                                                                      \
         : PP_PPROF_NONE)

struct string_key {
    const struct pp_pprof *p;
    struct pp_str s;
};

static bool string_equal(const void *context, uint32_t id)
{
    const struct string_key *key = context;

    return pp_str_eq(key->p->strings.v[id], key->s);
}

uint32_t pp_pprof_intern_string(struct pp_pprof_merge *m, struct pp_str s)
{
    struct string_key key = {&m->profile, s};
    uint64_t hash = XXH3_64bits(s.p ? s.p : "", s.n);
    uint32_t id = pp_index_find(&m->strings, hash, string_equal, &key);
    char *copy;

    if (id != PP_INDEX_NONE)
        return id;
    if (m->text.bytes_used + s.n > PP_PPROF_MERGE_TEXT_BYTES_MAX || !(copy = pp_arena_strdup(&m->text, s)))
        return PP_PPROF_NONE;
    return APPEND(m, &m->profile.strings, &m->strings, hash, (struct pp_str){copy, s.n});
}

struct function_key {
    const struct pp_pprof *p;
    const struct pp_pprof_function *f;
};

static bool function_equal(const void *context, uint32_t id)
{
    const struct function_key *key = context;
    const struct pp_pprof_function *a = &key->p->functions.v[id], *b = key->f;

    return a->name == b->name && a->system_name == b->system_name && a->filename == b->filename && a->start_line == b->start_line;
}

uint32_t pp_pprof_intern_function(struct pp_pprof_merge *m, const struct pp_pprof_function *f)
{
    uint64_t words[4] = {f->name, f->system_name, f->filename, (uint64_t)f->start_line}, hash = XXH3_64bits(words, sizeof(words));
    struct function_key key = {&m->profile, f};
    uint32_t id = pp_index_find(&m->functions, hash, function_equal, &key);
    struct pp_pprof_function made = *f;

    if (id != PP_INDEX_NONE)
        return id;
    made.id = m->profile.functions.n + 1;
    return APPEND(m, &m->profile.functions, &m->functions, hash, made);
}

struct mapping_key {
    const struct pp_pprof *p;
    const struct pp_pprof_mapping *m;
};

static unsigned mapping_flags(const struct pp_pprof_mapping *m)
{
    return m->has_functions | m->has_filenames << 1 | m->has_line_numbers << 2 | m->has_inline_frames << 3;
}

static bool mapping_equal(const void *context, uint32_t id)
{
    const struct mapping_key *key = context;
    const struct pp_pprof_mapping *a = &key->p->mappings.v[id], *b = key->m;

    return a->memory_start == b->memory_start && a->memory_limit == b->memory_limit && a->file_offset == b->file_offset &&
           a->filename == b->filename && a->build_id == b->build_id && mapping_flags(a) == mapping_flags(b);
}

uint32_t pp_pprof_intern_mapping(struct pp_pprof_merge *m, const struct pp_pprof_mapping *mapping)
{
    uint64_t words[6] = {mapping->memory_start, mapping->memory_limit, mapping->file_offset,
                         mapping->filename,     mapping->build_id,     mapping_flags(mapping)};
    uint64_t hash = XXH3_64bits(words, sizeof(words));
    struct mapping_key key = {&m->profile, mapping};
    uint32_t id = pp_index_find(&m->mappings, hash, mapping_equal, &key);
    struct pp_pprof_mapping made = *mapping;

    if (id != PP_INDEX_NONE)
        return id;
    made.id = m->profile.mappings.n + 1;
    return APPEND(m, &m->profile.mappings, &m->mappings, hash, made);
}

struct location_key {
    const struct pp_pprof *p;
    const struct pp_pprof_location *l;
    const struct pp_pprof_line *lines;
    uint32_t lines_n;
};

static bool location_equal(const void *context, uint32_t id)
{
    const struct location_key *key = context;
    const struct pp_pprof_location *a = &key->p->locations.v[id], *b = key->l;

    if (a->address != b->address || a->mapping != b->mapping || a->is_folded != b->is_folded || a->lines.n != key->lines_n)
        return false;
    for (uint32_t i = 0; i < key->lines_n; i++) {
        const struct pp_pprof_line *x = &key->p->lines.v[a->lines.first + i], *y = &key->lines[i];

        if (x->function != y->function || x->line != y->line || x->column != y->column)
            return false;
    }
    return true;
}

static uint64_t location_hash(const struct location_key *key)
{
    uint64_t words[3] = {key->l->address, key->l->mapping, key->l->is_folded}, hash = XXH3_64bits(words, sizeof(words));

    for (uint32_t i = 0; i < key->lines_n; i++) {
        uint64_t line[3] = {key->lines[i].function, (uint64_t)key->lines[i].line, (uint64_t)key->lines[i].column};
        hash = XXH3_64bits_withSeed(line, sizeof(line), hash);
    }
    return hash;
}

uint32_t pp_pprof_intern_location(struct pp_pprof_merge *m, const struct pp_pprof_location *location, const struct pp_pprof_line *lines, uint32_t lines_n)
{
    struct pp_pprof *p = &m->profile;
    struct location_key key = {p, location, lines, lines_n};
    uint64_t hash = location_hash(&key);
    uint32_t id = pp_index_find(&m->locations, hash, location_equal, &key);
    struct pp_pprof_location made = *location;

    if (id != PP_INDEX_NONE)
        return id;
    made.id = p->locations.n + 1;
    made.lines = (struct pp_pprof_list){(uint32_t)p->lines.n, lines_n};
    if (p->lines.n + lines_n > PP_PPROF_MERGE_REFS_MAX || !pp_vec_reserve(&p->lines, lines_n))
        return PP_PPROF_NONE;
    for (uint32_t i = 0; i < lines_n; i++)
        p->lines.v[p->lines.n++] = lines[i];
    return APPEND(m, &p->locations, &m->locations, hash, made);
}

struct sample_key {
    const struct pp_pprof *p;
    const uint32_t *locations;
    const struct pp_pprof_label *labels;
    uint32_t locations_n, labels_n;
};

static bool label_equal(const struct pp_pprof_label *a, const struct pp_pprof_label *b)
{
    return a->key == b->key && a->str == b->str && a->num == b->num && a->num_unit == b->num_unit;
}

static bool sample_equal(const void *context, uint32_t id)
{
    const struct sample_key *key = context;
    const struct pp_pprof_sample *s = &key->p->samples.v[id];

    if (s->locations.n != key->locations_n || s->labels.n != key->labels_n)
        return false;
    if (key->locations_n && memcmp(key->p->location_refs.v + s->locations.first, key->locations, key->locations_n * sizeof(uint32_t)) != 0)
        return false;
    for (uint32_t i = 0; i < key->labels_n; i++)
        if (!label_equal(&key->p->labels.v[s->labels.first + i], &key->labels[i]))
            return false;
    return true;
}

static uint64_t sample_hash(const struct sample_key *key)
{
    uint64_t hash = key->locations_n ? XXH3_64bits(key->locations, key->locations_n * sizeof(uint32_t)) : 0;

    for (uint32_t i = 0; i < key->labels_n; i++) {
        const struct pp_pprof_label *l = &key->labels[i];
        uint64_t words[4] = {l->key, l->str, l->num_unit, (uint64_t)l->num};
        hash = XXH3_64bits_withSeed(words, sizeof(words), hash);
    }
    return hash;
}

/* Room for everything first, so that a sample is made whole or not at all. */
static uint32_t append_sample(struct pp_pprof_merge *m, const struct sample_key *key)
{
    struct pp_pprof *p = &m->profile;
    uint32_t types = (uint32_t)p->sample_types.n;
    struct pp_pprof_sample made = {{(uint32_t)p->location_refs.n, key->locations_n}, {(uint32_t)p->values.n, types}, {(uint32_t)p->labels.n, key->labels_n}};

    if (p->location_refs.n + key->locations_n > PP_PPROF_MERGE_REFS_MAX || p->labels.n + key->labels_n > PP_PPROF_MERGE_REFS_MAX ||
        !pp_vec_reserve(&p->location_refs, key->locations_n) || !pp_vec_reserve(&p->labels, key->labels_n) || !pp_vec_reserve(&p->values, types))
        return PP_PPROF_NONE;
    for (uint32_t i = 0; i < key->locations_n; i++)
        p->location_refs.v[p->location_refs.n++] = key->locations[i];
    for (uint32_t i = 0; i < key->labels_n; i++)
        p->labels.v[p->labels.n++] = key->labels[i];
    if (!pp_vec_push(&p->samples, made))
        return PP_PPROF_NONE;
    for (uint32_t i = 0; i < types; i++)
        p->values.v[p->values.n++] = 0;
    return (uint32_t)p->samples.n - 1;
}

static uint32_t make_sample(struct pp_pprof_merge *m, const struct sample_key *key, uint64_t hash)
{
    uint32_t id = append_sample(m, key);

    if (id != PP_PPROF_NONE && !pp_index_add(&m->samples, hash, id)) {
        m->profile.values.n = m->profile.samples.v[--m->profile.samples.n].values.first;
        return PP_PPROF_NONE;
    }
    return id;
}

uint32_t pp_pprof_append_sample(struct pp_pprof_merge *m, const uint32_t *locations, uint32_t locations_n,
                                const struct pp_pprof_label *labels, uint32_t labels_n)
{
    struct sample_key key = {&m->profile, locations, labels, locations_n, labels_n};
    uint64_t hash = sample_hash(&key);

    if (pp_index_find(&m->samples, hash, sample_equal, &key) == PP_INDEX_NONE)
        return make_sample(m, &key, hash);
    return append_sample(m, &key);
}

uint32_t pp_pprof_intern_sample(struct pp_pprof_merge *m, const uint32_t *locations, uint32_t locations_n,
                                const struct pp_pprof_label *labels, uint32_t labels_n, uint32_t samples_max)
{
    struct sample_key key = {&m->profile, locations, labels, locations_n, labels_n};
    uint64_t hash = sample_hash(&key);
    uint32_t id = pp_index_find(&m->samples, hash, sample_equal, &key);

    if (id != PP_INDEX_NONE)
        return id;
    return m->profile.samples.n < samples_max ? make_sample(m, &key, hash) : PP_PPROF_NONE;
}

/* Values lie sample after sample; one more type moves them all. */
static bool widen_values(struct pp_pprof *p, size_t types)
{
    int64_t *values = pp_calloc(p->samples.n ? p->samples.n * types : 1, sizeof(*values));

    if (!values)
        return false;
    for (size_t i = 0; i < p->samples.n; i++) {
        struct pp_pprof_list *list = &p->samples.v[i].values;

        if (list->n)
            memcpy(values + i * types, p->values.v + list->first, list->n * sizeof(*values));
        *list = (struct pp_pprof_list){(uint32_t)(i * types), (uint32_t)types};
    }
    pp_vec_done(&p->values);
    p->values.v = values;
    p->values.n = p->values.cap = p->samples.n * types;
    return true;
}

uint32_t pp_pprof_intern_type(struct pp_pprof_merge *m, struct pp_pprof_value_type type)
{
    struct pp_pprof *p = &m->profile;

    for (uint32_t i = 0; i < p->sample_types.n; i++)
        if (p->sample_types.v[i].type == type.type && p->sample_types.v[i].unit == type.unit)
            return i;
    if (p->sample_types.n >= PP_PPROF_MERGE_TYPES_MAX || !pp_vec_reserve(&p->sample_types, 1) || !widen_values(p, p->sample_types.n + 1))
        return PP_PPROF_NONE;
    p->sample_types.v[p->sample_types.n] = type;
    return (uint32_t)p->sample_types.n++;
}
