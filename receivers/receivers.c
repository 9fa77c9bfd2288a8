/* Every receiver there is, by type. */
#include "pipeline/component.h"

extern const struct pp_factory pp_nop_receiver_factory;
extern const struct pp_factory pp_otlp_receiver_factory;
extern const struct pp_factory pp_otlp_json_file_receiver_factory;
extern const struct pp_factory pp_pprof_receiver_factory;

const struct pp_factory *const pp_receivers[] = {
    &pp_nop_receiver_factory,
    &pp_otlp_receiver_factory,
    &pp_otlp_json_file_receiver_factory,
    &pp_pprof_receiver_factory,
    NULL,
};
