/* Sends each resource of a batch to the pipelines of the first route whose condition it fulfils. The Collector's connector, which has none for
 * profiles; same keys and meaning. */
#include <stdio.h>

#include "base/mem.h"
#include "condition.h"
#include "pipeline/join.h"
#include "pipeline/service.h"

#define ROUTES_MAX 1000u

enum route_context { CONTEXT_RESOURCE, CONTEXT_REQUEST };
enum route_action { ACTION_MOVE, ACTION_COPY };
enum error_mode { ERROR_PROPAGATE, ERROR_IGNORE, ERROR_SILENT };

struct route_config {
    int context;
    int action;
    const char *statement, *condition;
    struct pp_string_list pipelines;
};

struct routing_config {
    struct pp_string_list default_pipelines;
    struct pp_group_list table;
    int error_mode;
};

static const char *const contexts[] = {"resource", "request", NULL};
static const char *const actions[] = {"move", "copy", NULL};
static const char *const error_modes[] = {"propagate", "ignore", "silent", NULL};

static const struct pp_field route_fields[] = {
    PP_ROW_ENUM(struct route_config, context, 0, contexts,
                "What the condition reads: the resource's attributes, or the metadata of the request that brought the batch."),
    PP_ROW_ENUM(struct route_config, action, 0, actions,
                "Whether later routes and the default pipelines still see what this one took: move hides it from them, copy does not."),
    PP_ROW_STRING(struct route_config, statement, 0, "Condition as an OTTL statement: route() where attributes[\"x\"] == \"y\"."),
    PP_ROW_STRING(struct route_config, condition, 0, "The condition alone: attributes[\"x\"] == \"y\"; this or statement."),
    PP_ROW_STRINGS(struct route_config, pipelines, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                   "Pipelines that receive what fulfils the condition."),
    PP_ROW_END,
};

static const struct pp_group route_group = {.name = "table", .size = sizeof(struct route_config), .fields = route_fields};

static const struct pp_field routing_fields[] = {
    PP_ROW_STRINGS(struct routing_config, default_pipelines, 0,
                   "Pipelines that receive what no route moved; without them it is dropped, and counted when no route copied it."),
    PP_ROW_LIST(struct routing_config, table, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, &route_group, "Routes, tried in this order."),
    PP_ROW_ENUM(struct routing_config, error_mode, 0, error_modes,
                "For a resource whose condition cannot be evaluated; ours always can, so every mode behaves the same."),
    PP_ROW_IGNORED("match_once", "Removed from the Collector's connector; use action."),
    PP_ROW_END,
};

static const struct pp_group routing_group = {.name = "routing", .size = sizeof(struct routing_config), .fields = routing_fields};

static const struct pp_metric unrouted_metric = {
    .name = "profpipe_connector_routing_unrouted_samples",
    .help = "Samples of resources that no route took while there was no default pipeline.",
    .unit = "{samples}",
};

struct routing {
    struct pp_component component;
    struct pp_condition **conditions; /* one for each row of the table */
    struct pp_counter *unrouted;
};

static const struct routing_config *config_of(const struct pp_component *self)
{
    return self->config;
}

static const struct route_config *route_of(const struct routing_config *config, size_t i)
{
    return (const struct route_config *)config->table.v + i;
}

static struct pp_condition *compile(const struct route_config *route, struct pp_error *err)
{
    return route->statement ? pp_condition_new(route->statement, true, err) : pp_condition_new(route->condition, false, err);
}

static void routing_validate(const void *config_, struct pp_check *check)
{
    const struct routing_config *config = config_;

    if (config->table.n > ROUTES_MAX)
        pp_check_error(check, "table", "%zu routes, at most %u", config->table.n, ROUTES_MAX);
    for (size_t i = 0; i < config->table.n; i++) {
        const struct route_config *route = route_of(config, i);
        struct pp_condition *condition;
        struct pp_error err = {0};
        char path[64];

        snprintf(path, sizeof(path), "table.%zu", i);
        if (!route->statement == !route->condition) {
            pp_check_error(check, path, "needs either statement or condition%s", route->statement ? ", not both" : "");
            continue;
        }
        if (route->statement && route->context == CONTEXT_REQUEST)
            pp_check_error(check, path, "context request takes condition, not statement");
        snprintf(path, sizeof(path), "table.%zu.%s", i, route->statement ? "statement" : "condition");
        condition = compile(route, &err);
        if (!condition)
            pp_check_error(check, path, "%s", err.message);
        pp_condition_free(condition);
    }
}

static void free_conditions(struct routing *self)
{
    for (size_t i = 0; self->conditions && i < config_of(&self->component)->table.n; i++)
        pp_condition_free(self->conditions[i]);
    pp_free(self->conditions);
    self->conditions = NULL;
}

static bool routing_create(struct pp_component *component, struct pp_error *err)
{
    struct routing *self = (struct routing *)component;
    const struct routing_config *config = config_of(component);

    self->unrouted = pp_telemetry_counter(pp_service_telemetry(component->service), &unrouted_metric,
                                          (struct pp_label[]){{"connector", component->id}}, 1);
    self->conditions = pp_calloc(config->table.n, sizeof(*self->conditions));
    if (!self->conditions)
        return pp_error_nomem(err);
    for (size_t i = 0; i < config->table.n; i++) {
        self->conditions[i] = compile(route_of(config, i), err);
        if (!self->conditions[i]) {
            free_conditions(self);
            return pp_error_prefix(err, "table.%zu", i);
        }
    }
    return true;
}

static void name_list(const struct pp_string_list *pipelines, const char *path,
                      void (*fn)(void *arg, const char *path, const char *pipeline_id), void *arg)
{
    char item[96];

    for (size_t i = 0; i < pipelines->n; i++) {
        snprintf(item, sizeof(item), "%s.%zu", path, i);
        fn(arg, item, pipelines->v[i]);
    }
}

static void routing_pipelines_named(const void *config_, void (*fn)(void *arg, const char *path, const char *pipeline_id), void *arg)
{
    const struct routing_config *config = config_;
    char path[64];

    for (size_t i = 0; i < config->table.n; i++) {
        snprintf(path, sizeof(path), "table.%zu.pipelines", i);
        name_list(&route_of(config, i)->pipelines, path, fn, arg);
    }
    name_list(&config->default_pipelines, "default_pipelines", fn, arg);
}

static void routing_destroy(struct pp_component *component)
{
    free_conditions((struct routing *)component);
}

/* The batch goes on as it is elsewhere; this part of it did not: the sender has to come again. */
static void fail_part(struct pp_join *join, const char *message)
{
    pp_done_call(pp_join_part(join), &PP_RESULT_RETRY(message));
}

/* Each pipeline gets a reference of its own; `part`'s is given up. */
static void send_part(struct routing *self, struct pp_join *join, const struct pp_string_list *pipelines, struct pp_batch *part)
{
    for (size_t i = 0; i < pipelines->n; i++) {
        struct pp_done *done = pp_join_part(join);

        if (!pp_emit_to(&self->component, pipelines->v[i], pp_batch_ref(part), done)) {
            pp_batch_unref(part);
            pp_done_call(done, &PP_RESULT_RETRY("the pipeline is being reloaded"));
        }
    }
    pp_batch_unref(part);
}

struct subject {
    const struct pp_tables *tables;
    const struct pp_context *context;
    uint32_t resource;
};

static void get_value(const void *context, enum pp_condition_scope scope, struct pp_str key, size_t i, struct pp_any_value *ret)
{
    const struct subject *subject = context;
    struct pp_range range;

    if (scope == PP_CONDITION_REQUEST) {
        if (subject->context && pp_context_metadata(subject->context, key, i, &ret->string))
            ret->kind = PP_ANY_STRING;
        return;
    }
    range = subject->tables->resources.v[subject->resource].attributes;
    for (uint32_t k = range.first; k < range.first + range.n; k++) {
        const struct pp_key_value *attribute = &subject->tables->key_values.v[k];
        if (pp_str_eq(attribute->key, key)) {
            (void)pp_any_value_read(attribute->value, ret);
            return;
        }
    }
}

struct selection {
    bool *chosen; /* by resource, of the route at hand */
    bool *taken;  /* by resource, by a route before that moves */
    bool *routed; /* by resource, by any route before */
    size_t n;
};

static bool keep_chosen(void *arg, const struct pp_tables *tables, uint32_t resource)
{
    (void)tables;
    return ((struct selection *)arg)->chosen[resource];
}

static void send_chosen(struct routing *self, struct pp_join *join, const struct pp_string_list *pipelines, struct pp_batch *batch,
                        struct selection *selection)
{
    struct pp_batch *part = NULL;
    struct pp_error err;

    if (!pp_batch_filter_resources(batch, keep_chosen, selection, &part, &err))
        fail_part(join, err.message);
    else if (part && pipelines->n == 0)
        pp_counter_add(self->unrouted, pp_batch_samples(part));
    if (part)
        send_part(self, join, pipelines, part);
}

static void choose(const struct routing *self, size_t route, const struct subject *whole, struct selection *selection)
{
    struct subject subject = *whole;
    const struct pp_condition_source source = {get_value, &subject};
    bool moves = route_of(config_of(&self->component), route)->action == ACTION_MOVE;

    for (size_t i = 0; i < selection->n; i++) {
        subject.resource = (uint32_t)i;
        selection->chosen[i] = !selection->taken[i] && pp_condition_holds(self->conditions[route], &source);
        selection->routed[i] |= selection->chosen[i];
        selection->taken[i] |= selection->chosen[i] && moves;
    }
}

/* As in the Collector, what was only copied is still there for the default pipelines; without those it has arrived somewhere all the same. */
static void choose_rest(const struct routing_config *config, struct selection *selection)
{
    const bool *gone = config->default_pipelines.n ? selection->taken : selection->routed;

    for (size_t i = 0; i < selection->n; i++)
        selection->chosen[i] = !gone[i];
}

static void route_batch(struct routing *self, struct pp_join *join, struct pp_batch *batch, const struct pp_tables *tables)
{
    const struct routing_config *config = config_of(&self->component);
    size_t n = tables->resources.n;
    PP_AUTOFREE bool *flags = pp_calloc(3 * n, sizeof(*flags));
    struct selection selection = {flags, flags + n, flags + 2 * n, n};
    struct subject whole = {.tables = tables, .context = pp_batch_context(batch)};

    if (!flags) {
        fail_part(join, "out of memory");
        return;
    }
    for (size_t route = 0; route < config->table.n; route++) {
        choose(self, route, &whole, &selection);
        send_chosen(self, join, &route_of(config, route)->pipelines, batch, &selection);
    }
    choose_rest(config, &selection);
    send_chosen(self, join, &config->default_pipelines, batch, &selection);
}

static void routing_consume(struct pp_component *component, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_error err;
    const struct pp_tables *tables = pp_batch_origins(batch, &err);
    struct pp_join *join = tables ? pp_join_new(done) : NULL;

    if (!join) {
        pp_done_call(done, &PP_RESULT_RETRY("out of memory"));
    } else {
        route_batch((struct routing *)component, join, batch, tables);
        pp_join_close(join);
    }
    pp_batch_unref(batch);
}

const struct pp_factory pp_routing_connector_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_CONNECTOR,
    .type = "routing",
    .stability = PP_ALPHA,
    .summary = "Sends each resource's profiles to pipelines chosen by its attributes.",
    .signals = PP_PROFILES,
    .signals_out = PP_PROFILES,
    .instance_size = sizeof(struct routing),
    .config = &routing_group,
    .readme = "connectors/routing",
    .validate = routing_validate,
    .pipelines_named = routing_pipelines_named,
    .create = routing_create,
    .consume = routing_consume,
    .destroy = routing_destroy,
};
