#include "profiles/resource_edit.h"

#include <assert.h>

uint32_t pp_resource_find(const struct pp_tables *tables, uint32_t resource, struct pp_str key)
{
    const struct pp_range *range = &tables->resources.v[resource].attributes;

    for (uint32_t i = 0; i < range->n; i++)
        if (pp_str_eq(tables->key_values.v[range->first + i].key, key))
            return i;
    return PP_ATTRIBUTE_NONE;
}

const struct pp_key_value *pp_resource_attribute(const struct pp_tables *tables, uint32_t resource, uint32_t position)
{
    const struct pp_range *range = &tables->resources.v[resource].attributes;

    assert(position < range->n);
    return &tables->key_values.v[range->first + position];
}

/* Makes the list the last one of key_values, with room for one more behind it. */
static bool move_to_end(struct pp_resource_edit *edit)
{
    struct pp_tables *tables = edit->tables;
    struct pp_range *range = &tables->resources.v[edit->resource].attributes;

    if (!pp_table_reserve(&tables->key_values, (size_t)range->n + 1))
        return false;
    if (edit->moved && range->first + range->n == tables->key_values.n)
        return true;
    memcpy(tables->key_values.v + tables->key_values.n, tables->key_values.v + range->first, range->n * sizeof(*tables->key_values.v));
    range->first = tables->key_values.n;
    tables->key_values.n += range->n;
    edit->moved = true;
    return true;
}

bool pp_resource_set(struct pp_resource_edit *edit, struct pp_str key, struct pp_str value)
{
    struct pp_tables *tables = edit->tables;
    uint32_t position = pp_resource_find(tables, edit->resource, key);
    struct pp_range *range = &tables->resources.v[edit->resource].attributes;

    if (!move_to_end(edit))
        return false;
    if (position == PP_ATTRIBUTE_NONE) {
        position = range->n++;
        tables->key_values.n++;
    }
    tables->key_values.v[range->first + position] = (struct pp_key_value){.key = key, .value = value};
    return true;
}

bool pp_resource_replace(struct pp_resource_edit *edit, uint32_t position, struct pp_str value)
{
    struct pp_range *range = &edit->tables->resources.v[edit->resource].attributes;

    assert(position < range->n);
    if (!move_to_end(edit))
        return false;
    edit->tables->key_values.v[range->first + position].value = value;
    return true;
}

bool pp_resource_remove(struct pp_resource_edit *edit, const bool *removes)
{
    struct pp_tables *tables = edit->tables;
    struct pp_range *range = &tables->resources.v[edit->resource].attributes;
    struct pp_key_value *list;
    uint32_t kept = 0;

    if (!move_to_end(edit))
        return false;
    list = tables->key_values.v + range->first;
    for (uint32_t i = 0; i < range->n; i++)
        if (!removes[i])
            list[kept++] = list[i];
    tables->key_values.n -= range->n - kept;
    range->n = kept;
    return true;
}
