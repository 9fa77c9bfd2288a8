#include "config/decode.h"
#include "config/document_parts.h"

const char *const pp_section_names[] = {"receivers",  "processors", "exporters",
                                        "connectors", "extensions", NULL};
const char *const pp_section_kinds[] = {"receiver",  "processor", "exporter",
                                        "connector", "extension", NULL};
const char *const pp_pipeline_signal_names[] = {"traces", "metrics", "logs", "profiles", NULL};

static void reportv(struct pp_doc_reader *r, enum pp_severity severity, struct pp_mark mark,
                    const struct pp_path *path, const char *fmt, va_list args)
    __attribute__((format(printf, 5, 0)));

static void reportv(struct pp_doc_reader *r, enum pp_severity severity, struct pp_mark mark,
                    const struct pp_path *path, const char *fmt, va_list args)
{
    char text[PP_PATH_BYTES_MAX];

    pp_path_print(path, text);
    pp_diag_addv(r->diags, severity, mark, text, fmt, args);
}

bool pp_doc_fail(struct pp_doc_reader *r, struct pp_mark mark, const struct pp_path *path,
                 const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    reportv(r, PP_SEVERITY_ERROR, mark, path, fmt, args);
    va_end(args);
    return false;
}

void pp_doc_warn(struct pp_doc_reader *r, struct pp_mark mark, const struct pp_path *path,
                 const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    reportv(r, PP_SEVERITY_WARNING, mark, path, fmt, args);
    va_end(args);
}

const struct pp_document *pp_document_read_all(struct pp_arena *arena, const struct pp_node *root,
                                               const struct pp_doc_types *types,
                                               const struct pp_document_options *options,
                                               struct pp_diags *diags)
{
    struct pp_doc_reader r = {.arena = arena, .diags = diags, .types = types, .options = options};
    struct pp_path top = {.name = ""};

    r.rows = pp_decode_partial(arena, &pp_doc_rows_group, root, &top, root->mark, diags);
    r.doc = pp_arena_alloc(arena, sizeof(*r.doc));
    if (!r.rows || !r.doc) {
        pp_diag_nomem(diags);
        return NULL;
    }
    r.doc->root = root;
    r.doc->telemetry = &r.rows->service.telemetry;
    pp_doc_read_components(&r);
    pp_doc_read_pipelines(&r);
    pp_doc_mark_used(&r);
    pp_doc_decode_components(&r);
    return r.doc;
}

const struct pp_document *pp_document_read(struct pp_arena *arena, const struct pp_node *root,
                                           const struct pp_doc_types *types,
                                           const struct pp_document_options *options,
                                           struct pp_diags *diags)
{
    const struct pp_document *doc = pp_document_read_all(arena, root, types, options, diags);

    return pp_diags_failed(diags) ? NULL : doc;
}
