/* What tree_add.c needs of tree.c. */
#ifndef PP_RENDER_TREE_PRIVATE_H
#define PP_RENDER_TREE_PRIVATE_H

#include "render/tree.h"

/* Find or make; PP_INDEX_NONE when a limit is reached or memory is out. Texts are copied. */
uint32_t pp_tree_child(struct pp_tree *tree, struct pp_tree_type *type, uint32_t parent, uint32_t frame);
uint32_t pp_tree_frame_id(struct pp_tree *tree, struct pp_str name, struct pp_str origin);
uint32_t pp_tree_type_id(struct pp_tree *tree, struct pp_str type, struct pp_str unit);

/* Chooses what a viewer shows first from a scope with profiles in the tree; false when it has none. */
bool pp_tree_type_default(struct pp_tree *tree, const struct pp_tables *tables, const struct pp_scope *scope);

#endif
