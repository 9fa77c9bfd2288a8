/* service.telemetry.logs, applied. */
#ifndef PP_CLI_LOGGING_H
#define PP_CLI_LOGGING_H

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "config/service_telemetry.h"

struct pp_logging {
    FILE *files[PP_LOG_OUTPUTS_MAX]; /* those opened here */
    size_t files_n;
    char *fields;
};

/* Opens the outputs (files anew, so that SIGHUP serves rotation too) and closes those before. On failure nothing changes. */
bool pp_logging_configure(struct pp_logging *logging, const struct pp_service_telemetry *telemetry, struct pp_error *err);

#endif
