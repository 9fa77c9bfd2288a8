/* Every extension there is, by type. */
#include "pipeline/component.h"

extern const struct pp_factory pp_basicauth_extension_factory;
extern const struct pp_factory pp_bearertokenauth_extension_factory;
extern const struct pp_factory pp_file_storage_extension_factory;
extern const struct pp_factory pp_headers_setter_extension_factory;
extern const struct pp_factory pp_health_check_extension_factory;
extern const struct pp_factory pp_zpages_extension_factory;

const struct pp_factory *const pp_extensions[] = {
    &pp_basicauth_extension_factory,
    &pp_bearertokenauth_extension_factory,
    &pp_file_storage_extension_factory,
    &pp_headers_setter_extension_factory,
    &pp_health_check_extension_factory,
    &pp_zpages_extension_factory,
    NULL,
};
