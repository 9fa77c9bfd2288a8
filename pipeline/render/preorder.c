#include "render/preorder.h"

#include <stdlib.h>

struct sort_context {
    const struct pp_tree *tree;
    const struct pp_tree_type *type;
    const int64_t *totals;
};

static int compare_names(struct pp_str a, struct pp_str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Siblings together, heaviest first; equal ones by name, so that the same data gives the same page. */
static int compare_nodes(const void *pa, const void *pb, void *arg)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    const struct sort_context *c = arg;
    const struct pp_tree_node *na = &c->type->nodes.v[a], *nb = &c->type->nodes.v[b];

    if (na->parent != nb->parent)
        return na->parent < nb->parent ? -1 : 1;
    if (c->totals[a] != c->totals[b])
        return c->totals[a] > c->totals[b] ? -1 : 1;
    return compare_names(c->tree->frames.v[na->frame].name, c->tree->frames.v[nb->frame].name);
}

/* `sorted` holds all nodes but the root, siblings together; next[p] is where the children of p not yet walked begin (past the end: none). */
static void walk(const struct pp_tree_type *type, const uint32_t *sorted, uint32_t *next, struct pp_preorder *order)
{
    uint32_t depth = 0, node = PP_TREE_ROOT;
    size_t inner = type->nodes.n - 1;

    order->nodes[0] = PP_TREE_ROOT;
    order->depths[0] = 0;
    order->n = 1;
    for (;;) {
        if (next[node] < inner && type->nodes.v[sorted[next[node]]].parent == node) {
            node = sorted[next[node]++];
            order->nodes[order->n] = node;
            order->depths[order->n++] = ++depth;
        } else if (depth > 0) {
            node = type->nodes.v[node].parent;
            depth--;
        } else {
            return;
        }
    }
}

bool pp_preorder_make(const struct pp_tree *tree, const struct pp_tree_type *type, struct pp_preorder *ret)
{
    size_t n = type->nodes.n;
    uint32_t *sorted = pp_calloc(n, sizeof(*sorted)), *next = pp_calloc(n, sizeof(*next));
    struct pp_preorder order = {.nodes = pp_calloc(n, sizeof(*order.nodes)),
                                .depths = pp_calloc(n, sizeof(*order.depths)),
                                .totals = pp_tree_totals(type)};
    bool ok = sorted && next && order.nodes && order.depths && order.totals;

    if (ok) {
        struct sort_context context = {tree, type, order.totals};

        for (size_t i = 1; i < n; i++)
            sorted[i - 1] = (uint32_t)i;
        qsort_r(sorted, n - 1, sizeof(*sorted), compare_nodes, &context);
        memset(next, 0xFF, n * sizeof(*next));
        for (size_t i = n - 1; i-- > 0;)
            next[type->nodes.v[sorted[i]].parent] = (uint32_t)i;
        walk(type, sorted, next, &order);
        *ret = order;
    } else {
        pp_preorder_done(&order);
    }
    pp_free(sorted);
    pp_free(next);
    return ok;
}

void pp_preorder_done(struct pp_preorder *order)
{
    pp_free(order->nodes);
    pp_free(order->depths);
    pp_free(order->totals);
    *order = (struct pp_preorder){0};
}
