#include "config/print.h"

static void emit_component(struct pp_emitter *e, const struct pp_doc_component *component,
                           bool redact)
{
    pp_emit_key_c(e, component->id);
    if (component->config) {
        pp_emit_struct(e, component->type.config, component->config, redact);
        return;
    }
    pp_emit_begin_map(e);
    pp_emit_end(e);
}

static void emit_section(struct pp_emitter *e, const struct pp_document *doc, int section,
                         bool redact)
{
    if (doc->components[section].n == 0)
        return;
    pp_emit_key_c(e, pp_section_names[section]);
    pp_emit_begin_map(e);
    for (size_t i = 0; i < doc->components[section].n; i++) {
        if (!doc->components[section].v[i].skipped)
            emit_component(e, &doc->components[section].v[i], redact);
    }
    pp_emit_end(e);
}

static void emit_refs(struct pp_emitter *e, const char *key, const struct pp_doc_refs *refs)
{
    if (refs->n == 0)
        return;
    pp_emit_key_c(e, key);
    pp_emit_begin_list(e);
    for (size_t i = 0; i < refs->n; i++)
        pp_emit_string_c(e, refs->v[i].component->id);
    pp_emit_end(e);
}

static void emit_pipelines(struct pp_emitter *e, const struct pp_document *doc)
{
    pp_emit_key_c(e, "pipelines");
    pp_emit_begin_map(e);
    for (size_t i = 0; i < doc->pipelines.n; i++) {
        const struct pp_doc_pipeline *pipeline = &doc->pipelines.v[i];
        if (pipeline->skipped)
            continue;
        pp_emit_key_c(e, pipeline->id);
        pp_emit_begin_map(e);
        emit_refs(e, "receivers", &pipeline->receivers);
        emit_refs(e, "processors", &pipeline->processors);
        emit_refs(e, "exporters", &pipeline->exporters);
        pp_emit_end(e);
    }
    pp_emit_end(e);
}

bool pp_print_document(const struct pp_document *doc, const struct pp_print_options *options,
                       struct pp_buf *out)
{
    struct pp_emitter e = {
        .out = out, .format = options->format, .double_dollars = options->as_source};

    pp_emit_begin_map(&e);
    for (int section = 0; section < PP_SECTIONS; section++)
        emit_section(&e, doc, section, options->redact);
    pp_emit_key_c(&e, "service");
    pp_emit_begin_map(&e);
    emit_refs(&e, "extensions", &doc->extensions);
    emit_pipelines(&e, doc);
    pp_emit_key_c(&e, "telemetry");
    pp_emit_struct(&e, &pp_service_telemetry_group, doc->telemetry, options->redact);
    pp_emit_end(&e);
    pp_emit_end(&e);
    return !out->failed;
}
