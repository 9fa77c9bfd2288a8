/* service.telemetry.logs, applied. */
#ifndef PP_CLI_LOGGING_H
#define PP_CLI_LOGGING_H

#include <stdio.h>

#include "base/error.h"
#include "config/service_telemetry.h"

struct pp_logging {
    FILE *file; /* NULL: standard error or standard output */
};

/* Opens the log (a file anew, so that SIGHUP serves rotation too) and closes the one before. On failure nothing changes. */
bool pp_logging_configure(struct pp_logging *logging, const struct pp_service_telemetry *telemetry, struct pp_error *err);

#endif
