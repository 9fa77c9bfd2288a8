/* Every exporter there is, by type. */
#include "pipeline/component.h"

extern const struct pp_factory pp_debug_exporter_factory;
extern const struct pp_factory pp_file_exporter_factory;
extern const struct pp_factory pp_nop_exporter_factory;
extern const struct pp_factory pp_otlp_grpc_exporter_factory;
extern const struct pp_factory pp_otlp_http_exporter_factory;

const struct pp_factory *const pp_exporters[] = {
    &pp_debug_exporter_factory,
    &pp_file_exporter_factory,
    &pp_nop_exporter_factory,
    &pp_otlp_grpc_exporter_factory,
    &pp_otlp_http_exporter_factory,
    NULL,
};
