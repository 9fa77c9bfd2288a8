#include "pipeline/plan.h"

#include "base/mem.h"
#include "pipeline/plan_build.h"

static void plan_free(struct pp_config_owner *owner)
{
    struct pp_plan *plan = pp_container_of(owner, struct pp_plan, owner);

    for (size_t i = 0; i < plan->nodes.n; i++) {
        pp_vec_done(&plan->nodes.v[i].edges);
        pp_vec_done(&plan->nodes.v[i].uses);
    }
    pp_vec_done(&plan->nodes);
    pp_vec_done(&plan->pipelines);
    pp_arena_done(&plan->arena);
    pp_free(plan);
}

struct pp_plan *pp_plan_ref(struct pp_plan *plan)
{
    plan->owner.refs++;
    return plan;
}

void pp_plan_unref(struct pp_plan *plan)
{
    if (plan && --plan->owner.refs == 0)
        plan_free(&plan->owner);
}

static bool build(struct pp_plan *plan, const struct pp_node *root, const struct pp_plan_options *options,
                  struct pp_diags *diags)
{
    struct pp_factory_types types;
    bool ok = false;

    if (!pp_factory_types_init(&types, options->factories)) {
        pp_diag_nomem(diags);
        return false;
    }
    plan->document = pp_document_read_all(&plan->arena, root, &types.types, &options->document, diags);
    if (plan->document) {
        /* After errors too: the graph's own are to be seen in the same run. */
        struct pp_plan_build build = {.plan = plan, .document = plan->document, .options = options, .diags = diags};

        ok = pp_plan_build(&build);
    }
    pp_factory_types_done(&types);
    return ok && !pp_diags_failed(diags);
}

struct pp_plan *pp_plan_new(struct pp_arena *arena, const struct pp_node *root, const struct pp_plan_options *options,
                            struct pp_diags *diags)
{
    struct pp_plan *plan = pp_calloc(1, sizeof(*plan));

    if (!plan) {
        pp_diag_nomem(diags);
        return NULL;
    }
    plan->owner = (struct pp_config_owner){1, plan_free};
    plan->arena = *arena;
    *arena = (struct pp_arena){.bytes_limit = arena->bytes_limit};
    if (build(plan, root, options, diags))
        return plan;
    *arena = plan->arena; /* the places in `diags` are in it */
    plan->arena = (struct pp_arena){0};
    pp_plan_unref(plan);
    return NULL;
}

static bool node_equal(const struct pp_node *a, const struct pp_node *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind || a->n != b->n)
        return false;
    switch (a->kind) {
    case PP_NODE_NULL:
        return true;
    case PP_NODE_SCALAR:
        return a->quoted == b->quoted && pp_str_eq(a->text, b->text) &&
               pp_str_eq(pp_str_c(a->original), pp_str_c(b->original));
    case PP_NODE_LIST:
        for (size_t i = 0; i < a->n; i++)
            if (!node_equal(a->items[i], b->items[i]))
                return false;
        return true;
    case PP_NODE_MAP:
        for (size_t i = 0; i < a->n; i++)
            if (!pp_str_eq(a->entries[i].key->text, b->entries[i].key->text) ||
                !node_equal(a->entries[i].value, b->entries[i].value))
                return false;
        return true;
    }
    return false;
}

bool pp_plan_node_is(const struct pp_plan_node *a, const struct pp_plan_node *b)
{
    const char *p = a->spec.pipeline, *q = b->spec.pipeline;

    return a->spec.factory->kind == b->spec.factory->kind && strcmp(a->spec.id, b->spec.id) == 0 &&
           (p ? q && strcmp(p, q) == 0 : !q);
}

bool pp_plan_node_same(const struct pp_plan_node *a, const struct pp_plan_node *b)
{
    return pp_plan_node_is(a, b) && a->spec.factory == b->spec.factory && node_equal(a->component->node, b->component->node);
}
