/* The `print-config` and `schema` commands. */
#ifndef PP_CLI_PRINT_CONFIG_H
#define PP_CLI_PRINT_CONFIG_H

#include "cli/options.h"
#include "pipeline/factories.h"

/* Each returns an exit code. */
int pp_print_config(const struct pp_options *options, const struct pp_factories *factories);
int pp_print_schema(const struct pp_factories *factories);

#endif
