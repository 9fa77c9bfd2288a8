/* Folded stacks: one line a stack, "outer;inner;leaf value", as flamegraph.pl, speedscope and others read them. */
#ifndef PP_RENDER_FOLDED_H
#define PP_RENDER_FOLDED_H

#include "base/buf.h"
#include "render/tree.h"

#define PP_FOLDED_BYTES_MAX ((size_t)1 << 30)

/* Appends the stacks of one sample type (a number below tree->types.n), depth first, heaviest child first. Stacks whose value is 0 are left out. In names, ';' becomes ':' and
 * control characters become spaces, since they end a frame or a line. PP_ERR_LIMIT when `buf` is full. */
bool pp_folded_write(const struct pp_tree *tree, uint32_t type, struct pp_buf *buf, struct pp_error *err);

#endif
