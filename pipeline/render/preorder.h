/* A type's nodes depth first, the heaviest child first: the order in which pages and files show them. */
#ifndef PP_RENDER_PREORDER_H
#define PP_RENDER_PREORDER_H

#include "render/tree.h"

struct pp_preorder {
    uint32_t *nodes;  /* node numbers; the root first */
    uint32_t *depths; /* of nodes[i]; the root's is 0 */
    int64_t *totals;  /* by node number */
    size_t n;
};

/* False when memory is out. */
bool pp_preorder_make(const struct pp_tree *tree, const struct pp_tree_type *type, struct pp_preorder *ret);
void pp_preorder_done(struct pp_preorder *order);

#endif
