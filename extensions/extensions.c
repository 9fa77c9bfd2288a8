/* Every extension there is, by type. */
#include "pipeline/component.h"

const struct pp_factory *const pp_extensions[] = {
    NULL,
};
