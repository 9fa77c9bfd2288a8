/* The top level's rows, as decoded before references are looked up. Private to document*.c and the
 * printers. */
#ifndef PP_CONFIG_DOCUMENT_ROWS_H
#define PP_CONFIG_DOCUMENT_ROWS_H

#include "config/document.h"

struct pp_doc_pipeline_rows {
    struct pp_string_list receivers, processors, exporters;
};

struct pp_doc_service_rows {
    struct pp_string_list extensions;
    struct pp_group_map pipelines; /* of struct pp_doc_pipeline_rows */
    struct pp_service_telemetry telemetry;
};

struct pp_doc_rows {
    const struct pp_node *sections[PP_SECTIONS];
    struct pp_doc_service_rows service;
};

extern const struct pp_group pp_doc_rows_group;
extern const struct pp_group pp_doc_service_group;

#endif
