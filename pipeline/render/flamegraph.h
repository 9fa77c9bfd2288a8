/* The flame graph page: one HTML file without any outside resource, for every sample type of a tree. */
#ifndef PP_RENDER_FLAMEGRAPH_H
#define PP_RENDER_FLAMEGRAPH_H

#include "base/buf.h"
#include "render/tree.h"

#define PP_FLAMEGRAPH_BYTES_MAX ((size_t)1 << 30)

/* Appends the page. Names go into it as JSON in which '<', '>' and '&' are escaped too, so that none can leave the script element. Nodes whose
 * total is not above zero (deltas) cannot be drawn and are left out. `title` is shown above the graph. PP_ERR_LIMIT when `buf` is full. */
bool pp_flamegraph_write(const struct pp_tree *tree, struct pp_str title, struct pp_buf *buf, struct pp_error *err);

#endif
