/* The graph as the configuration describes it: checked, decoded and in order, but with nothing made yet. `validate` ends here; starting and reloading
 * compare plans with what runs. */
#ifndef PP_PIPELINE_PLAN_H
#define PP_PIPELINE_PLAN_H

#include "base/vec.h"
#include "config/document.h"
#include "pipeline/factories.h"
#include "pipeline/instance.h"

struct pp_plan_edge {
    size_t to;            /* node */
    const char *pipeline; /* by which it is reached */
};

/* An extension that a node's configuration names. */
struct pp_plan_use {
    size_t node;
    const char *id; /* as the configuration has it */
};

/* One instance to be. */
struct pp_plan_node {
    struct pp_instance_spec spec;
    const struct pp_doc_component *component;
    PP_VEC(struct pp_plan_edge) edges;
    PP_VEC(struct pp_plan_use) uses;
};

struct pp_plan_pipeline {
    const char *id;
    enum pp_signal signal;
    const char *const *receivers, *const *processors, *const *exporters; /* NULL-terminated */
};

struct pp_plan {
    struct pp_config_owner owner; /* first; instances hold references */
    struct pp_arena arena;        /* the tree, the decoded structs, names */
    const struct pp_document *document;
    PP_VEC(struct pp_plan_node) nodes; /* in start order: extensions (those that others use first), then every target before what feeds it, receivers last */
    PP_VEC(struct pp_plan_pipeline) pipelines;
};

struct pp_plan_options {
    const struct pp_factories *factories;
    struct pp_document_options document;
};

/* Checks the whole configuration, with all problems in `diags`; NULL when there was an error among them. Takes over the arena that holds `root`
 * (emptied); on failure it stays the caller's, because the places in `diags` point into it. One reference. */
struct pp_plan *pp_plan_new(struct pp_arena *arena, const struct pp_node *root, const struct pp_plan_options *options,
                            struct pp_diags *diags);
struct pp_plan *pp_plan_ref(struct pp_plan *plan);
void pp_plan_unref(struct pp_plan *plan);

/* Whether two nodes have the same kind, id and pipeline: one is the other's successor. */
bool pp_plan_node_is(const struct pp_plan_node *a, const struct pp_plan_node *b);
/* Whether they would even give the same instance, but for the extensions that they use. */
bool pp_plan_node_same(const struct pp_plan_node *a, const struct pp_plan_node *b);

#endif
