/* The components built in, by kind and type. */
#ifndef PP_PIPELINE_FACTORIES_H
#define PP_PIPELINE_FACTORIES_H

#include "config/document.h"
#include "pipeline/component.h"

/* NULL-terminated tables in the order of enum pp_component_kind; main.c fills it with pp_receivers and so on, tests with their own. */
struct pp_factories {
    const struct pp_factory *const *tables[PP_KIND_COUNT];
};

/* By type or alias; NULL when there is none. */
const struct pp_factory *pp_factory_find(const struct pp_factories *factories, enum pp_component_kind kind, struct pp_str type);

/* The view that the configuration's document takes of them. `factories` outlives it. */
struct pp_factory_types {
    struct pp_doc_types types;
    const struct pp_factories *factories;
    PP_VEC(const char *) names[PP_KIND_COUNT]; /* NULL-terminated */
};

bool pp_factory_types_init(struct pp_factory_types *types, const struct pp_factories *factories);
void pp_factory_types_done(struct pp_factory_types *types);

#endif
