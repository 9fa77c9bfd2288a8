#include "config/decode.h"
#include "config/document_parts.h"

static const struct pp_group no_keys = {
    .name = "",
    .size = 1,
    .fields = (const struct pp_field[]){PP_ROW_END},
};

/* An id that says the same as one before it: only white space can make two different keys equal. */
static const struct pp_doc_component *same_id(struct pp_doc_reader *r, enum pp_section section,
                                              const char *id)
{
    for (size_t i = 0; i < r->doc->components[section].n; i++) {
        if (strcmp(r->doc->components[section].v[i].id, id) == 0)
            return &r->doc->components[section].v[i];
    }
    return NULL;
}

static void read_component(struct pp_doc_reader *r, enum pp_section section,
                           const struct pp_entry *entry, const struct pp_path *path)
{
    struct pp_path inner = {.up = path, .name = entry->key->text.p};
    struct pp_doc_component component = {
        .section = section, .mark = entry->key->mark, .node = entry->value};
    const struct pp_doc_component *same;
    struct pp_error error;

    if (!pp_component_id_parse(entry->key->text, &component.parts, &error)) {
        pp_doc_fail(r, component.mark, &inner, "%s", error.message);
        return;
    }
    component.id =
        pp_arena_printf(r->arena, PP_STR_FMT "%s" PP_STR_FMT, PP_STR_ARG(component.parts.type),
                        component.parts.name.n ? "/" : "", PP_STR_ARG(component.parts.name));
    if (!component.id) {
        pp_diag_nomem(r->diags);
        return;
    }
    same = strlen(component.id) == entry->key->text.n ? NULL : same_id(r, section, component.id);
    if (same) {
        pp_doc_fail(r, component.mark, &inner, "the same id as in line %u", same->mark.line);
        return;
    }
    r->types->find(r->types->ctx, section, component.parts.type, &component.type);
    r->doc->components[section].v[r->doc->components[section].n++] = component;
}

static void read_section(struct pp_doc_reader *r, enum pp_section section)
{
    const struct pp_node *node = r->rows->sections[section];
    struct pp_path path = {.name = pp_section_names[section]};

    if (!node || node->kind == PP_NODE_NULL)
        return;
    if (node->kind != PP_NODE_MAP) {
        pp_doc_fail(r, node->mark, &path, "expected a map of ids, got %s", pp_node_kind_name(node));
        return;
    }
    if (node->n > PP_DOC_COMPONENTS_MAX) {
        pp_doc_fail(r, node->mark, &path, "more than %u entries", PP_DOC_COMPONENTS_MAX);
        return;
    }
    r->doc->components[section].v =
        pp_arena_array(r->arena, node->n, sizeof(struct pp_doc_component));
    if (!r->doc->components[section].v) {
        pp_diag_nomem(r->diags);
        return;
    }
    for (size_t i = 0; i < node->n; i++)
        read_component(r, section, &node->entries[i], &path);
}

void pp_doc_read_components(struct pp_doc_reader *r)
{
    for (int section = 0; section < PP_SECTIONS; section++)
        read_section(r, (enum pp_section)section);
}

/* The section that does have a type of this name, or PP_SECTIONS. */
static enum pp_section section_of_type(struct pp_doc_reader *r, struct pp_str type)
{
    struct pp_doc_type found;
    int section = 0;

    while (section < PP_SECTIONS &&
           !r->types->find(r->types->ctx, (enum pp_section)section, type, &found))
        section++;
    return (enum pp_section)section;
}

static void report_unknown_type(struct pp_doc_reader *r, const struct pp_doc_component *component,
                                const struct pp_path *path)
{
    const char *kind = pp_section_kinds[component->section];
    struct pp_str type = component->parts.type;
    enum pp_section other = section_of_type(r, type);
    const char *nearest = NULL;

    if (!pp_diags_full(r->diags))
        nearest = pp_str_nearest(type, r->types->names(r->types->ctx, component->section));
    if (nearest)
        pp_doc_fail(r, component->mark, path,
                    "there is no %s of type \"" PP_STR_FMT "\"; did you mean \"%s\"?", kind,
                    PP_STR_ARG(type), nearest);
    else if (other != PP_SECTIONS)
        pp_doc_fail(r, component->mark, path,
                    "there is no %s of type \"" PP_STR_FMT "\"; it belongs under %s", kind,
                    PP_STR_ARG(type), pp_section_names[other]);
    else
        pp_doc_fail(r, component->mark, path, "there is no %s of type \"" PP_STR_FMT "\"", kind,
                    PP_STR_ARG(type));
}

static void decode_body(struct pp_doc_reader *r, struct pp_doc_component *component,
                        const struct pp_path *path)
{
    const struct pp_group *group = component->type.config ? component->type.config : &no_keys;
    struct pp_check check = {r->diags, component->node, component->mark, path};
    const void *config =
        pp_decode(r->arena, group, component->node, path, component->mark, r->diags);

    if (config && component->type.config && component->type.validate)
        component->type.validate(config, &check);
    component->config = component->type.config ? config : NULL;
}

static void decode_component(struct pp_doc_reader *r, struct pp_doc_component *component)
{
    struct pp_path section = {.name = pp_section_names[component->section]};
    struct pp_path path = {.up = &section, .name = component->id};

    if (!component->used && r->options->profiles_only) {
        component->skipped = true;
        pp_doc_warn(r, component->mark, &path, "skipped: no pipeline that runs uses it");
        return;
    }
    if (!component->type.factory) {
        report_unknown_type(r, component, &path);
        return;
    }
    if (!component->used)
        pp_doc_warn(r, component->mark, &path, "not used: %s",
                    component->section == PP_SECTION_EXTENSIONS
                        ? "service::extensions does not list it"
                        : "no pipeline names it");
    decode_body(r, component, &path);
}

void pp_doc_decode_components(struct pp_doc_reader *r)
{
    for (int section = 0; section < PP_SECTIONS; section++) {
        for (size_t i = 0; i < r->doc->components[section].n; i++)
            decode_component(r, &r->doc->components[section].v[i]);
    }
}
