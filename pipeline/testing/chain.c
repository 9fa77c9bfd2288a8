#include "pipeline/testing/chain.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/decode.h"
#include "pipeline/run.h"
#include "pipeline/testing/testing.h"
#include "profiles/any_value.h"
#include "profiles/builder.h"

static pthread_mutex_t sinks_lock = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static size_t add_attribute(char *to, size_t room, const struct pp_key_value *attribute, bool first)
{
    struct pp_any_value value;
    int n;

    if (!pp_any_value_read(attribute->value, &value))
        give_up("sink", "malformed value");
    if (value.kind == PP_ANY_STRING)
        n = snprintf(to, room, "%s" PP_STR_FMT "=" PP_STR_FMT, first ? "" : " ", PP_STR_ARG(attribute->key), PP_STR_ARG(value.string));
    else
        n = snprintf(to, room, "%s" PP_STR_FMT "=%d", first ? "" : " ", PP_STR_ARG(attribute->key), (int)value.kind);
    if (n < 0 || (size_t)n >= room)
        give_up("sink", "too many attributes");
    return (size_t)n;
}

static void show_resources(struct pp_testing_sink *sink, const struct pp_tables *tables)
{
    size_t n = 0;

    for (uint32_t i = 0; i < tables->resources.n; i++) {
        const struct pp_range *range = &tables->resources.v[i].attributes;

        for (uint32_t j = 0; j < range->n; j++)
            n += add_attribute(sink->resources + n, sizeof(sink->resources) - n - 1, &tables->key_values.v[range->first + j], j == 0);
        sink->resources[n++] = '|';
        sink->resources[n] = '\0';
    }
}

static void sink_consume(struct pp_component *component, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_testing_sink *sink = (struct pp_testing_sink *)component;
    const struct pp_tables *tables = pp_batch_origins(batch, NULL);

    pthread_mutex_lock(&sinks_lock);
    sink->calls++;
    sink->samples += pp_batch_samples(batch);
    if (tables)
        show_resources(sink, tables);
    pthread_mutex_unlock(&sinks_lock);
    pp_batch_unref(batch);
    pp_done_call(done, &sink->result);
}

static const struct pp_factory sink_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "sink",
    .summary = "Remembers what it gets.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct pp_testing_sink),
    .consume = sink_consume,
};

static const void *decode(struct pp_testing_chain *chain, const struct pp_factory *factory, const char *yaml)
{
    struct pp_yaml_source source = {pp_str_c(yaml), {.file = "t.yaml"}};
    const struct pp_node *node = pp_yaml_read(&chain->arena, &source, &chain->diags);
    const void *config = node ? pp_decode(&chain->arena, factory->config, node, NULL, (struct pp_mark){0}, &chain->diags) : NULL;

    if (!config)
        give_up("config", yaml);
    return config;
}

static void add_sink(struct pp_testing_chain *chain, const char *pipeline, struct pp_target *ret)
{
    struct pp_instance_spec spec = {.factory = &sink_factory, .id = "sink"};
    struct pp_instance **instance = &chain->sink_instances[chain->sinks_n];
    struct pp_error err;

    if (chain->sinks_n == PP_TESTING_SINKS_MAX)
        give_up("sink", "too many");
    if (!pp_instance_new(chain->service, &spec, instance, &err))
        give_up("sink", err.message);
    chain->sinks[chain->sinks_n++] = (struct pp_testing_sink *)(*instance)->component;
    *ret = (struct pp_target){.component = (*instance)->component, .pipeline = pipeline};
}

void pp_testing_chain_open(struct pp_testing_chain *chain, const struct pp_factory *factory, const char *yaml, const char *const *pipelines)
{
    struct pp_service_options options = {.loops_n = 1, .shutdown_timeout_ms = 1000};
    struct pp_instance_spec spec = {.factory = factory, .id = factory->type};
    struct pp_target targets[PP_TESTING_SINKS_MAX];
    struct pp_error err;

    *chain = (struct pp_testing_chain){0};
    spec.config = decode(chain, factory, yaml);
    if (!pp_service_new(&options, &chain->service, &err) || !pp_instance_new(chain->service, &spec, &chain->instance, &err))
        give_up(factory->type, err.message);
    for (size_t i = 0; pipelines[i]; i++)
        add_sink(chain, pipelines[i], &targets[i]);
    pp_testing_chain_reset(chain);
    pp_downstream_set(&chain->instance->downstream, pp_targets_new(targets, chain->sinks_n));
    if (!pp_instance_start(chain->instance, &err))
        give_up(factory->type, err.message);
}

void pp_testing_chain_close(struct pp_testing_chain *chain)
{
    pp_instance_shutdown(chain->instance, 0);
    pp_downstream_set(&chain->instance->downstream, NULL);
    pp_instance_free(chain->instance);
    for (size_t i = 0; i < chain->sinks_n; i++)
        pp_instance_free(chain->sink_instances[i]);
    pp_service_free(chain->service);
    pp_diags_done(&chain->diags);
    pp_arena_done(&chain->arena);
}

void pp_testing_chain_reset(struct pp_testing_chain *chain)
{
    for (size_t i = 0; i < chain->sinks_n; i++) {
        chain->sinks[i]->result = PP_RESULT_ACCEPTED;
        chain->sinks[i]->calls = 0;
        chain->sinks[i]->samples = 0;
        chain->sinks[i]->resources[0] = '\0';
    }
}

enum pp_outcome pp_testing_chain_consume(struct pp_testing_chain *chain, struct pp_batch *batch, const char **message)
{
    static _Thread_local char text[256];
    struct pp_component *component = chain->instance->component;
    struct pp_testing_done done;
    enum pp_outcome outcome;

    pp_testing_done_init(&done);
    component->factory->consume(component, batch, &done.done);
    if (!pp_testing_done_wait(&done, PP_TESTING_WAIT_MS) || done.calls != 1)
        give_up("consume", "not answered once");
    outcome = done.result.outcome;
    snprintf(text, sizeof(text), "%s", done.message);
    if (message)
        *message = text;
    pp_testing_done_free(&done);
    return outcome;
}

static void add_resource(struct pp_builder *builder, const char *service)
{
    struct pp_key_value attribute = {.key = PP_STR("service.name")};
    struct pp_builder_resource resource = {.attributes = &attribute, .attributes_n = service != NULL};
    struct pp_builder_scope scope = {0};
    struct pp_profile profile = {0};
    int64_t value = 1;
    struct pp_builder_sample sample = {.values = &value, .values_n = 1};

    if (service && !pp_any_value_from_string(pp_builder_arena(builder), pp_str_c(service), &attribute.value))
        abort();
    profile.sample_type.type = pp_builder_string(builder, PP_STR("samples"));
    profile.sample_type.unit = pp_builder_string(builder, PP_STR("count"));
    pp_builder_add_resource(builder, &resource);
    pp_builder_add_scope(builder, &scope);
    pp_builder_add_profile(builder, &profile, NULL, 0);
    pp_builder_add_sample(builder, &sample);
}

struct pp_batch *pp_testing_batch_of(const char *const *services, size_t n, struct pp_context *context)
{
    struct pp_builder *builder = pp_builder_new(NULL);
    struct pp_encode_options options = {0};
    struct pp_batch_source source = {.context = context};
    struct pp_batch *built = NULL, *batch = NULL;
    struct pp_error err;

    if (!builder)
        abort();
    for (size_t i = 0; i < n; i++)
        add_resource(builder, services[i]);
    if (!pp_builder_finish(builder, &built, &err) || !pp_batch_encode(built, &options, &source.wire, &err) ||
        !pp_batch_from_otlp(&source, &batch, &err))
        give_up("test batch", err.message);
    pp_builder_free(builder);
    pp_batch_unref(built);
    pp_bytes_unref(source.wire);
    return batch;
}
