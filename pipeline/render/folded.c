#include "render/folded.h"

#include <inttypes.h>

#include "render/preorder.h"

static void add_name(struct pp_buf *buf, struct pp_str name)
{
    char *out = pp_buf_reserve(buf, name.n);

    if (!out)
        return;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        out[i] = c == ';' ? ':' : c < 0x20 || c == 0x7F ? ' ' : (char)c;
    }
    buf->len += name.n;
}

/* One finished line: the path so far, perhaps one more frame, the value. */
static void add_line(struct pp_buf *buf, struct pp_str path, const char *more, int64_t value)
{
    if (value == 0)
        return;
    pp_buf_add_str(buf, path);
    if (more && path.n)
        pp_buf_add_byte(buf, ';');
    pp_buf_add_c(buf, more ? more : "");
    pp_buf_printf(buf, " %" PRId64 "\n", value);
}

struct writer {
    const struct pp_tree *tree;
    const struct pp_tree_type *type;
    struct pp_buf path;
    uint32_t *ends; /* by depth: length of the path up to the frame of that depth */
    struct pp_buf *out;
};

static void write_node(struct writer *w, uint32_t id, uint32_t depth)
{
    const struct pp_tree_node *node = &w->type->nodes.v[id];

    if (depth > 0) {
        w->path.len = w->ends[depth - 1];
        if (depth > 1)
            pp_buf_add_byte(&w->path, ';');
        add_name(&w->path, w->tree->frames.v[node->frame].name);
        w->ends[depth] = (uint32_t)w->path.len;
    }
    add_line(w->out, pp_buf_str(&w->path), depth ? NULL : "[no stack]", node->self);
    add_line(w->out, pp_buf_str(&w->path), PP_TREE_OTHER, node->cut);
}

bool pp_folded_write(const struct pp_tree *tree, uint32_t type, struct pp_buf *buf, struct pp_error *err)
{
    struct writer w = {.tree = tree, .type = &tree->types.v[type], .out = buf};
    struct pp_preorder order;
    bool ok;

    if (!pp_preorder_make(tree, w.type, &order))
        return pp_error_nomem(err);
    pp_buf_init(&w.path, (PP_TREE_DEPTH_MAX + 1) * (size_t)(PP_TREE_NAME_BYTES_MAX + 1));
    w.ends = pp_calloc(PP_TREE_DEPTH_MAX + 1, sizeof(*w.ends));
    for (size_t i = 0; w.ends && i < order.n && !buf->failed; i++)
        write_node(&w, order.nodes[i], order.depths[i]);
    ok = w.ends && !w.path.failed;
    pp_buf_done(&w.path);
    pp_free(w.ends);
    pp_preorder_done(&order);
    if (!ok)
        return pp_error_nomem(err);
    if (buf->failed)
        return pp_error_set(err, PP_ERR_LIMIT, "folded stacks do not fit in %zu bytes", buf->max);
    return true;
}
