/* Runs the pipelines until told to stop. */
#ifndef PP_CLI_DAEMON_H
#define PP_CLI_DAEMON_H

#include "cli/options.h"
#include "pipeline/factories.h"

/* Returns the process's exit code. */
int pp_daemon_run(const struct pp_options *options, const struct pp_factories *factories);

#endif
