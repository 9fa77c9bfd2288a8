/* The configuration's top level: components by section and id, service.pipelines,
 * service.extensions, service.telemetry, each with its position, bodies decoded by the rows of the
 * components' factories.
 *
 * Checked here: the shape of everything, ids, types that do not exist, references to components
 * that are not configured, pipelines without receivers or exporters, repeated references, ids that
 * a connector shares with a receiver or exporter, components that do not take (or make) a
 * pipeline's signal, unused components (warning). Left to the graph: cycles, and connectors used on
 * one side only. */
#ifndef PP_CONFIG_DOCUMENT_H
#define PP_CONFIG_DOCUMENT_H

#include "config/check.h"
#include "config/component_id.h"
#include "config/service_telemetry.h"

/* In the order of the engine's enum pp_component_kind. */
enum pp_section {
    PP_SECTION_RECEIVERS,
    PP_SECTION_PROCESSORS,
    PP_SECTION_EXPORTERS,
    PP_SECTION_CONNECTORS,
    PP_SECTION_EXTENSIONS,
    PP_SECTIONS,
};

/* Of a pipeline; 1u << signal is the engine's enum pp_signal. */
enum pp_pipeline_signal {
    PP_PIPELINE_TRACES,
    PP_PIPELINE_METRICS,
    PP_PIPELINE_LOGS,
    PP_PIPELINE_PROFILES,
    PP_PIPELINE_SIGNALS,
};

/* What the layer above knows about a component's type. */
struct pp_doc_type {
    const void *factory;           /* opaque; comes back in pp_doc_component */
    const struct pp_group *config; /* NULL: takes no keys */
    unsigned signals,
        signals_out; /* bits of 1u << enum pp_pipeline_signal; connectors have both, receivers what
                        they make and the others what they take in `signals` */
    void (*validate)(const void *config, struct pp_check *check); /* may be NULL */
};

struct pp_doc_types {
    void *ctx;
    /* By name or alias; false: no such type. */
    bool (*find)(void *ctx, enum pp_section section, struct pp_str type, struct pp_doc_type *ret);
    /* All names of a section, NULL-terminated, for "did you mean". */
    const char *const *(*names)(void *ctx, enum pp_section section);
};

struct pp_doc_component {
    enum pp_section section;
    const char *id; /* as written: "otlp/central" */
    struct pp_component_id parts;
    struct pp_mark mark;        /* of the id in its section */
    const struct pp_node *node; /* the body; a null node when there is none */
    struct pp_doc_type type;
    const void *config; /* the group's struct; NULL when `skipped`, without keys, or when there was
                           an error */
    bool used;          /* by a pipeline that is not skipped, or by service.extensions */
    bool skipped;       /* only skipped pipelines use it, or nothing with --profiles-only: not to be
                           created */
};

struct pp_doc_ref {
    const char *id;
    struct pp_mark mark;                /* in the list */
    struct pp_doc_component *component; /* never NULL in a document without errors */
};

struct pp_doc_refs {
    struct pp_doc_ref *v;
    size_t n;
};

struct pp_doc_pipeline {
    const char *id; /* "profiles/x" */
    struct pp_component_id parts;
    enum pp_pipeline_signal signal;
    struct pp_mark mark;           /* of the id */
    struct pp_doc_refs receivers;  /* receivers and connectors */
    struct pp_doc_refs processors; /* in the order of the flow */
    struct pp_doc_refs exporters;  /* exporters and connectors */
    bool skipped;                  /* --profiles-only: has components that lack its signal */
};

struct pp_document {
    struct {
        struct pp_doc_component *v; /* in the order written */
        size_t n;
    } components[PP_SECTIONS];
    struct {
        struct pp_doc_pipeline *v;
        size_t n;
    } pipelines;
    struct pp_doc_refs extensions;                /* service.extensions, in order */
    const struct pp_service_telemetry *telemetry; /* never NULL */
    const struct pp_node *root;
};

struct pp_document_options {
    bool profiles_only; /* skip, with a warning, pipelines whose components lack their signal */
    bool allow_no_pipelines; /* the gate service.AllowNoPipelines */
};

extern const char *const pp_section_names[];         /* "receivers", ...; NULL-terminated */
extern const char *const pp_section_kinds[];         /* "receiver", ... */
extern const char *const pp_pipeline_signal_names[]; /* "traces", ...; NULL-terminated */

/* Everything points into `arena`, where `root` lives too. All problems go to `diags`; NULL when it holds
 * an error, also one from before (from loading). */
const struct pp_document *pp_document_read(struct pp_arena *arena, const struct pp_node *root,
                                           const struct pp_doc_types *types,
                                           const struct pp_document_options *options,
                                           struct pp_diags *diags);
/* The same with what could be read in spite of errors, for checks that go on and report more of them in the same run; NULL when memory is out. References
 * that lead nowhere are left out; components of unknown types have no factory. */
const struct pp_document *pp_document_read_all(struct pp_arena *arena, const struct pp_node *root,
                                               const struct pp_doc_types *types,
                                               const struct pp_document_options *options,
                                               struct pp_diags *diags);

#endif
