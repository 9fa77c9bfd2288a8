/* Start order by depth first: a node comes after all it feeds, and an extension after those it uses. */
#include "base/mem.h"
#include "pipeline/plan_build.h"

enum visit { NOT_YET, ON_PATH, DONE };

struct sort {
    struct pp_plan_build *build;
    unsigned char *visit;
    size_t *order, order_n;
    size_t *path, path_n;
};

/* "cycle: a -> b -> a": connectors only, since what stands between them follows from the pipelines; or extensions. */
static void report_cycle(struct sort *sort, size_t back_to)
{
    struct pp_plan *plan = sort->build->plan;
    const struct pp_plan_node *first = NULL;
    struct pp_buf text;
    size_t i = 0;

    pp_buf_init(&text, 4096);
    while (sort->path[i] != back_to)
        i++;
    for (; i < sort->path_n; i++) {
        const struct pp_plan_node *node = &plan->nodes.v[sort->path[i]];

        if (node->spec.factory->kind != PP_CONNECTOR && node->spec.factory->kind != PP_EXTENSION)
            continue;
        if (!first)
            first = node;
        pp_buf_printf(&text, "\"%s\" -> ", node->spec.id);
    }
    /* Receivers have nothing before and exporters nothing behind them: a cycle without a connector or an extension cannot be. */
    if (first->spec.factory->kind == PP_CONNECTOR)
        pp_diag_add(sort->build->diags, PP_SEVERITY_ERROR, first->component->mark, "connectors",
                    "cycle of pipelines through connectors: " PP_STR_FMT "\"%s\"", text.failed ? 0 : (int)text.len, text.data,
                    first->spec.id);
    else
        pp_diag_add(sort->build->diags, PP_SEVERITY_ERROR, first->component->mark, "extensions",
                    "extensions that use each other: " PP_STR_FMT "\"%s\"", text.failed ? 0 : (int)text.len, text.data,
                    first->spec.id);
    pp_buf_done(&text);
}

/* Depth is bounded by PP_PLAN_NODES_MAX. */
static bool visit(struct sort *sort, size_t i)
{
    const struct pp_plan_node *node = &sort->build->plan->nodes.v[i];

    if (sort->visit[i] == DONE)
        return true;
    if (sort->visit[i] == ON_PATH) {
        report_cycle(sort, i);
        return false;
    }
    sort->visit[i] = ON_PATH;
    sort->path[sort->path_n++] = i;
    for (size_t k = 0; k < node->edges.n; k++)
        if (!visit(sort, node->edges.v[k].to))
            return false;
    for (size_t k = 0; k < node->uses.n; k++)
        if (!visit(sort, node->uses.v[k].node))
            return false;
    sort->path_n--;
    sort->visit[i] = DONE;
    sort->order[sort->order_n++] = i;
    return true;
}

static bool visit_kind(struct sort *sort, enum pp_component_kind kind)
{
    struct pp_plan *plan = sort->build->plan;

    for (size_t i = 0; i < plan->nodes.n; i++)
        if (plan->nodes.v[i].spec.factory->kind == kind && !visit(sort, i))
            return false;
    return true;
}

/* Moves the nodes into the order found, and the edges with them. `sort->path` becomes the map from old to new places. */
static bool apply(struct sort *sort)
{
    struct pp_plan *plan = sort->build->plan;
    struct pp_plan_node *sorted = pp_reallocarray(NULL, plan->nodes.n, sizeof(*sorted));

    if (!sorted)
        return false;
    for (size_t i = 0; i < sort->order_n; i++) {
        sorted[i] = plan->nodes.v[sort->order[i]];
        sort->path[sort->order[i]] = i;
    }
    for (size_t i = 0; i < plan->nodes.n; i++) {
        plan->nodes.v[i] = sorted[i];
        for (size_t k = 0; k < sorted[i].edges.n; k++)
            sorted[i].edges.v[k].to = sort->path[sorted[i].edges.v[k].to];
        for (size_t k = 0; k < sorted[i].uses.n; k++)
            sorted[i].uses.v[k].node = sort->path[sorted[i].uses.v[k].node];
    }
    pp_free(sorted);
    return true;
}

bool pp_plan_sort(struct pp_plan_build *build)
{
    size_t n = build->plan->nodes.n;
    struct sort sort = {
        .build = build,
        .visit = pp_calloc(n + 1, 1),
        .order = pp_calloc(n + 1, sizeof(size_t)),
        .path = pp_calloc(n + 1, sizeof(size_t)),
    };
    bool enough = sort.visit && sort.order && sort.path;
    bool ok = enough && visit_kind(&sort, PP_EXTENSION) && visit_kind(&sort, PP_EXPORTER) &&
              visit_kind(&sort, PP_CONNECTOR) && visit_kind(&sort, PP_PROCESSOR) && visit_kind(&sort, PP_RECEIVER);

    if (ok && n > 0)
        enough = ok = apply(&sort);
    if (!enough)
        pp_diag_nomem(build->diags);
    pp_free(sort.visit);
    pp_free(sort.order);
    pp_free(sort.path);
    return ok;
}
