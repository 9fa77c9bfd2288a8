/* Private to the engine: what is behind struct pp_service. */
#ifndef PP_PIPELINE_SERVICE_STATE_H
#define PP_PIPELINE_SERVICE_STATE_H

#include <pthread.h>

#include "pipeline/instance.h"
#include "pipeline/run.h"
#include "pipeline/slab_trim.h"

struct pp_metrics_server;

/* Instances of a plan by node; entries may be NULL. See pipeline/graph.h. */
struct pp_graph {
    struct pp_plan *plan;
    struct pp_instance **instances;
    struct pp_targets **targets; /* prepared for pp_graph_wire; NULL entries once used */
};

/* What a reload has replaced; see pipeline/service_retire.h. */
struct pp_retired {
    struct pp_graph graph;
    bool *ends; /* by node; NULL: there is nothing */
    pthread_t thread;
    bool has_thread;
    bool running; /* under the service's lock: still drains */
};

struct pp_service {
    struct pp_loop_pool loops;
    struct pp_slab_trim slab_trim;
    struct pp_telemetry *telemetry;
    struct pp_metrics_server *metrics_server;
    uint64_t shutdown_timeout_ms;
    uint64_t started_unix_ns;
    char instance_id[37]; /* a random UUID: service.instance.id */
    _Atomic int state; /* enum pp_service_state */

    pthread_mutex_t lock; /* of the requests, of what instances report, of `retired.running` and of the four members below */
    pthread_cond_t requested;
    enum pp_service_request request;
    uint64_t stop_asked_ms; /* 0: not yet */
    char fatal[PP_STATUS_MESSAGE_MAX + 128];
    /* Written by the main thread only. */
    struct pp_graph graph;
    struct pp_retired retired;
};

void pp_service_lock_status(struct pp_service *service);
void pp_service_unlock_status(struct pp_service *service);
/* Exchanges the running graph for `graph`. */
void pp_service_publish(struct pp_service *service, struct pp_graph *graph);
/* Any thread: a component cannot go on, and the service with it. */
void pp_service_stop_fatal(struct pp_service *service, const char *log_id, const char *message);

#endif
