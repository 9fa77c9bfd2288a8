/* The first start of a graph, and its end. */
#include "pipeline/graph.h"
#include "pipeline/metrics_server.h"

static bool open_all(struct pp_graph *graph, struct pp_error *err)
{
    for (size_t i = 0; i < graph->plan->nodes.n; i++)
        if (!pp_instance_open(graph->instances[i], err))
            return false;
    return true;
}

static bool start_all(struct pp_graph *graph, struct pp_error *err)
{
    for (size_t i = 0; i < graph->plan->nodes.n; i++)
        if (!pp_instance_start(graph->instances[i], err))
            return false;
    return true;
}

static bool make_all(struct pp_service *service, struct pp_graph *graph, struct pp_error *err)
{
    for (size_t i = 0; i < graph->plan->nodes.n; i++)
        if (!pp_graph_make(graph, service, i, &graph->instances[i], err))
            return false;
    if (!pp_graph_prepare(graph, false))
        return pp_error_nomem(err);
    pp_graph_wire(graph);
    return true;
}

void pp_service_publish(struct pp_service *service, struct pp_graph *graph)
{
    struct pp_graph old;

    pthread_mutex_lock(&service->lock);
    old = service->graph;
    service->graph = *graph;
    pthread_mutex_unlock(&service->lock);
    *graph = old;
}

bool pp_service_start(struct pp_service *service, struct pp_plan *plan, struct pp_error *err)
{
    struct pp_graph graph;
    bool made, ok = false;

    if (!pp_graph_init(&graph, plan))
        return pp_error_nomem(err);
    made = make_all(service, &graph, err);
    if (made && open_all(&graph, err) && pp_metrics_server_configure(service, plan->document->telemetry, err)) {
        /* Published before the start, so that extensions show what is starting. */
        pp_service_publish(service, &graph);
        pp_graph_done(&graph);
        ok = start_all(&service->graph, err);
        if (!ok)
            pp_service_publish(service, &graph);
    }
    if (!ok) {
        pp_graph_shutdown(&graph, NULL, service->shutdown_timeout_ms);
        pp_graph_free_instances(&graph, NULL);
        pp_graph_done(&graph);
        return false;
    }
    pp_plan_ref(plan);
    atomic_store(&service->state, PP_SERVICE_READY);
    return true;
}

void pp_service_shutdown(struct pp_service *service)
{
    struct pp_graph graph = {0};
    struct pp_plan *plan;

    atomic_store(&service->state, PP_SERVICE_STOPPING);
    /* Shown by extensions while it drains; they end last. */
    pp_graph_shutdown(&service->graph, NULL, service->shutdown_timeout_ms);
    pp_service_publish(service, &graph);
    plan = graph.plan;
    pp_graph_free_instances(&graph, NULL);
    pp_graph_done(&graph);
    pp_plan_unref(plan);
    pp_metrics_server_stop(service->metrics_server);
    service->metrics_server = NULL;
}
