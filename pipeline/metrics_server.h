/* Serves the telemetry for Prometheus at the readers' addresses: /metrics. */
#ifndef PP_PIPELINE_METRICS_SERVER_H
#define PP_PIPELINE_METRICS_SERVER_H

#include "config/service_telemetry.h"
#include "pipeline/service.h"

#define PP_METRICS_ENDPOINTS_MAX 8u

struct pp_metrics_server;

/* Opens what `telemetry` asks for in place of what is open; endpoints that stay keep their sockets. On failure what was open stays so. */
bool pp_metrics_server_configure(struct pp_service *service, const struct pp_service_telemetry *telemetry, struct pp_error *err);
void pp_metrics_server_stop(struct pp_metrics_server *server);
/* Where the i-th endpoint really listens; NULL past the last. */
const char *pp_metrics_server_address(const struct pp_metrics_server *server, size_t i);

#endif
