/* What a reload has replaced drains on a thread of its own, so that the main thread goes on to take signals: a backend that does not answer may keep it
 * for as long as a shutdown may take. One graph at a time; a further reload waits for it. Main thread, private to the engine. */
#ifndef PP_PIPELINE_SERVICE_RETIRE_H
#define PP_PIPELINE_SERVICE_RETIRE_H

#include "pipeline/service_state.h"

/* Takes over the graph with its reference to the plan, and `ends` (pp_free), which says what of it ends. Settled before. */
void pp_service_retire(struct pp_service *service, struct pp_graph *graph, bool *ends);
/* Whether there is something for pp_service_settle that it need not wait for. With the lock held. */
bool pp_service_has_drained(const struct pp_service *service);
/* Waits for what drains and frees it; does nothing when there is nothing. */
void pp_service_settle(struct pp_service *service);

#endif
