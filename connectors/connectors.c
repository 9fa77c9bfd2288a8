/* Every connector there is, by type. */
#include "pipeline/component.h"

extern const struct pp_factory pp_forward_connector_factory;
extern const struct pp_factory pp_routing_connector_factory;

const struct pp_factory *const pp_connectors[] = {
    &pp_forward_connector_factory,
    &pp_routing_connector_factory,
    NULL,
};
