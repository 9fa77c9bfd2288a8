/* Joins pipelines: what one exports the others receive, unchanged. */
#include "pipeline/component.h"

const struct pp_factory pp_forward_connector_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_CONNECTOR,
    .type = "forward",
    .stability = PP_BETA,
    .summary = "Hands batches from one pipeline to others, unchanged.",
    .signals = PP_PROFILES,
    .signals_out = PP_PROFILES,
    .instance_size = sizeof(struct pp_component),
    .consume = pp_emit,
    .readme = "connectors/forward",
};
