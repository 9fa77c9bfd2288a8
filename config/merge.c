#include "config/merge.h"

#include "config/yaml.h"

#define DELIMITER "::"

typedef PP_VEC(struct pp_entry) entry_vec;

/* Entries of both; a key of both gets the merged value and the later key's position. */
static bool merge_entries(struct pp_arena *arena, entry_vec *all, size_t earlier_n)
{
    PP_AUTOFREE uint32_t *first = pp_reallocarray(NULL, all->n, sizeof(*first));
    size_t kept = earlier_n;

    if (!first || !pp_entries_first(all->v, all->n, first))
        return false;
    for (size_t i = earlier_n; i < all->n; i++) {
        struct pp_entry *before = &all->v[first[i]];
        if (first[i] >= earlier_n) {
            all->v[kept++] = all->v[i];
            continue;
        }
        before->key = all->v[i].key;
        before->value = pp_node_merge(arena, before->value, all->v[i].value);
        if (!before->value)
            return false;
    }
    all->n = kept;
    return true;
}

const struct pp_node *pp_node_merge(struct pp_arena *arena, const struct pp_node *earlier,
                                    const struct pp_node *later)
{
    const struct pp_node *merged = NULL;
    entry_vec all = {0};

    if (earlier->kind != PP_NODE_MAP || later->kind != PP_NODE_MAP)
        return later;
    if (later->n == 0 || earlier->n == 0)
        return later->n == 0 ? earlier : later;
    if (!pp_vec_reserve(&all, earlier->n + later->n))
        return NULL;
    memcpy(all.v, earlier->entries, earlier->n * sizeof(*all.v));
    memcpy(all.v + earlier->n, later->entries, later->n * sizeof(*all.v));
    all.n = earlier->n + later->n;
    if (merge_entries(arena, &all, earlier->n))
        merged = pp_node_new_map(arena, all.v, all.n, later->mark);
    pp_vec_done(&all);
    return merged;
}

/* Longer lists are joined as they are: no configuration can use so many references. */
#define JOINED_ITEMS_MAX 10000u

static bool has_item(const struct pp_node *const *items, size_t n, const struct pp_node *item)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i]->kind == PP_NODE_SCALAR && item->kind == PP_NODE_SCALAR &&
            pp_str_eq(items[i]->text, item->text))
            return true;
    }
    return false;
}

static const struct pp_node *join_lists(struct pp_arena *arena, const struct pp_node *earlier,
                                        const struct pp_node *later)
{
    PP_AUTOFREE const struct pp_node **items =
        pp_reallocarray(NULL, earlier->n + later->n + 1, sizeof(*items));
    bool few = earlier->n + later->n <= JOINED_ITEMS_MAX;
    size_t n = earlier->n;

    if (!items)
        return NULL;
    for (size_t i = 0; i < n; i++)
        items[i] = earlier->items[i];
    for (size_t i = 0; i < later->n; i++) {
        if (!few || !has_item(items, n, later->items[i]))
            items[n++] = later->items[i];
    }
    return pp_node_new_list(arena, items, n, later->mark);
}

/* Maps below service; `top` is service itself. Depth is bounded by the reader's. */
static const struct pp_node *append_below(struct pp_arena *arena, const struct pp_node *earlier,
                                          const struct pp_node *later, bool top)
{
    PP_AUTOFREE struct pp_entry *entries = NULL;

    if (earlier->n > JOINED_ITEMS_MAX || later->n > JOINED_ITEMS_MAX)
        return later; /* no map of service can be so long: refused when it is decoded */
    entries = pp_reallocarray(NULL, later->n + 1, sizeof(*entries));
    if (!entries)
        return NULL;
    for (size_t i = 0; i < later->n; i++) {
        struct pp_str key = later->entries[i].key->text;
        const struct pp_node *value = later->entries[i].value;
        const struct pp_node *before = pp_node_get(earlier, key.p);
        bool is_list = top ? pp_str_eq_c(key, "extensions")
                           : pp_str_eq_c(key, "receivers") || pp_str_eq_c(key, "exporters");

        if (before && is_list && before->kind == PP_NODE_LIST && value->kind == PP_NODE_LIST)
            value = join_lists(arena, before, value);
        else if (before && before->kind == PP_NODE_MAP && value->kind == PP_NODE_MAP)
            value = append_below(arena, before, value, false);
        if (!value)
            return NULL;
        entries[i] = (struct pp_entry){later->entries[i].key, value};
    }
    return pp_node_new_map(arena, entries, later->n, later->mark);
}

const struct pp_node *pp_node_append_lists(struct pp_arena *arena, const struct pp_node *earlier,
                                           const struct pp_node *later)
{
    const struct pp_node *before = pp_node_get(earlier, "service");
    const struct pp_node *service = pp_node_get(later, "service");
    struct pp_entry replaced;
    const struct pp_node *one;

    if (!before || !service || before->kind != PP_NODE_MAP || service->kind != PP_NODE_MAP)
        return later;
    replaced.key = pp_node_new_string(arena, PP_STR("service"), service->mark);
    replaced.value = append_below(arena, before, service, true);
    if (!replaced.key || !replaced.value)
        return NULL;
    one = pp_node_new_map(arena, &replaced, 1, service->mark);
    return one ? pp_node_merge(arena, later, one) : NULL;
}

/* Parts of a key between the delimiters; 0 when one of them is empty. */
static size_t count_parts(struct pp_str key)
{
    size_t parts = 1, begin = 0;

    for (size_t i = 0; i + 1 < key.n; i++) {
        if (key.p[i] != ':' || key.p[i + 1] != ':')
            continue;
        if (i == begin)
            return 0;
        parts++;
        begin = i + 2;
        i++;
    }
    return begin == key.n ? 0 : parts;
}

/* {key: value} with the key's parts as maps inside each other; built from the innermost, hence the
 * last part, outwards. */
static const struct pp_node *nest(struct pp_arena *arena, const struct pp_entry *entry)
{
    struct pp_str rest = entry->key->text;
    const struct pp_node *value = entry->value;
    struct pp_mark mark = entry->key->mark;

    while (value) {
        const char *cut = rest.n ? memmem(rest.p, rest.n, DELIMITER, 2) : NULL;
        struct pp_str part = rest;
        struct pp_entry nested;

        for (const char *next = cut; next;
             next = memmem(cut + 2, (size_t)(rest.p + rest.n - cut) - 2, DELIMITER, 2))
            cut = next;
        if (cut)
            part = (struct pp_str){cut + 2, (size_t)(rest.p + rest.n - cut) - 2};
        nested = (struct pp_entry){pp_node_new_string(arena, part, mark), value};
        value = nested.key ? pp_node_new_map(arena, &nested, 1, mark) : NULL;
        if (!cut)
            break;
        rest.n = (size_t)(cut - rest.p);
    }
    return value;
}

const struct pp_node *pp_node_unflatten(struct pp_arena *arena, const struct pp_node *map,
                                        struct pp_diags *diags)
{
    const struct pp_node *flat = map;
    size_t i = 0;

    while (i < map->n && count_parts(map->entries[i].key->text) < 2)
        i++;
    if (i == map->n)
        return map;
    map = pp_node_new_map(arena, flat->entries, i, flat->mark);
    for (; map && i < flat->n; i++) {
        const struct pp_entry *entry = &flat->entries[i];
        size_t parts = count_parts(entry->key->text);
        const struct pp_node *one;

        if (parts > PP_YAML_DEPTH_MAX) {
            pp_diag_add(diags, PP_SEVERITY_ERROR, entry->key->mark, "",
                        "a key of more than %u parts", PP_YAML_DEPTH_MAX);
            return NULL;
        }
        one = parts >= 2 ? nest(arena, entry) : pp_node_new_map(arena, entry, 1, flat->mark);
        map = one ? pp_node_merge(arena, map, one) : NULL;
    }
    if (!map)
        pp_diag_nomem(diags);
    return map;
}
