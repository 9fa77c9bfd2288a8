#include "render/flamegraph.h"

#include <inttypes.h>

#include "base/json_text.h"
#include "render/flamegraph_page.h"
#include "render/preorder.h"

#define PAGE_DATA_MARK "@PROFILE_DATA@"
#define FRAME_OTHER 0u /* position of PP_TREE_OTHER in the page's list of names */

/* JSON inside a script element: "</script" and "<!--" must not occur, whatever the names are. */
static void add_string(struct pp_buf *buf, struct pp_buf *scratch, struct pp_str s)
{
    size_t start = 0;

    pp_buf_reset(scratch);
    if (!pp_json_add_string(scratch, s)) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < scratch->len; i++) {
        char c = scratch->data[i];

        if (c != '<' && c != '>' && c != '&')
            continue;
        pp_buf_add(buf, scratch->data + start, i - start);
        pp_buf_printf(buf, "\\u%04x", c);
        start = i + 1;
    }
    pp_buf_add(buf, scratch->data + start, scratch->len - start);
}

static void add_frames(struct pp_buf *buf, struct pp_buf *scratch, const struct pp_tree *tree)
{
    pp_buf_add_c(buf, "\"names\":[\"" PP_TREE_OTHER "\"");
    for (size_t i = 0; i < tree->frames.n; i++) {
        pp_buf_add_byte(buf, ',');
        add_string(buf, scratch, tree->frames.v[i].name);
    }
    pp_buf_add_c(buf, "],\n\"origins\":[\"\"");
    for (size_t i = 0; i < tree->frames.n; i++) {
        pp_buf_add_byte(buf, ',');
        add_string(buf, scratch, tree->frames.v[i].origin);
    }
    pp_buf_add_c(buf, "]");
}

/* Three numbers a box: depth, name, self. A node without a drawable total is left out with everything below it. */
static void add_boxes(struct pp_buf *buf, const struct pp_tree_type *type, const struct pp_preorder *order)
{
    uint32_t skip_below = UINT32_MAX;
    const char *comma = "";

    for (size_t i = 0; i < order->n; i++) {
        const struct pp_tree_node *node = &type->nodes.v[order->nodes[i]];
        uint32_t depth = order->depths[i];

        if (depth > skip_below)
            continue;
        skip_below = UINT32_MAX;
        if (order->totals[order->nodes[i]] <= 0) {
            skip_below = depth;
            continue;
        }
        pp_buf_printf(buf, "%s%" PRIu32 ",%" PRIu32 ",%" PRId64, comma, depth, depth ? node->frame + 1 : 0,
                      node->self > 0 ? node->self : 0);
        comma = ",";
        if (node->cut > 0)
            pp_buf_printf(buf, ",%" PRIu32 ",%u,%" PRId64, depth + 1, FRAME_OTHER, node->cut);
    }
}

static bool add_type(struct pp_buf *buf, struct pp_buf *scratch, const struct pp_tree *tree, const struct pp_tree_type *type)
{
    struct pp_preorder order;

    if (!pp_preorder_make(tree, type, &order))
        return false;
    pp_buf_add_c(buf, "{\"type\":");
    add_string(buf, scratch, type->type);
    pp_buf_add_c(buf, ",\"unit\":");
    add_string(buf, scratch, type->unit);
    pp_buf_add_c(buf, ",\"boxes\":[");
    add_boxes(buf, type, &order);
    pp_buf_add_c(buf, "]}");
    pp_preorder_done(&order);
    return true;
}

static bool add_data(struct pp_buf *buf, const struct pp_tree *tree, struct pp_str title)
{
    struct pp_buf scratch;
    bool ok = true;

    pp_buf_init(&scratch, 8 * PP_TREE_NAME_BYTES_MAX);
    pp_buf_add_c(buf, "{\"title\":");
    add_string(buf, &scratch, title);
    pp_buf_printf(buf, ",\"samples\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"from_ms\":%" PRIu64 ",\"to_ms\":%" PRIu64 ",\"start\":%" PRIu32 ",\n",
                  tree->samples, tree->samples_dropped, tree->time_first_ns / 1000000, tree->time_last_ns / 1000000,
                  tree->type_default);
    add_frames(buf, &scratch, tree);
    pp_buf_add_c(buf, ",\n\"types\":[");
    for (size_t i = 0; ok && i < tree->types.n; i++) {
        pp_buf_add_c(buf, i ? ",\n" : "");
        ok = add_type(buf, &scratch, tree, &tree->types.v[i]);
    }
    pp_buf_add_c(buf, "]}");
    pp_buf_done(&scratch);
    return ok;
}

bool pp_flamegraph_write(const struct pp_tree *tree, struct pp_str title, struct pp_buf *buf, struct pp_error *err)
{
    struct pp_str page = pp_flamegraph_page();
    const char *mark = memmem(page.p, page.n, PAGE_DATA_MARK, sizeof(PAGE_DATA_MARK) - 1);
    size_t head = (size_t)(mark - page.p), tail = head + sizeof(PAGE_DATA_MARK) - 1;

    pp_buf_add(buf, page.p, head);
    if (!add_data(buf, tree, title))
        return pp_error_nomem(err);
    pp_buf_add(buf, page.p + tail, page.n - tail);
    if (buf->failed)
        return pp_error_set(err, PP_ERR_LIMIT, "the flame graph page does not fit in %zu bytes", buf->max);
    return true;
}
