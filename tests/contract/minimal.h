/* The least configuration with which a component starts on its own, on loopback with ports chosen by the system, in the current folder. */
#ifndef PP_TESTS_CONTRACT_MINIMAL_H
#define PP_TESTS_CONTRACT_MINIMAL_H

#include "pipeline/component.h"

/* YAML; "{}" for a component that is not listed. */
const char *pp_minimal_config(const struct pp_factory *factory);

#endif
