#include "profiles/any_value.h"
#include "render/tree_private.h"

static bool scope_attribute(const struct pp_tables *t, const struct pp_scope *scope, struct pp_str key, struct pp_str *ret)
{
    for (uint32_t i = 0; i < scope->attributes.n; i++) {
        const struct pp_key_value *kv = &t->key_values.v[scope->attributes.first + i];

        if (pp_str_eq(kv->key, key)) {
            *ret = kv->value;
            return true;
        }
    }
    return false;
}

/* The profile that was the last sample type of the pprof: order[i] is the place that profile i had there. */
static uint32_t last_of_order(struct pp_str encoded, uint32_t profiles_n)
{
    struct pp_any_value order, place;
    struct pp_str element;
    size_t offset = 0;
    int64_t highest = INT64_MIN;
    uint32_t last = profiles_n - 1, i = 0;

    if (!pp_any_value_read(encoded, &order) || order.kind != PP_ANY_ARRAY)
        return last;
    for (; i < profiles_n && pp_any_value_next_element(&order, &offset, &element); i++) {
        if (!pp_any_value_read(element, &place) || place.kind != PP_ANY_INT || place.integer <= highest)
            continue;
        highest = place.integer;
        last = i;
    }
    return last;
}

static uint32_t profile_named(const struct pp_tables *t, const struct pp_scope *scope, struct pp_str type)
{
    for (uint32_t i = 0; i < scope->profiles.n; i++)
        if (pp_str_eq(t->strings.v[t->profiles.v[scope->profiles.first + i].sample_type.type], type))
            return i;
    return PP_INDEX_NONE;
}

bool pp_tree_type_default(struct pp_tree *tree, const struct pp_tables *tables, const struct pp_scope *scope)
{
    struct pp_str value, name;
    uint32_t chosen = PP_INDEX_NONE, id;
    const struct pp_value_type *type;

    if (scope->profiles.n == 0)
        return false;
    if (scope_attribute(tables, scope, PP_STR("pprof.scope.default_sample_type"), &value) && pp_any_value_string(value, &name))
        chosen = profile_named(tables, scope, name);
    if (chosen == PP_INDEX_NONE)
        chosen = scope_attribute(tables, scope, PP_STR("pprof.scope.sample_type_order"), &value)
                     ? last_of_order(value, scope->profiles.n)
                     : 0;
    type = &tables->profiles.v[scope->profiles.first + chosen].sample_type;
    id = pp_tree_type_id(tree, tables->strings.v[type->type], tables->strings.v[type->unit]);
    if (id == PP_INDEX_NONE)
        return false;
    tree->type_default = id;
    return true;
}
