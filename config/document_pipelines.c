#include "config/document_parts.h"

/* Where entries of a list stand; one string for the whole list (a, b) has one position. */
static struct pp_mark item_mark(const struct pp_node *list, size_t i)
{
    return list->kind == PP_NODE_LIST && i < list->n ? list->items[i]->mark : list->mark;
}

static struct pp_doc_component *find_component(struct pp_doc_reader *r, enum pp_section section,
                                               struct pp_str id)
{
    struct pp_document *doc = r->doc;

    for (size_t i = 0; i < doc->components[section].n; i++) {
        if (pp_str_eq_c(id, doc->components[section].v[i].id))
            return &doc->components[section].v[i];
    }
    return NULL;
}

/* The configured id nearest to one that is not there, or NULL. */
static const char *nearest_id(struct pp_doc_reader *r, enum pp_section section, const char *id)
{
    size_t n = r->doc->components[section].n;
    PP_AUTOFREE const char **ids = pp_reallocarray(NULL, n + 1, sizeof(*ids));

    if (!ids)
        return NULL;
    for (size_t i = 0; i < n; i++)
        ids[i] = r->doc->components[section].v[i].id;
    ids[n] = NULL;
    return pp_str_nearest(pp_str_c(id), ids);
}

static void report_not_configured(struct pp_doc_reader *r, enum pp_section section,
                                  const struct pp_doc_ref *ref, const struct pp_path *path)
{
    const char *nearest = pp_diags_full(r->diags) ? NULL : nearest_id(r, section, ref->id);
    const char *kind = pp_section_kinds[section];

    if (nearest)
        pp_doc_fail(r, ref->mark, path, "the %s \"%s\" is not configured; did you mean \"%s\"?",
                    kind, ref->id, nearest);
    else
        pp_doc_fail(r, ref->mark, path, "the %s \"%s\" is not configured", kind, ref->id);
}

static bool contains(const struct pp_doc_refs *refs, const struct pp_doc_component *component)
{
    for (size_t i = 0; i < refs->n; i++) {
        if (refs->v[i].component == component)
            return true;
    }
    return false;
}

/* One list of ids. A processor that comes twice is an error (data would pass it twice), another
 * component a slip. */
static void read_refs(struct pp_doc_reader *r, enum pp_section section, const struct pp_node *list,
                      const struct pp_string_list *ids, const struct pp_path *path,
                      struct pp_doc_refs *ret)
{
    r->refs += ids->n;
    if (r->refs > PP_DOC_REFS_MAX) {
        pp_doc_fail(r, list->mark, path, "more than %u references in all pipelines",
                    PP_DOC_REFS_MAX);
        return;
    }
    ret->v = pp_arena_array(r->arena, ids->n, sizeof(*ret->v));
    if (!ret->v) {
        pp_diag_nomem(r->diags);
        return;
    }
    for (size_t i = 0; i < ids->n; i++) {
        struct pp_path inner = {.up = path, .index = i};
        struct pp_doc_ref ref = {.id = ids->v[i], .mark = item_mark(list, i)};
        struct pp_str id;

        if (!ref.id)
            continue; /* not a string: reported by the decoder */
        id = pp_str_trim(pp_str_c(ref.id));
        ref.component = find_component(r, section, id);
        if (!ref.component && (section == PP_SECTION_RECEIVERS || section == PP_SECTION_EXPORTERS))
            ref.component = find_component(r, PP_SECTION_CONNECTORS, id);
        if (!ref.component)
            report_not_configured(r, section, &ref, &inner);
        else if (!contains(ret, ref.component))
            ret->v[ret->n++] = ref;
        else if (section == PP_SECTION_PROCESSORS)
            pp_doc_fail(r, ref.mark, &inner, "the processor \"%s\" comes twice in this pipeline",
                        ref.id);
        else
            pp_doc_warn(r, ref.mark, &inner, "the %s \"%s\" comes twice; the second has no effect",
                        pp_section_kinds[section], ref.id);
    }
}

static void read_list(struct pp_doc_reader *r, enum pp_section section, const struct pp_node *body,
                      const struct pp_string_list *ids, const struct pp_path *pipeline,
                      struct pp_doc_refs *ret)
{
    struct pp_path path = {.up = pipeline, .name = pp_section_names[section]};
    const struct pp_node *list = pp_node_get(body, path.name);

    if (list && ids->n)
        read_refs(r, section, list, ids, &path, ret);
}

static bool read_pipeline_id(struct pp_doc_reader *r, const struct pp_node *key,
                             const struct pp_path *path, struct pp_doc_pipeline *ret)
{
    struct pp_error error;
    const char *nearest;

    if (!pp_component_id_parse(key->text, &ret->parts, &error))
        return pp_doc_fail(r, key->mark, path, "%s", error.message);
    for (int i = 0; i < PP_PIPELINE_SIGNALS; i++) {
        if (!pp_str_eq_c(ret->parts.type, pp_pipeline_signal_names[i]))
            continue;
        ret->signal = (enum pp_pipeline_signal)i;
        ret->id = key->text.p;
        ret->mark = key->mark;
        return true;
    }
    nearest = pp_str_nearest(ret->parts.type, pp_pipeline_signal_names);
    return pp_doc_fail(r, key->mark, path,
                       "a pipeline's id begins with its signal: profiles, or profiles/name%s%s%s",
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "");
}

static void read_pipelines(struct pp_doc_reader *r, const struct pp_node *node,
                           const struct pp_path *path)
{
    const struct pp_group_map *map = &r->rows->service.pipelines;
    const struct pp_doc_pipeline_rows *rows = map->v;

    if (map->n > PP_DOC_PIPELINES_MAX) {
        pp_doc_fail(r, node->mark, path, "more than %u pipelines", PP_DOC_PIPELINES_MAX);
        return;
    }
    r->doc->pipelines.v = pp_arena_array(r->arena, map->n, sizeof(struct pp_doc_pipeline));
    if (!r->doc->pipelines.v) {
        pp_diag_nomem(r->diags);
        return;
    }
    for (size_t i = 0; i < map->n; i++) {
        const struct pp_entry *entry = &node->entries[i];
        struct pp_path inner = {.up = path, .name = entry->key->text.p};
        struct pp_doc_pipeline pipeline = {0};

        if (!read_pipeline_id(r, entry->key, &inner, &pipeline))
            continue;
        read_list(r, PP_SECTION_RECEIVERS, entry->value, &rows[i].receivers, &inner,
                  &pipeline.receivers);
        read_list(r, PP_SECTION_PROCESSORS, entry->value, &rows[i].processors, &inner,
                  &pipeline.processors);
        read_list(r, PP_SECTION_EXPORTERS, entry->value, &rows[i].exporters, &inner,
                  &pipeline.exporters);
        r->doc->pipelines.v[r->doc->pipelines.n++] = pipeline;
    }
}

/* The same id for a connector and a receiver or exporter: a reference could mean either. */
static void check_ambiguous(struct pp_doc_reader *r, enum pp_section section)
{
    struct pp_path path = {.name = pp_section_names[PP_SECTION_CONNECTORS]};
    struct pp_document *doc = r->doc;

    for (size_t i = 0; i < doc->components[PP_SECTION_CONNECTORS].n; i++) {
        const struct pp_doc_component *connector = &doc->components[PP_SECTION_CONNECTORS].v[i];
        struct pp_path inner = {.up = &path, .name = connector->id};
        const struct pp_doc_component *other = find_component(r, section, pp_str_c(connector->id));
        if (other)
            pp_doc_fail(r, connector->mark, &inner,
                        "the %s in line %u has the same id; change one of them",
                        pp_section_kinds[section], other->mark.line);
    }
}

void pp_doc_read_pipelines(struct pp_doc_reader *r)
{
    const struct pp_node *service = pp_node_get(r->doc->root, "service");
    const struct pp_node *pipelines = pp_node_get(service, "pipelines");
    const struct pp_node *extensions = pp_node_get(service, "extensions");
    struct pp_path top = {.name = "service"};
    struct pp_path path = {.up = &top, .name = "pipelines"},
                   list_path = {.up = &top, .name = "extensions"};

    if (pipelines && pipelines->kind == PP_NODE_MAP)
        read_pipelines(r, pipelines, &path);
    if (extensions && r->rows->service.extensions.n)
        read_refs(r, PP_SECTION_EXTENSIONS, extensions, &r->rows->service.extensions, &list_path,
                  &r->doc->extensions);
    if (r->rows->service.pipelines.n == 0 && !r->options->allow_no_pipelines)
        pp_doc_fail(r, service ? service->mark : r->doc->root->mark, &path,
                    "at least one pipeline is needed");
    check_ambiguous(r, PP_SECTION_RECEIVERS);
    check_ambiguous(r, PP_SECTION_EXPORTERS);
}
