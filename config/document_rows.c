#include "config/document_rows.h"

#define SECTION(number, name_, doc_)                                                               \
    {                                                                                              \
        .name = (name_), .type = PP_FIELD_NODE,                                                    \
        .offset = offsetof(struct pp_doc_rows, sections) + (number) * sizeof(struct pp_node *),    \
        .doc = (doc_)                                                                              \
    }

static const struct pp_field pipeline_fields[] = {
    PP_ROW_STRINGS(struct pp_doc_pipeline_rows, receivers, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                   "Ids of the receivers and connectors that feed it."),
    PP_ROW_STRINGS(struct pp_doc_pipeline_rows, processors, 0,
                   "Ids of the processors, in the order data passes them."),
    PP_ROW_STRINGS(struct pp_doc_pipeline_rows, exporters, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                   "Ids of the exporters and connectors it feeds."),
    PP_ROW_END,
};

static const struct pp_group pipeline_group = {
    .name = "pipeline",
    .size = sizeof(struct pp_doc_pipeline_rows),
    .fields = pipeline_fields,
};

static const struct pp_field service_fields[] = {
    PP_ROW_STRINGS(struct pp_doc_service_rows, extensions, 0,
                   "Ids of the extensions to start, in this order."),
    PP_ROW_MAP(struct pp_doc_service_rows, pipelines, 0, &pipeline_group,
               "Pipelines by id: profiles, or profiles/name."),
    PP_ROW_GROUP(struct pp_doc_service_rows, telemetry, &pp_service_telemetry_group,
                 "The daemon's own logs and metrics."),
    PP_ROW_IGNORED("profilesSupport", "a feature gate of the Collector; profiles need no gate here."),
    PP_ROW_END,
};

const struct pp_group pp_doc_service_group = {
    .name = "service",
    .size = sizeof(struct pp_doc_service_rows),
    .fields = service_fields,
};

static const struct pp_field top_fields[] = {
    SECTION(PP_SECTION_RECEIVERS, "receivers", "Where data comes from, by id."),
    SECTION(PP_SECTION_PROCESSORS, "processors", "What happens to it on the way, by id."),
    SECTION(PP_SECTION_EXPORTERS, "exporters", "Where it goes, by id."),
    SECTION(PP_SECTION_CONNECTORS, "connectors", "What joins pipelines, by id."),
    SECTION(PP_SECTION_EXTENSIONS, "extensions", "What else the daemon does, by id."),
    PP_ROW_GROUP(struct pp_doc_rows, service, &pp_doc_service_group, "What of all this runs."),
    PP_ROW_END,
};

const struct pp_group pp_doc_rows_group = {
    .name = "configuration",
    .size = sizeof(struct pp_doc_rows),
    .defaults = &(const struct pp_doc_rows){.service.telemetry = PP_SERVICE_TELEMETRY_DEFAULTS},
    .fields = top_fields,
};
