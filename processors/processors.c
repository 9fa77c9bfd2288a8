/* Every processor there is, by type. */
#include "pipeline/component.h"

extern const struct pp_factory pp_memory_limiter_processor_factory;
extern const struct pp_factory pp_resource_processor_factory;
extern const struct pp_factory pp_resource_detection_processor_factory;

const struct pp_factory *const pp_processors[] = {
    &pp_memory_limiter_processor_factory,
    &pp_resource_processor_factory,
    &pp_resource_detection_processor_factory,
    NULL,
};
