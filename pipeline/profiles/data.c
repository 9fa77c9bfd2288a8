#include "profiles/data.h"

#include <assert.h>

#include "profiles/edit.h"

/* Every PP_TABLE has this shape. */
struct any_table {
    void *v;
    uint32_t n, cap;
};

static const struct table_row {
    size_t offset, element_size;
    unsigned set; /* the edits that may write it */
    bool zero;    /* index 0 is the zero entry */
} table_rows[] = {
#define ROW(table, bits, ...)                                                                      \
    {offsetof(struct pp_tables, table), sizeof(*((struct pp_tables *)0)->table.v), bits, __VA_ARGS__}
    ROW(strings, PP_EDIT_STRINGS, true),
    ROW(functions, PP_EDIT_FUNCTIONS, true),
    ROW(mappings, PP_EDIT_MAPPINGS, true),
    ROW(locations, PP_EDIT_LOCATIONS, true),
    ROW(lines, PP_EDIT_LOCATIONS, false),
    ROW(stacks, PP_EDIT_STACKS, true),
    ROW(location_indices, PP_EDIT_STACKS, false),
    ROW(links, PP_EDIT_LINKS, true),
    ROW(attributes, PP_EDIT_ATTRIBUTES, true),
    ROW(attr_indices, PP_EDIT_MAPPINGS | PP_EDIT_LOCATIONS | PP_EDIT_PROFILES | PP_EDIT_SAMPLES, false),
    ROW(key_values, PP_EDIT_RESOURCES | PP_EDIT_SCOPES, false),
    ROW(resources, PP_EDIT_RESOURCES, false),
    ROW(scopes, PP_EDIT_SCOPES, false),
    ROW(profiles, PP_EDIT_PROFILES, false),
    ROW(values, PP_EDIT_SAMPLES, false),
    ROW(timestamps, PP_EDIT_SAMPLES, false),
#undef ROW
};

/* The sample columns have one length between them. */
static const struct column_row {
    size_t offset, element_size;
} column_rows[] = {
#define ROW(column) {offsetof(struct pp_samples, column), sizeof(*((struct pp_samples *)0)->column)}
    ROW(stack), ROW(link), ROW(attrs), ROW(values), ROW(timestamps),
#undef ROW
};

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct any_table *table_at(const struct pp_data *data, const struct table_row *row)
{
    return (struct any_table *)((char *)&data->tables + row->offset);
}

static void **column_at(const struct pp_data *data, const struct column_row *row)
{
    return (void **)((char *)&data->tables.samples + row->offset);
}

struct pp_data *pp_data_new(struct pp_storage *storage)
{
    struct pp_data *data = storage ? pp_calloc(1, sizeof(*data)) : NULL;

    if (data)
        data->storage = storage;
    else
        pp_storage_unref(storage);
    return data;
}

void pp_data_free(struct pp_data *data)
{
    if (!data)
        return;
    for (size_t i = 0; i < ROWS(table_rows); i++)
        pp_block_unref(table_at(data, &table_rows[i])->v);
    for (size_t i = 0; i < ROWS(column_rows); i++)
        pp_block_unref(*column_at(data, &column_rows[i]));
    for (unsigned k = 0; k < PP_UNKNOWN_KINDS; k++)
        pp_vec_done(&data->unknown[k]);
    pp_spans_unref(data->spans);
    pp_storage_unref(data->storage);
    pp_free(data);
}

static bool copy_unknown(struct pp_data *copy, const struct pp_data *data)
{
    for (unsigned k = 0; k < PP_UNKNOWN_KINDS; k++) {
        size_t n = data->unknown[k].n;

        if (n == 0)
            continue;
        if (!pp_vec_reserve(&copy->unknown[k], n))
            return false;
        memcpy(copy->unknown[k].v, data->unknown[k].v, n * sizeof(struct pp_unknown));
        copy->unknown[k].n = n;
    }
    return true;
}

struct pp_data *pp_data_derive(struct pp_data *data)
{
    struct pp_data *copy = pp_data_new(pp_storage_new(NULL, data->storage));

    if (!copy)
        return NULL;
    copy->tables = data->tables;
    for (size_t i = 0; i < ROWS(table_rows); i++)
        pp_block_ref(table_at(data, &table_rows[i])->v);
    for (size_t i = 0; i < ROWS(column_rows); i++)
        pp_block_ref(*column_at(data, &column_rows[i]));
    copy->spans = data->spans;
    if (copy->spans)
        atomic_fetch_add_explicit(&copy->spans->refs, 1, memory_order_relaxed);
    copy->clean = data->clean;
    copy->references = data->references;
    copy->message = data->message;
    copy->pairs_decoded = data->pairs_decoded;
    if (!copy_unknown(copy, data)) {
        pp_data_free(copy);
        return NULL;
    }
    return copy;
}

/* A block of the same content that nobody else holds; the old one where that is so already. NULL when memory is out. */
static void *own_block(void *block, uint32_t n, uint32_t cap, size_t element_size)
{
    void *copy;

    if (pp_block_is_own(block))
        return block;
    copy = pp_block_new(cap, element_size);
    if (!copy)
        return NULL;
    memcpy(copy, block, n * element_size);
    pp_block_unref(block);
    return copy;
}

static bool own_columns(struct pp_data *data)
{
    for (size_t i = 0; i < ROWS(column_rows); i++) {
        void **column = column_at(data, &column_rows[i]), *own;

        if (!*column)
            continue;
        own = own_block(*column, data->tables.samples.n, data->tables.samples.cap, column_rows[i].element_size);
        if (!own)
            return false;
        *column = own;
    }
    return true;
}

bool pp_data_own(struct pp_data *data, unsigned set)
{
    for (size_t i = 0; i < ROWS(table_rows); i++) {
        struct any_table *table = table_at(data, &table_rows[i]);
        void *own;

        if (!(table_rows[i].set & set) || !table->v)
            continue;
        own = own_block(table->v, table->n, table->cap, table_rows[i].element_size);
        if (!own)
            return false;
        table->v = own;
    }
    return !(set & PP_EDIT_SAMPLES) || own_columns(data);
}

size_t pp_data_bytes(const struct pp_data *data)
{
    size_t bytes = sizeof(*data) + pp_storage_bytes(data->storage);

    for (size_t i = 0; i < ROWS(table_rows); i++)
        bytes += table_at(data, &table_rows[i])->cap * table_rows[i].element_size;
    for (size_t i = 0; i < ROWS(column_rows); i++)
        bytes += data->tables.samples.cap * column_rows[i].element_size;
    return bytes;
}

bool pp_data_add_zero_entries(struct pp_data *data)
{
    for (size_t i = 0; i < ROWS(table_rows); i++) {
        struct any_table *table = table_at(data, &table_rows[i]);

        if (table->n > 0)
            continue;
        if (!pp_table_grow(&table->v, &table->cap, 0, 1, table_rows[i].element_size))
            return false;
        if (!table_rows[i].zero)
            continue;
        memset(table->v, 0, table_rows[i].element_size);
        table->n = 1;
        data->clean &= ~table_rows[i].set;
    }
    return true;
}

bool pp_table_grow(void **v, uint32_t *cap, uint32_t n, size_t extra, size_t element_size)
{
    size_t want = *cap < 8 ? 8 : *cap;
    void *grown;

    if (extra > INT32_MAX - (size_t)n)
        return false;
    if (extra <= *cap - n)
        return true;
    while (want < n + extra)
        want *= 2;
    if (want > INT32_MAX)
        want = INT32_MAX;
    grown = pp_block_resize(*v, want, element_size);
    if (!grown)
        return false;
    *v = grown;
    *cap = (uint32_t)want;
    return true;
}

bool pp_unknown_add(struct pp_data *data, enum pp_unknown_kind kind, uint32_t entry, struct pp_str fields)
{
    struct pp_unknown *last = data->unknown[kind].n ? &data->unknown[kind].v[data->unknown[kind].n - 1] : NULL;
    char *joined;

    assert(!last || last->entry <= entry);
    if (!last || last->entry != entry)
        return pp_vec_push(&data->unknown[kind], (struct pp_unknown){entry, fields});
    if (last->fields.p + last->fields.n == fields.p) {
        last->fields.n += fields.n;
        return true;
    }
    joined = pp_arena_alloc(&data->storage->arena, last->fields.n + fields.n);
    if (!joined)
        return false;
    memcpy(joined, last->fields.p, last->fields.n);
    memcpy(joined + last->fields.n, fields.p, fields.n);
    last->fields = (struct pp_str){joined, last->fields.n + fields.n};
    return true;
}

struct pp_str pp_unknown_find(const struct pp_data *data, enum pp_unknown_kind kind, uint32_t entry)
{
    size_t from = 0, to = data->unknown[kind].n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (data->unknown[kind].v[mid].entry < entry)
            from = mid + 1;
        else
            to = mid;
    }
    if (from < data->unknown[kind].n && data->unknown[kind].v[from].entry == entry)
        return data->unknown[kind].v[from].fields;
    return (struct pp_str){0};
}

struct pp_spans *pp_spans_new(const struct pp_otlp_counts *counts)
{
    size_t n = (size_t)counts->resources + counts->scopes + 2 * (size_t)counts->profiles;
    struct pp_spans *spans = pp_calloc(1, sizeof(*spans) + n * sizeof(struct pp_str));

    if (!spans)
        return NULL;
    atomic_init(&spans->refs, 1);
    spans->resources = (struct pp_str *)(spans + 1);
    spans->scopes = spans->resources + counts->resources;
    spans->profiles = spans->scopes + counts->scopes;
    spans->samples = spans->profiles + counts->profiles;
    return spans;
}

void pp_spans_unref(struct pp_spans *spans)
{
    if (spans && atomic_fetch_sub_explicit(&spans->refs, 1, memory_order_acq_rel) == 1)
        pp_free(spans);
}
