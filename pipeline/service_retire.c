#include "pipeline/service_retire.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph.h"

static void *drain(void *arg)
{
    struct pp_service *service = arg;
    struct pp_retired *retired = &service->retired;

    pp_graph_shutdown(&retired->graph, retired->ends, pp_clock_mono_ms() + service->shutdown_timeout_ms);
    pthread_mutex_lock(&service->lock);
    retired->running = false;
    pthread_cond_broadcast(&service->requested);
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

void pp_service_retire(struct pp_service *service, struct pp_graph *graph, bool *ends)
{
    struct pp_retired *retired = &service->retired;

    *retired = (struct pp_retired){.graph = *graph, .ends = ends, .running = true};
    *graph = (struct pp_graph){0};
    retired->has_thread = pthread_create(&retired->thread, NULL, drain, service) == 0;
    if (!retired->has_thread)
        drain(service);
}

bool pp_service_has_drained(const struct pp_service *service)
{
    return service->retired.ends && !service->retired.running;
}

void pp_service_settle(struct pp_service *service)
{
    struct pp_retired *retired = &service->retired;
    struct pp_plan *plan = retired->graph.plan;

    if (!retired->ends)
        return;
    if (retired->has_thread)
        pthread_join(retired->thread, NULL);
    pp_graph_free_instances(&retired->graph, retired->ends);
    pp_graph_done(&retired->graph);
    pp_plan_unref(plan);
    pp_free(retired->ends);
    *retired = (struct pp_retired){0};
}
