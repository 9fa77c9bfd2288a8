/* The first start of a graph, and its end. */
#include "base/clock.h"
#include "pipeline/graph.h"
#include "pipeline/metrics_server.h"
#include "pipeline/service_retire.h"

/* One more thing that cannot be opened: *err keeps the last, those before it go to the log, a line each, so that one run shows them all. */
static void note_failure(bool *all_open, struct pp_error *err, const struct pp_error *one)
{
    if (!*all_open)
        pp_log(PP_LOG_ERROR, NULL, "does not start: %s", err->message);
    *all_open = false;
    *err = *one;
}

/* Every port that this configuration listens on. */
static bool open_all(struct pp_service *service, struct pp_graph *graph, struct pp_error *err)
{
    struct pp_error one = {0};
    bool all_open = true;

    for (size_t i = 0; i < graph->plan->nodes.n; i++)
        if (!pp_instance_open(graph->instances[i], &one))
            note_failure(&all_open, err, &one);
    if (!pp_metrics_server_configure(service, graph->plan->document->telemetry, &one))
        note_failure(&all_open, err, &one);
    return all_open;
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
    if (made && open_all(service, &graph, err)) {
        /* Published before the start, so that extensions show what is starting. */
        pp_service_publish(service, &graph);
        pp_graph_done(&graph);
        ok = start_all(&service->graph, err);
        if (!ok)
            pp_service_publish(service, &graph);
    }
    if (!ok) {
        pp_graph_shutdown(&graph, NULL, pp_clock_mono_ms() + service->shutdown_timeout_ms);
        pp_graph_free_instances(&graph, NULL);
        pp_graph_done(&graph);
        return false;
    }
    pp_plan_ref(plan);
    atomic_store(&service->state, PP_SERVICE_READY);
    return true;
}

/* Counted from the request, which may have had to wait for a reload. */
static uint64_t stop_deadline(struct pp_service *service)
{
    uint64_t asked_ms;

    pthread_mutex_lock(&service->lock);
    asked_ms = service->stop_asked_ms ? service->stop_asked_ms : pp_clock_mono_ms();
    pthread_mutex_unlock(&service->lock);
    return asked_ms + service->shutdown_timeout_ms;
}

void pp_service_shutdown(struct pp_service *service)
{
    uint64_t deadline_ms = stop_deadline(service);
    struct pp_graph graph = {0};
    struct pp_plan *plan;

    atomic_store(&service->state, PP_SERVICE_STOPPING);
    /* Shown by extensions while it drains; they end last, after what the last reload replaced, which may use them too. */
    pp_graph_drain(&service->graph, NULL, deadline_ms);
    pp_service_settle(service);
    pp_graph_shutdown(&service->graph, NULL, deadline_ms);
    pp_service_publish(service, &graph);
    plan = graph.plan;
    pp_graph_free_instances(&graph, NULL);
    pp_graph_done(&graph);
    pp_plan_unref(plan);
    pp_metrics_server_stop(service->metrics_server);
    service->metrics_server = NULL;
}
