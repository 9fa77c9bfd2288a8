/* The `components` command. */
#ifndef PP_CLI_COMPONENTS_H
#define PP_CLI_COMPONENTS_H

#include "pipeline/factories.h"

int pp_components_print(const struct pp_factories *factories);

#endif
