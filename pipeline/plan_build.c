/* Instances and their connections out of the document's pipelines. */
#include "base/mem.h"
#include "pipeline/plan_build.h"

static size_t place(const struct pp_plan_build *build, const struct pp_doc_component *component)
{
    return (size_t)(component - build->document->components[component->section].v);
}

static size_t *node_slot(const struct pp_plan_build *build, const struct pp_doc_component *component)
{
    return &build->node_of[component->section][place(build, component)];
}

static bool add_node(struct pp_plan_build *build, const struct pp_doc_component *component, const char *pipeline, size_t *ret)
{
    struct pp_plan *plan = build->plan;
    struct pp_plan_node node = {
        .spec = {.factory = component->type.factory,
                 .id = component->id,
                 .pipeline = pipeline,
                 .config = component->config,
                 .owner = &plan->owner},
        .component = component,
    };

    if (plan->nodes.n >= PP_PLAN_NODES_MAX) {
        pp_diag_add(build->diags, PP_SEVERITY_ERROR, component->mark, "service::pipelines",
                    "more than %u component instances", PP_PLAN_NODES_MAX);
        return false;
    }
    if (!pp_vec_push(&plan->nodes, node)) {
        pp_diag_nomem(build->diags);
        return false;
    }
    *ret = plan->nodes.n - 1;
    return true;
}

/* The node of a component that all its pipelines share. */
static bool shared_node(struct pp_plan_build *build, const struct pp_doc_component *component, size_t *ret)
{
    size_t *slot = node_slot(build, component);

    if (*slot == PP_PLAN_NO_NODE && !add_node(build, component, NULL, slot))
        return false;
    *ret = *slot;
    return true;
}

static bool add_edge(struct pp_plan_build *build, size_t from, size_t to, const char *pipeline)
{
    struct pp_plan_node *node = &build->plan->nodes.v[from];

    if (build->edges_n >= PP_PLAN_EDGES_MAX) {
        pp_diag_add(build->diags, PP_SEVERITY_ERROR, node->component->mark, "service::pipelines",
                    "more than %u connections between components", PP_PLAN_EDGES_MAX);
        return false;
    }
    build->edges_n++;
    if (pp_vec_push(&node->edges, (struct pp_plan_edge){to, pipeline}))
        return true;
    pp_diag_nomem(build->diags);
    return false;
}

/* From each of `from` to each kept one of `refs`. */
static bool add_edges(struct pp_plan_build *build, size_t from, const struct pp_doc_refs *refs, const char *pipeline)
{
    for (size_t i = 0; i < refs->n; i++) {
        size_t to;

        if (!pp_plan_keeps(build, &refs->v[i]))
            continue;
        if (!shared_node(build, refs->v[i].component, &to) || !add_edge(build, from, to, pipeline))
            return false;
    }
    return true;
}

/* A NULL-terminated list of ids in the plan's arena. */
static const char *const *ids_of(struct pp_plan_build *build, const struct pp_doc_refs *refs)
{
    const char **ids = pp_arena_array(&build->plan->arena, refs->n + 1, sizeof(*ids));
    size_t n = 0;

    for (size_t i = 0; ids && i < refs->n; i++)
        if (pp_plan_keeps(build, &refs->v[i]))
            ids[n++] = refs->v[i].id;
    return ids;
}

static bool has_kept(const struct pp_plan_build *build, const struct pp_doc_refs *refs)
{
    for (size_t i = 0; i < refs->n; i++)
        if (pp_plan_keeps(build, &refs->v[i]))
            return true;
    return false;
}

/* Only leaving out connectors to skipped pipelines can bring this about by itself: the document has checked the rest. */
static bool check_ends(struct pp_plan_build *build, const struct pp_doc_pipeline *pipeline)
{
    const char *missing = !has_kept(build, &pipeline->receivers)   ? "receivers"
                          : !has_kept(build, &pipeline->exporters) ? "exporters"
                                                                   : NULL;

    if (!missing || pp_diags_failed(build->diags))
        return !missing;
    pp_diag_add(build->diags, PP_SEVERITY_ERROR, pipeline->mark, "service::pipelines",
                "pipeline \"%s\" has no %s left without the pipelines that --profiles-only leaves out", pipeline->id, missing);
    return false;
}

static bool connect_pipeline(struct pp_plan_build *build, const struct pp_doc_pipeline *pipeline)
{
    size_t first = PP_PLAN_NO_NODE, last = PP_PLAN_NO_NODE, node;

    for (size_t i = 0; i < pipeline->processors.n; i++) {
        if (!pp_plan_keeps(build, &pipeline->processors.v[i]))
            continue;
        if (!add_node(build, pipeline->processors.v[i].component, pipeline->id, &node))
            return false;
        if (last == PP_PLAN_NO_NODE)
            first = node;
        else if (!add_edge(build, last, node, pipeline->id))
            return false;
        last = node;
    }
    if (last != PP_PLAN_NO_NODE && !add_edges(build, last, &pipeline->exporters, pipeline->id))
        return false;
    for (size_t i = 0; i < pipeline->receivers.n; i++) {
        if (!pp_plan_keeps(build, &pipeline->receivers.v[i]))
            continue;
        if (!shared_node(build, pipeline->receivers.v[i].component, &node))
            return false;
        if (first != PP_PLAN_NO_NODE ? !add_edge(build, node, first, pipeline->id)
                                     : !add_edges(build, node, &pipeline->exporters, pipeline->id))
            return false;
    }
    return true;
}

static bool add_pipeline(struct pp_plan_build *build, const struct pp_doc_pipeline *pipeline)
{
    struct pp_plan_pipeline entry = {
        .id = pipeline->id,
        .signal = (enum pp_signal)(1 << pipeline->signal),
        .receivers = ids_of(build, &pipeline->receivers),
        .processors = ids_of(build, &pipeline->processors),
        .exporters = ids_of(build, &pipeline->exporters),
    };

    if (!entry.receivers || !entry.processors || !entry.exporters || !pp_vec_push(&build->plan->pipelines, entry)) {
        pp_diag_nomem(build->diags);
        return false;
    }
    return connect_pipeline(build, pipeline);
}

struct named {
    struct pp_check *check;
    const struct pp_plan_node *node;
};

static void check_named(void *arg, const char *path, const char *pipeline_id)
{
    const struct named *named = arg;

    for (size_t i = 0; i < named->node->edges.n; i++)
        if (strcmp(named->node->edges.v[i].pipeline, pipeline_id) == 0)
            return;
    pp_check_error(named->check, path, "pipeline \"%s\" does not have this connector among its receivers", pipeline_id);
}

/* Pipelines that a connector's own keys name must be fed by it. */
static void check_named_pipelines(struct pp_plan_build *build)
{
    const struct pp_path section = {.name = "connectors"};

    for (size_t i = 0; i < build->plan->nodes.n; i++) {
        const struct pp_plan_node *node = &build->plan->nodes.v[i];
        const struct pp_path path = {.up = &section, .name = node->spec.id};
        struct pp_check check = {build->diags, node->component->node, node->component->mark, &path};
        struct named named = {&check, node};

        if (node->spec.factory->pipelines_named && node->spec.config)
            node->spec.factory->pipelines_named(node->spec.config, check_named, &named);
    }
}

static bool prepare(struct pp_plan_build *build)
{
    for (size_t section = 0; section < PP_SECTIONS; section++) {
        size_t n = build->document->components[section].n;

        build->node_of[section] = pp_reallocarray(NULL, n + 1, sizeof(size_t));
        if (!build->node_of[section])
            return false;
        for (size_t i = 0; i < n; i++)
            build->node_of[section][i] = PP_PLAN_NO_NODE;
    }
    build->uses = pp_calloc(build->document->components[PP_SECTION_CONNECTORS].n + 1, sizeof(*build->uses));
    return build->uses != NULL;
}

static bool add_all(struct pp_plan_build *build)
{
    const struct pp_document *document = build->document;
    size_t node;

    for (size_t i = 0; i < document->extensions.n; i++)
        if (pp_plan_keeps(build, &document->extensions.v[i]) && !shared_node(build, document->extensions.v[i].component, &node))
            return false;
    for (size_t i = 0; i < document->pipelines.n; i++) {
        const struct pp_doc_pipeline *pipeline = &document->pipelines.v[i];

        if (!pipeline->skipped && check_ends(build, pipeline) && !add_pipeline(build, pipeline))
            return false;
    }
    return true;
}

bool pp_plan_build(struct pp_plan_build *build)
{
    bool ok = prepare(build);

    if (!ok)
        pp_diag_nomem(build->diags);
    pp_plan_check_connectors(build);
    ok = ok && add_all(build);
    if (ok)
        check_named_pipelines(build);
    ok = ok && pp_plan_use_extensions(build) && pp_plan_sort(build);
    for (size_t section = 0; section < PP_SECTIONS; section++)
        pp_free(build->node_of[section]);
    pp_free(build->uses);
    return ok;
}
