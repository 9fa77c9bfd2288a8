/* Changes the attributes of every resource by a list of actions, in their order; the Collector's processor. */
#include "action.h"
#include "base/mem.h"
#include "pipeline/component.h"

struct resource_config {
    struct pp_group_list attributes;
};

static const struct pp_field resource_fields[] = {
    PP_ROW_LIST(struct resource_config, attributes, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, &pp_action_group, "Actions, applied in this order."),
    PP_ROW_END,
};

static const struct pp_group resource_group = {.name = "resource", .size = sizeof(struct resource_config), .fields = resource_fields};

struct resource {
    struct pp_component component;
    struct pp_action *actions; /* one for each row of the config */
    struct pp_arena arena;     /* their values */
};

static size_t actions_n(const struct resource *self)
{
    return ((const struct resource_config *)self->component.config)->attributes.n;
}

static void resource_destroy(struct pp_component *component)
{
    struct resource *self = (struct resource *)component;

    for (size_t i = 0; self->actions && i < actions_n(self); i++)
        pp_action_done(&self->actions[i]);
    pp_free(self->actions);
    self->actions = NULL;
    pp_arena_done(&self->arena);
}

static bool resource_create(struct pp_component *component, struct pp_error *err)
{
    struct resource *self = (struct resource *)component;
    const struct pp_action_config *configs = ((const struct resource_config *)component->config)->attributes.v;

    self->actions = pp_calloc(actions_n(self), sizeof(*self->actions));
    if (!self->actions)
        return pp_error_nomem(err);
    for (size_t i = 0; i < actions_n(self); i++) {
        if (!pp_action_init(&self->actions[i], &configs[i], &self->arena, err)) {
            resource_destroy(component);
            return pp_error_prefix(err, "attributes.%zu", i);
        }
        self->actions[i].number = i;
    }
    return true;
}

static bool edit_batch(const struct resource *self, struct pp_batch **batch, struct pp_error *err)
{
    struct pp_action_site site = {.context = pp_batch_context(*batch)};

    site.edit.tables = pp_batch_edit_origins(batch, err);
    if (!site.edit.tables)
        return false;
    site.arena = pp_batch_arena(*batch);
    site.copies = pp_arena_array(site.arena, actions_n(self), sizeof(*site.copies));
    if (!site.copies)
        return pp_error_nomem(err);
    for (; site.edit.resource < site.edit.tables->resources.n; site.edit.resource++, site.edit.moved = false)
        for (size_t i = 0; i < actions_n(self); i++)
            if (!pp_action_apply(&self->actions[i], &site))
                return pp_error_nomem(err);
    return true;
}

static void resource_consume(struct pp_component *component, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_error err;

    if (edit_batch((struct resource *)component, &batch, &err)) {
        pp_emit(component, batch, done);
        return;
    }
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_RETRY(err.message));
}

const struct pp_factory pp_resource_processor_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_PROCESSOR,
    .type = "resource",
    .stability = PP_BETA,
    .summary = "Changes the attributes of every resource.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct resource),
    .config = &resource_group,
    .readme = "processors/resource",
    .create = resource_create,
    .consume = resource_consume,
    .destroy = resource_destroy,
};
