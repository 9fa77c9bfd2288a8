/* Partial success: the server took the request and says that it dropped some of it, or that
 * something is odd. */
#ifndef PP_EXPORTERS_OTLP_PARTIAL_H
#define PP_EXPORTERS_OTLP_PARTIAL_H

#include "otlp_client/otlp_answer.h"
#include "pipeline/telemetry.h"

/* profpipe_exporter_rejected_profiles{exporter}: the Collector has no metric for this. */
struct pp_counter *pp_otlp_partial_counter(const struct pp_component *self);

/* Logs a warning and counts, if the answer is partial. Such a request is never sent again. */
void pp_otlp_partial_report(const struct pp_component *self, struct pp_counter *rejected,
                            const char *endpoint, const struct pp_otlp_answer *answer);

#endif
