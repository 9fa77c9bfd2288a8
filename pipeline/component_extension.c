#include <string.h>

#include "pipeline/instance.h"

void *pp_component_extension(const struct pp_component *self, const char *id, enum pp_capability capability)
{
    const struct pp_instance *instance = self->instance;

    for (size_t i = 0; instance && i < instance->uses_n; i++) {
        struct pp_component *extension = instance->uses[i].extension;

        if (strcmp(instance->uses[i].id, id) == 0 && extension->factory->interface)
            return extension->factory->interface(extension, capability);
    }
    return NULL;
}
