/* Components that use extensions: each named one must be configured, run, and be of the right kind. */
#include "config/extension_refs.h"
#include "pipeline/plan_build.h"

#define NAMES_MAX 64u

struct lookup {
    struct pp_plan_build *build;
    size_t user; /* node */
    bool nomem;
};

/* For people: what a reference needs, and the key that names it. */
static const char *need_name(unsigned offers)
{
    switch (offers) {
    case PP_OFFERS_SERVER_AUTH:
        return "a server authenticator";
    case PP_OFFERS_CLIENT_AUTH:
        return "a client authenticator";
    default:
        return "a storage extension";
    }
}

static void report_missing(const struct pp_document *document, struct pp_extension_ref *ref)
{
    const char *names[NAMES_MAX + 1];
    const char *nearest;
    size_t n = 0;

    for (size_t i = 0; i < document->components[PP_SECTION_EXTENSIONS].n && n < NAMES_MAX; i++)
        names[n++] = document->components[PP_SECTION_EXTENSIONS].v[i].id;
    names[n] = NULL;
    nearest = pp_str_nearest(pp_str_c(ref->id), names);
    if (nearest)
        pp_check_error(&ref->check, "", "the extension \"%s\" is not configured; did you mean \"%s\"?", ref->id, nearest);
    else
        pp_check_error(&ref->check, "", "the extension \"%s\" is not configured", ref->id);
}

/* By the id, written with or without spaces. */
static const struct pp_doc_component *find(const struct pp_document *document, const char *id)
{
    struct pp_component_id parts;
    struct pp_error error;

    if (!pp_component_id_parse(pp_str_c(id), &parts, &error))
        return NULL;
    for (size_t i = 0; i < document->components[PP_SECTION_EXTENSIONS].n; i++) {
        const struct pp_doc_component *component = &document->components[PP_SECTION_EXTENSIONS].v[i];

        if (pp_str_eq(component->parts.type, parts.type) && pp_str_eq(component->parts.name, parts.name))
            return component;
    }
    return NULL;
}

/* The node of an extension that is in service.extensions; PP_PLAN_NO_NODE otherwise. */
static size_t running(const struct pp_plan_build *build, const struct pp_doc_component *component)
{
    return build->node_of[PP_SECTION_EXTENSIONS][component - build->document->components[PP_SECTION_EXTENSIONS].v];
}

static void look_up(void *arg, struct pp_extension_ref *ref)
{
    struct lookup *lookup = arg;
    const struct pp_doc_component *component = find(lookup->build->document, ref->id);
    struct pp_plan *plan = lookup->build->plan;
    const struct pp_factory *factory;
    struct pp_plan_use use = {.id = ref->id};

    if (!component) {
        report_missing(lookup->build->document, ref);
        return;
    }
    factory = component->type.factory;
    if (!factory || (component->type.config && !component->config))
        return; /* its own errors have been reported */
    use.node = running(lookup->build, component);
    if (use.node == PP_PLAN_NO_NODE) {
        pp_check_error(&ref->check, "", "the extension \"%s\" does not run: add it to service::extensions", ref->id);
        return;
    }
    if (!factory->offers || !(factory->offers(component->config) & ref->offers)) {
        pp_check_error(&ref->check, "", "the extension \"%s\" is not %s as it is configured", ref->id, need_name(ref->offers));
        return;
    }
    if (!pp_vec_push(&plan->nodes.v[lookup->user].uses, use))
        lookup->nomem = true;
}

bool pp_plan_use_extensions(struct pp_plan_build *build)
{
    for (size_t i = 0; i < build->plan->nodes.n; i++) {
        const struct pp_doc_component *component = build->plan->nodes.v[i].component;
        const struct pp_path section = {.name = pp_section_names[component->section]};
        const struct pp_path path = {.up = &section, .name = component->id};
        struct pp_check check = {build->diags, component->node, component->mark, &path};
        struct lookup lookup = {.build = build, .user = i};

        if (component->type.config && component->config)
            pp_extension_refs_each(component->type.config, component->config, &check, look_up, &lookup);
        if (lookup.nomem) {
            pp_diag_nomem(build->diags);
            return false;
        }
    }
    return true;
}
