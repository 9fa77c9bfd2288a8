#include "pipeline/factories.h"

#include <assert.h>

/* The document speaks of sections and signals without knowing the engine's names for them. */
static_assert((int)PP_SECTION_RECEIVERS == PP_RECEIVER && (int)PP_SECTION_PROCESSORS == PP_PROCESSOR &&
                  (int)PP_SECTION_EXPORTERS == PP_EXPORTER && (int)PP_SECTION_CONNECTORS == PP_CONNECTOR &&
                  (int)PP_SECTION_EXTENSIONS == PP_EXTENSION && (int)PP_SECTIONS == PP_KIND_COUNT,
              "sections are in the order of component kinds");
static_assert(1 << PP_PIPELINE_TRACES == PP_TRACES && 1 << PP_PIPELINE_METRICS == PP_METRICS &&
                  1 << PP_PIPELINE_LOGS == PP_LOGS && 1 << PP_PIPELINE_PROFILES == PP_PROFILES,
              "signals are bits in the same order");

const struct pp_factory *pp_factory_find(const struct pp_factories *factories, enum pp_component_kind kind, struct pp_str type)
{
    for (const struct pp_factory *const *f = factories->tables[kind]; *f; f++) {
        if (pp_str_eq_c(type, (*f)->type))
            return *f;
        for (const char *const *alias = (*f)->aliases; alias && *alias; alias++)
            if (pp_str_eq_c(type, *alias))
                return *f;
    }
    return NULL;
}

static bool find(void *ctx, enum pp_section section, struct pp_str type, struct pp_doc_type *ret)
{
    struct pp_factory_types *types = ctx;
    const struct pp_factory *factory = pp_factory_find(types->factories, (enum pp_component_kind)section, type);

    if (!factory)
        return false;
    *ret = (struct pp_doc_type){factory, factory->config, factory->signals, factory->signals_out, factory->validate};
    return true;
}

static const char *const *names(void *ctx, enum pp_section section)
{
    return ((struct pp_factory_types *)ctx)->names[section].v;
}

static bool collect(struct pp_factory_types *types, size_t kind)
{
    for (const struct pp_factory *const *f = types->factories->tables[kind]; *f; f++) {
        if (!pp_vec_push(&types->names[kind], (*f)->type))
            return false;
        for (const char *const *alias = (*f)->aliases; alias && *alias; alias++)
            if (!pp_vec_push(&types->names[kind], *alias))
                return false;
    }
    return pp_vec_push(&types->names[kind], NULL);
}

bool pp_factory_types_init(struct pp_factory_types *types, const struct pp_factories *factories)
{
    *types = (struct pp_factory_types){.types = {types, find, names}, .factories = factories};
    for (size_t kind = 0; kind < PP_KIND_COUNT; kind++) {
        if (!collect(types, kind)) {
            pp_factory_types_done(types);
            return false;
        }
    }
    return true;
}

void pp_factory_types_done(struct pp_factory_types *types)
{
    for (size_t kind = 0; kind < PP_KIND_COUNT; kind++)
        pp_vec_done(&types->names[kind]);
}
