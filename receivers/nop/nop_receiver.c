/* Receives nothing: for pipelines that need a receiver in name only. */
#include "pipeline/component.h"

const struct pp_factory pp_nop_receiver_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_RECEIVER,
    .type = "nop",
    .stability = PP_BETA,
    .summary = "Receives nothing.",
    .signals = PP_TRACES | PP_METRICS | PP_LOGS | PP_PROFILES,
    .instance_size = sizeof(struct pp_component),
    .readme = "receivers/nop",
    .starts_beside_old = true,
};
