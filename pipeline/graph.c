#include "pipeline/graph.h"

#include "base/clock.h"
#include "base/mem.h"

bool pp_graph_init(struct pp_graph *graph, struct pp_plan *plan)
{
    size_t n = plan ? plan->nodes.n : 0;

    *graph = (struct pp_graph){
        .plan = plan,
        .instances = pp_calloc(n + 1, sizeof(*graph->instances)),
        .targets = pp_calloc(n + 1, sizeof(*graph->targets)),
    };
    if (graph->instances && graph->targets)
        return true;
    pp_graph_done(graph);
    return false;
}

void pp_graph_done(struct pp_graph *graph)
{
    for (size_t i = 0; graph->targets && graph->plan && i < graph->plan->nodes.n; i++)
        pp_targets_free(graph->targets[i]);
    pp_free(graph->targets);
    pp_free(graph->instances);
    *graph = (struct pp_graph){0};
}

bool pp_graph_make(struct pp_graph *graph, struct pp_service *service, size_t node, struct pp_instance **ret, struct pp_error *err)
{
    const struct pp_plan_node *plan_node = &graph->plan->nodes.v[node];
    struct pp_instance_use *uses = pp_calloc(plan_node->uses.n + 1, sizeof(*uses));
    struct pp_instance_spec spec = plan_node->spec;
    bool ok;

    if (!uses)
        return pp_error_nomem(err);
    for (size_t i = 0; i < plan_node->uses.n; i++) {
        const struct pp_instance *extension = graph->instances[plan_node->uses.v[i].node];

        /* One that could not be put back is as one that nobody names: what needs it does not start either. */
        if (extension)
            uses[spec.uses_n++] = (struct pp_instance_use){plan_node->uses.v[i].id, extension->component};
    }
    spec.uses = uses;
    ok = pp_instance_new(service, &spec, ret, err);
    pp_free(uses);
    return ok;
}

static struct pp_targets *targets_of(struct pp_graph *graph, const struct pp_plan_node *node, bool started_only)
{
    PP_VEC(struct pp_target) targets = {0};
    struct pp_targets *set = NULL;
    bool ok = true;

    for (size_t k = 0; k < node->edges.n && ok; k++) {
        struct pp_instance *to = graph->instances[node->edges.v[k].to];

        if (!to || (started_only && !to->started))
            continue;
        ok = pp_vec_push(&targets, (struct pp_target){to->component, node->edges.v[k].pipeline,
                                                      pp_instance_incoming(to), pp_instance_duration(to)});
    }
    if (ok)
        set = pp_targets_new(targets.v, targets.n);
    pp_vec_done(&targets);
    return set;
}

bool pp_graph_prepare(struct pp_graph *graph, bool started_only)
{
    for (size_t i = 0; i < graph->plan->nodes.n; i++) {
        pp_targets_free(graph->targets[i]);
        graph->targets[i] = targets_of(graph, &graph->plan->nodes.v[i], started_only);
        if (!graph->targets[i])
            return false;
    }
    return true;
}

void pp_graph_wire_node(struct pp_graph *graph, size_t node)
{
    if (!graph->instances[node] || !graph->targets[node])
        return;
    pp_downstream_set(&graph->instances[node]->downstream, graph->targets[node]);
    graph->targets[node] = NULL;
}

void pp_graph_wire(struct pp_graph *graph)
{
    for (size_t i = 0; i < graph->plan->nodes.n; i++)
        pp_graph_wire_node(graph, i);
}

void pp_graph_cut(struct pp_graph *graph, size_t node)
{
    if (graph->instances[node])
        pp_downstream_set(&graph->instances[node]->downstream, NULL);
}

static void shut_down(struct pp_graph *graph, const bool *ends, bool extensions_too, uint64_t deadline_mono_ms)
{
    uint64_t now_ms = pp_clock_mono_ms();
    uint64_t half_ms = deadline_mono_ms > now_ms ? now_ms + (deadline_mono_ms - now_ms) / 2 : deadline_mono_ms;

    for (size_t i = graph->plan ? graph->plan->nodes.n : 0; i-- > 0;) {
        struct pp_instance *instance = graph->instances[i];
        enum pp_component_kind kind = graph->plan->nodes.v[i].spec.factory->kind;

        if (instance && (!ends || ends[i]) && (extensions_too || kind != PP_EXTENSION))
            pp_instance_shutdown(instance, kind == PP_RECEIVER ? half_ms : deadline_mono_ms);
    }
}

void pp_graph_drain(struct pp_graph *graph, const bool *ends, uint64_t deadline_mono_ms)
{
    shut_down(graph, ends, false, deadline_mono_ms);
}

void pp_graph_shutdown(struct pp_graph *graph, const bool *ends, uint64_t deadline_mono_ms)
{
    shut_down(graph, ends, true, deadline_mono_ms);
}

void pp_graph_free_instances(struct pp_graph *graph, const bool *ends)
{
    for (size_t i = graph->plan ? graph->plan->nodes.n : 0; i-- > 0;) {
        if (ends && !ends[i])
            continue;
        pp_instance_free(graph->instances[i]);
        graph->instances[i] = NULL;
    }
}
