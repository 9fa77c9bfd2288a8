/* Making, running, reloading and ending a service. For main.c and tests; components see pipeline/service.h. All of it on one thread, the main one,
 * unless said otherwise. */
#ifndef PP_PIPELINE_RUN_H
#define PP_PIPELINE_RUN_H

#include "pipeline/plan.h"
#include "pipeline/service.h"

/* Time for draining at SIGTERM, and for what a reload replaces: a little less than what Kubernetes grants by default (30 s). */
#define PP_SHUTDOWN_TIMEOUT_MS_DEFAULT 25000u
#define PP_LOOPS_DEFAULT_MAX 4u

struct pp_service_options {
    size_t loops_n;               /* 0: one for each processor it may use, at most PP_LOOPS_DEFAULT_MAX */
    uint64_t shutdown_timeout_ms; /* 0: the default */
};

/* Starts the loops; no graph yet. */
bool pp_service_new(const struct pp_service_options *options, struct pp_service **ret, struct pp_error *err);
/* Shut down before. Accepts NULL. */
void pp_service_free(struct pp_service *service);

/* Starts the plan's graph; takes a reference to the plan. On failure everything that had started is shut down again. */
bool pp_service_start(struct pp_service *service, struct pp_plan *plan, struct pp_error *err);
/* Replaces the running graph by the plan's. Instances whose configuration is the same keep running. On failure the old graph goes on, and the
 * error says what did not start; if an old component could not be put back, that has been reported as its status. */
bool pp_service_reload(struct pp_service *service, struct pp_plan *plan, struct pp_error *err);
/* Receivers stop first, each stage drains into the next. A second call does nothing. */
void pp_service_shutdown(struct pp_service *service);

/* Any thread: makes pp_service_wait return. */
enum pp_service_request { PP_REQUEST_NONE, PP_REQUEST_RELOAD, PP_REQUEST_STOP, PP_REQUEST_FATAL };
void pp_service_request(struct pp_service *service, enum pp_service_request request);
/* Waits for a request; the strongest one that has come since the last call. After a fatal one *ret_reason (may be NULL) says which component and why, valid
 * as long as the service. `timeout_ms` UINT64_MAX: for ever; PP_REQUEST_NONE when it has passed. */
enum pp_service_request pp_service_wait(struct pp_service *service, uint64_t timeout_ms, const char **ret_reason);

#endif
