/* A connector ends some pipelines and begins others; on one side only it would lose data or never see any. */
#include "pipeline/plan_build.h"

static struct pp_connector_use *use_of(const struct pp_plan_build *build, const struct pp_doc_ref *ref)
{
    if (!ref->component || ref->component->section != PP_SECTION_CONNECTORS)
        return NULL;
    return &build->uses[ref->component - build->document->components[PP_SECTION_CONNECTORS].v];
}

static void note(const struct pp_plan_build *build, const struct pp_doc_pipeline *pipeline, bool as_exporter)
{
    const struct pp_doc_refs *refs = as_exporter ? &pipeline->exporters : &pipeline->receivers;

    for (size_t i = 0; i < refs->n; i++) {
        struct pp_connector_use *use = use_of(build, &refs->v[i]);

        if (!use)
            continue;
        if (pipeline->skipped)
            use->skipped_side = true;
        else if (as_exporter && !use->as_exporter)
            use->as_exporter = &refs->v[i];
        else if (!as_exporter && !use->as_receiver)
            use->as_receiver = &refs->v[i];
        if (!pipeline->skipped && !use->pipeline)
            use->pipeline = pipeline->id;
    }
}

static void check_use(const struct pp_plan_build *build, const struct pp_doc_component *connector,
                      const struct pp_connector_use *use)
{
    const struct pp_doc_ref *ref = use->as_exporter ? use->as_exporter : use->as_receiver;

    if (!ref || (use->as_exporter && use->as_receiver))
        return;
    if (use->skipped_side)
        pp_diag_add(build->diags, PP_SEVERITY_WARNING, ref->mark, "service::pipelines",
                    "connector \"%s\" is left out: its other pipelines are skipped by --profiles-only", connector->id);
    else
        pp_diag_add(build->diags, PP_SEVERITY_ERROR, ref->mark, "service::pipelines",
                    "connector \"%s\" used as %s in [%s] pipeline but not used in any supported %s pipeline", connector->id,
                    use->as_exporter ? "exporter" : "receiver", use->pipeline, use->as_exporter ? "receiver" : "exporter");
}

bool pp_plan_check_connectors(struct pp_plan_build *build)
{
    const struct pp_document *document = build->document;

    if (!build->uses)
        return false;
    for (size_t i = 0; i < document->pipelines.n; i++) {
        const struct pp_doc_pipeline *pipeline = &document->pipelines.v[i];

        note(build, pipeline, false);
        note(build, pipeline, true);
    }
    for (size_t i = 0; i < document->components[PP_SECTION_CONNECTORS].n; i++)
        check_use(build, &document->components[PP_SECTION_CONNECTORS].v[i], &build->uses[i]);
    return true;
}

bool pp_plan_keeps(const struct pp_plan_build *build, const struct pp_doc_ref *ref)
{
    const struct pp_connector_use *use = use_of(build, ref);

    return ref->component && ref->component->type.factory && (!use || (use->as_exporter && use->as_receiver));
}
