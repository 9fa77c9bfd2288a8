/* Private to plan*.c: a plan in the making. */
#ifndef PP_PIPELINE_PLAN_BUILD_H
#define PP_PIPELINE_PLAN_BUILD_H

#include "pipeline/plan.h"

/* What one process can sensibly run; keeps a hostile configuration from building a graph of a million edges. */
#define PP_PLAN_NODES_MAX 10000u
#define PP_PLAN_EDGES_MAX 1000000u

#define PP_PLAN_NO_NODE SIZE_MAX

/* What a connector is used for, by pipelines that are kept. */
struct pp_connector_use {
    const struct pp_doc_ref *as_exporter, *as_receiver; /* the first of each; NULL: none */
    const char *pipeline; /* the first that uses it */
    bool skipped_side;    /* it is also used by pipelines that are left out */
};

struct pp_plan_build {
    struct pp_plan *plan;
    const struct pp_document *document;
    const struct pp_plan_options *options;
    struct pp_diags *diags;
    size_t *node_of[PP_SECTIONS]; /* by the component's place in the document; PP_PLAN_NO_NODE: none */
    struct pp_connector_use *uses; /* by the connector's place */
    size_t edges_n;
};

bool pp_plan_build(struct pp_plan_build *build);

/* Finds connectors that are used on one side only; false when memory is out. */
bool pp_plan_check_connectors(struct pp_plan_build *build);
/* Whether a reference of a kept pipeline, or of service.extensions, leads to a component that will be there. */
bool pp_plan_keeps(const struct pp_plan_build *build, const struct pp_doc_ref *ref);
/* Looks up the extensions that the nodes' configurations name; false when memory is out. */
bool pp_plan_use_extensions(struct pp_plan_build *build);
/* Brings the nodes into start order; reports cycles. */
bool pp_plan_sort(struct pp_plan_build *build);

#endif
