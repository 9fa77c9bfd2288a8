#include <stdio.h>

#include "config/document_parts.h"

/* Whether a component, in this place of a pipeline, can carry the signal. An unknown type counts as
 * yes: it is reported as what it is. */
static bool carries(const struct pp_doc_component *component, bool as_source,
                    enum pp_pipeline_signal signal)
{
    bool out = as_source && component->section == PP_SECTION_CONNECTORS;
    unsigned signals = out ? component->type.signals_out : component->type.signals;

    return signals & (1u << signal);
}

/* The first reference whose component cannot; NULL when all can. */
static const struct pp_doc_ref *first_unfit(const struct pp_doc_refs *refs, bool as_source,
                                            enum pp_pipeline_signal signal, bool unknown_is_fit)
{
    for (size_t i = 0; i < refs->n; i++) {
        const struct pp_doc_component *component = refs->v[i].component;
        if (component->type.factory ? !carries(component, as_source, signal) : !unknown_is_fit)
            return &refs->v[i];
    }
    return NULL;
}

static const struct pp_doc_ref *pipeline_unfit(const struct pp_doc_pipeline *pipeline,
                                               bool unknown_is_fit)
{
    const struct pp_doc_ref *unfit =
        first_unfit(&pipeline->receivers, true, pipeline->signal, unknown_is_fit);

    if (!unfit)
        unfit = first_unfit(&pipeline->processors, false, pipeline->signal, unknown_is_fit);
    if (!unfit)
        unfit = first_unfit(&pipeline->exporters, false, pipeline->signal, unknown_is_fit);
    return unfit;
}

/* "traces and profiles" */
static void list_signals(unsigned signals, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (int i = 0; i < PP_PIPELINE_SIGNALS; i++) {
        int added;
        if (!(signals & (1u << i)) || n >= size)
            continue;
        added = snprintf(out + n, size - n, "%s%s", n ? " and " : "", pp_pipeline_signal_names[i]);
        n += added > 0 ? (size_t)added : 0;
    }
}

static void check_pipeline(struct pp_doc_reader *r, struct pp_doc_pipeline *pipeline)
{
    struct pp_path top = {.name = "service"}, list = {.up = &top, .name = "pipelines"};
    struct pp_path path = {.up = &list, .name = pipeline->id};
    bool may_skip = r->options->profiles_only && pipeline->signal != PP_PIPELINE_PROFILES;
    const struct pp_doc_ref *unfit = pipeline_unfit(pipeline, !may_skip);
    const char *signal = pp_pipeline_signal_names[pipeline->signal];
    char signals[64];

    if (!unfit)
        return;
    if (may_skip) {
        pipeline->skipped = true;
        pp_doc_warn(r, pipeline->mark, &path, "skipped: the %s \"%s\" does not carry %s here",
                    pp_section_kinds[unfit->component->section], unfit->id, signal);
        return;
    }
    list_signals(unfit->component->type.signals, signals, sizeof(signals));
    pp_doc_fail(r, unfit->mark, &path, "the %s \"%s\" carries %s, not %s%s",
                pp_section_kinds[unfit->component->section], unfit->id,
                *signals ? signals : "no data", signal,
                pipeline->signal == PP_PIPELINE_PROFILES
                    ? ""
                    : "; with --profiles-only this pipeline is skipped");
}

static void use(struct pp_doc_refs *refs)
{
    for (size_t i = 0; i < refs->n; i++)
        refs->v[i].component->used = true;
}

void pp_doc_mark_used(struct pp_doc_reader *r)
{
    for (size_t i = 0; i < r->doc->pipelines.n; i++) {
        struct pp_doc_pipeline *pipeline = &r->doc->pipelines.v[i];
        check_pipeline(r, pipeline);
        if (pipeline->skipped)
            continue;
        use(&pipeline->receivers);
        use(&pipeline->processors);
        use(&pipeline->exporters);
    }
    use(&r->doc->extensions);
}
