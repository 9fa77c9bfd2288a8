#include "config/tree.h"

#include <stdlib.h>

const struct pp_entry *pp_node_entry(const struct pp_node *node, const char *key)
{
    struct pp_str wanted = pp_str_c(key);

    if (!node || node->kind != PP_NODE_MAP)
        return NULL;
    for (size_t i = 0; i < node->n; i++) {
        if (pp_str_eq(node->entries[i].key->text, wanted))
            return &node->entries[i];
    }
    return NULL;
}

const struct pp_node *pp_node_get(const struct pp_node *node, const char *key)
{
    const struct pp_entry *entry = pp_node_entry(node, key);

    return entry ? entry->value : NULL;
}

const char *pp_node_kind_name(const struct pp_node *node)
{
    static const char *const scalars[] = {
        [PP_SCALAR_NULL] = "nothing",   [PP_SCALAR_STRING] = "a string",
        [PP_SCALAR_BOOL] = "a boolean", [PP_SCALAR_INT] = "an integer",
        [PP_SCALAR_FLOAT] = "a number",
    };

    switch (node->kind) {
    case PP_NODE_NULL:
        return "nothing";
    case PP_NODE_LIST:
        return "a list";
    case PP_NODE_MAP:
        return "a map";
    default:
        return scalars[pp_node_scalar(node).type];
    }
}

struct pp_node *pp_node_new(struct pp_arena *arena, enum pp_node_kind kind, struct pp_mark mark)
{
    struct pp_node *node = pp_arena_alloc(arena, sizeof(*node));

    if (!node)
        return NULL;
    node->kind = kind;
    node->mark = mark;
    node->text = PP_STR("");
    return node;
}

struct pp_node *pp_node_new_string(struct pp_arena *arena, struct pp_str text, struct pp_mark mark)
{
    struct pp_node *node = pp_node_new(arena, PP_NODE_SCALAR, mark);
    char *copy = pp_arena_strdup(arena, text);

    if (!node || !copy)
        return NULL;
    node->quoted = true;
    node->text = (struct pp_str){copy, text.n};
    return node;
}

struct pp_node *pp_node_new_map(struct pp_arena *arena, const struct pp_entry *entries, size_t n,
                                struct pp_mark mark)
{
    struct pp_node *node = pp_node_new(arena, PP_NODE_MAP, mark);
    struct pp_entry *copy = pp_arena_array(arena, n, sizeof(*entries));

    if (!node || !copy)
        return NULL;
    if (n)
        memcpy(copy, entries, n * sizeof(*entries));
    node->entries = copy;
    node->n = n;
    return node;
}

struct pp_node *pp_node_new_list(struct pp_arena *arena, const struct pp_node *const *items,
                                 size_t n, struct pp_mark mark)
{
    struct pp_node *node = pp_node_new(arena, PP_NODE_LIST, mark);
    const struct pp_node **copy = pp_arena_array(arena, n, sizeof(*items));

    if (!node || !copy)
        return NULL;
    if (n)
        memcpy(copy, items, n * sizeof(*items));
    node->items = copy;
    node->n = n;
    return node;
}

static int compare_text(struct pp_str a, struct pp_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

/* By key, then by place, so that the first of equal ones leads its run. */
static int compare_entries(const void *a_, const void *b_, void *entries_)
{
    const struct pp_entry *entries = entries_;
    uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
    int order = compare_text(entries[a].key->text, entries[b].key->text);

    if (order)
        return order;
    return a < b ? -1 : a > b;
}

bool pp_entries_first(const struct pp_entry *entries, size_t n, uint32_t *ret_first)
{
    PP_AUTOFREE uint32_t *sorted = pp_reallocarray(NULL, n, sizeof(*sorted));

    if (!sorted)
        return false;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (uint32_t)i;
    qsort_r(sorted, n, sizeof(*sorted), compare_entries, (void *)entries);
    for (size_t i = 0; i < n; i++) {
        bool same =
            i > 0 && pp_str_eq(entries[sorted[i]].key->text, entries[sorted[i - 1]].key->text);
        ret_first[sorted[i]] = same ? ret_first[sorted[i - 1]] : sorted[i];
    }
    return true;
}
