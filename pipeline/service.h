/* What the engine offers to components at run time: loops, telemetry, the state of the service and of every component in it.
 * The functions that make, run and reload a service are in pipeline/run.h. */
#ifndef PP_PIPELINE_SERVICE_H
#define PP_PIPELINE_SERVICE_H

#include "net/loop.h"
#include "pipeline/component.h"
#include "pipeline/telemetry.h"

/* The loops that servers shard their connections over; they run from before the first start till after the last destroy. */
const struct pp_loop_pool *pp_service_loops(struct pp_service *service);
struct pp_telemetry *pp_service_telemetry(struct pp_service *service);

enum pp_service_state {
    PP_SERVICE_STARTING,
    PP_SERVICE_READY,    /* everything has started */
    PP_SERVICE_STOPPING, /* draining; health checks say "not ready" before the first receiver stops */
};
/* Any thread. */
enum pp_service_state pp_service_state(const struct pp_service *service);
uint64_t pp_service_started_unix_ns(const struct pp_service *service);

const char *pp_component_kind_name(enum pp_component_kind kind);       /* "receiver" */
const char *pp_component_status_name(enum pp_component_status status); /* "StatusRecoverableError", as the Collector prints it */
const char *pp_stability_name(enum pp_stability stability);            /* "alpha" */

/* One running instance, as zpages and health_check show it. Strings live during the call that hands it over. */
struct pp_component_state {
    enum pp_component_kind kind;
    const char *id;
    const char *pipeline; /* processors: the pipeline this instance belongs to; others: NULL */
    const struct pp_factory *factory;
    enum pp_component_status status;
    const char *message; /* "" when there is none */
    uint64_t since_unix_ns;
};

/* Calls `fn` for every instance: extensions, receivers, processors, connectors, exporters. Any thread; `fn` must not call into the service. */
void pp_service_each_component(struct pp_service *service, void (*fn)(void *arg, const struct pp_component_state *state), void *arg);

struct pp_pipeline_state {
    const char *id; /* "profiles/x" */
    enum pp_signal signal;
    const char *const *receivers, *const *processors, *const *exporters; /* ids, NULL-terminated; connectors stand among them */
};

void pp_service_each_pipeline(struct pp_service *service, void (*fn)(void *arg, const struct pp_pipeline_state *state), void *arg);

/* The extension `id` that a row of `self`'s configuration names (PP_ROW_EXTENSION), as the interface for `capability`; the plan has checked that it
 * is configured, runs and offers it. From `create` on, any thread. It starts before `self` and ends after it; a reload that replaces it replaces `self`
 * too. NULL when no row names it. */
void *pp_component_extension(const struct pp_component *self, const char *id, enum pp_capability capability);

/* The pipelines that a connector feeds, for checks in its `start`: the i-th id, NULL past the last. Valid until the next reload. */
const char *pp_component_pipeline(const struct pp_component *self, size_t i);
bool pp_component_feeds(const struct pp_component *self, const char *pipeline_id);

#endif
