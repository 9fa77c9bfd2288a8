#include "pipeline/instance.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/service_state.h"

static const struct pp_metric incoming = {"otelcol_processor_incoming_items", "Number of items passed to the processor.",
                                          "{items}", NULL, 0};
static const struct pp_metric outgoing = {"otelcol_processor_outgoing_items", "Number of items emitted from the processor.",
                                          "{items}", NULL, 0};

static const double duration_bounds[] = {10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const struct pp_metric duration = {"otelcol_processor_internal_duration", "Duration of time taken to process a batch of telemetry data through the processor.",
                                          "s", duration_bounds, sizeof(duration_bounds) / sizeof(duration_bounds[0])};

static struct pp_counter *item_counter(struct pp_instance *instance, const struct pp_metric *metric)
{
    const struct pp_label labels[] = {{"otel_signal", "profiles"}, {"processor", instance->id}};

    if (instance->factory->kind != PP_PROCESSOR)
        return NULL;
    return pp_telemetry_counter(pp_service_telemetry(instance->component->service), metric, labels, 2);
}

struct pp_counter *pp_instance_incoming(struct pp_instance *instance)
{
    return item_counter(instance, &incoming);
}

struct pp_histogram *pp_instance_duration(struct pp_instance *instance)
{
    const struct pp_label labels[] = {{"otel_signal", "profiles"}, {"processor", instance->id}};

    if (instance->factory->kind != PP_PROCESSOR)
        return NULL;
    return pp_telemetry_histogram(pp_service_telemetry(instance->component->service), &duration, labels, 2);
}

static char *make_log_id(const struct pp_instance_spec *spec)
{
    const char *kind = pp_component_kind_name(spec->factory->kind);
    size_t size = strlen(kind) + strlen(spec->id) + 2;
    char *text = pp_malloc(size);

    if (text)
        snprintf(text, size, "%s %s", kind, spec->id);
    return text;
}

static bool fill(struct pp_instance *instance, struct pp_service *service, const struct pp_instance_spec *spec)
{
    struct pp_component *component = pp_calloc(1, spec->factory->instance_size);

    instance->factory = spec->factory;
    instance->component = component;
    instance->id = pp_strdup(spec->id);
    instance->log_id = make_log_id(spec);
    if (spec->pipeline)
        instance->pipeline = pp_strdup(spec->pipeline);
    if (!component || !instance->id || !instance->log_id || (spec->pipeline && !instance->pipeline))
        return false;
    component->factory = spec->factory;
    component->id = instance->id;
    component->log_id = instance->log_id;
    component->config = spec->config;
    component->service = service;
    component->downstream = &instance->downstream;
    component->instance = instance;
    instance->downstream.outgoing = item_counter(instance, &outgoing);
    instance->uses = pp_calloc(spec->uses_n + 1, sizeof(*instance->uses));
    if (!instance->uses)
        return false;
    for (size_t i = 0; i < spec->uses_n; i++)
        instance->uses[instance->uses_n++] = spec->uses[i];
    instance->owner = spec->owner;
    if (spec->owner)
        spec->owner->refs++;
    return true;
}

bool pp_instance_new(struct pp_service *service, const struct pp_instance_spec *spec, struct pp_instance **ret, struct pp_error *err)
{
    struct pp_instance *instance = pp_calloc(1, sizeof(*instance));

    if (!instance)
        return pp_error_nomem(err);
    pp_downstream_init(&instance->downstream);
    instance->status = PP_COMPONENT_STOPPED;
    instance->since_unix_ns = pp_clock_unix_ns();
    if (!fill(instance, service, spec)) {
        pp_instance_free(instance);
        return pp_error_nomem(err);
    }
    if (!spec->factory->create(instance->component, err)) {
        pp_error_prefix(err, "%s", instance->log_id);
        pp_instance_free(instance);
        return false;
    }
    instance->created = true;
    *ret = instance;
    return true;
}

bool pp_instance_open(struct pp_instance *instance, struct pp_error *err)
{
    return instance->factory->open(instance->component, err) || pp_error_prefix(err, "%s", instance->log_id);
}

bool pp_instance_start(struct pp_instance *instance, struct pp_error *err)
{
    pp_instance_report(instance, PP_COMPONENT_STARTING, "");
    if (!instance->factory->start(instance->component, err)) {
        pp_instance_report(instance, PP_COMPONENT_PERMANENT_ERROR, err ? err->message : "does not start");
        return pp_error_prefix(err, "%s", instance->log_id);
    }
    instance->started = true;
    pp_service_lock_status(instance->component->service);
    /* A component that reported something during its start knows better. */
    if (instance->status == PP_COMPONENT_STARTING)
        instance->status = PP_COMPONENT_OK;
    pp_service_unlock_status(instance->component->service);
    return true;
}

void pp_instance_shutdown(struct pp_instance *instance, uint64_t deadline_mono_ms)
{
    if (!instance->started)
        return;
    pp_instance_report(instance, PP_COMPONENT_STOPPING, "");
    instance->factory->shutdown(instance->component, deadline_mono_ms);
    instance->started = false;
    pp_instance_report(instance, PP_COMPONENT_STOPPED, "");
}

static struct pp_instance *kept;

static bool is_awaiting(struct pp_instance *instance)
{
    return atomic_load_explicit(&instance->downstream.awaited, memory_order_acquire) > 0;
}

static void free_now(struct pp_instance *instance)
{
    struct pp_config_owner *owner;

    if (instance->created)
        instance->factory->destroy(instance->component);
    pp_downstream_done(&instance->downstream);
    owner = instance->owner;
    pp_free(instance->component);
    pp_free(instance->id);
    pp_free(instance->log_id);
    pp_free(instance->pipeline);
    pp_free(instance->uses);
    pp_free(instance);
    if (owner && --owner->refs == 0)
        owner->free(owner);
}

static void free_answered(void)
{
    struct pp_instance **at = &kept;

    while (*at) {
        struct pp_instance *instance = *at;

        if (is_awaiting(instance)) {
            at = &instance->next_kept;
            continue;
        }
        *at = instance->next_kept;
        free_now(instance);
    }
}

void pp_instance_free(struct pp_instance *instance)
{
    free_answered();
    if (!instance)
        return;
    if (is_awaiting(instance)) {
        instance->next_kept = kept;
        kept = instance;
    } else {
        free_now(instance);
    }
}

void pp_instance_report(struct pp_instance *instance, enum pp_component_status status, const char *message)
{
    struct pp_service *service = instance->component->service;

    pp_service_lock_status(service);
    instance->status = status;
    instance->since_unix_ns = pp_clock_unix_ns();
    snprintf(instance->message, sizeof(instance->message), "%s", message);
    pp_service_unlock_status(service);
    if (status == PP_COMPONENT_FATAL_ERROR)
        pp_service_stop_fatal(service, instance->log_id, message);
}

void pp_component_report(struct pp_component *self, enum pp_component_status status, const char *fmt, ...)
{
    char message[PP_STATUS_MESSAGE_MAX];
    va_list args;

    if (!self->instance)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    pp_instance_report(self->instance, status, message);
}

const char *pp_component_pipeline(const struct pp_component *self, size_t i)
{
    return pp_downstream_pipeline(self->downstream, i);
}

bool pp_component_feeds(const struct pp_component *self, const char *pipeline_id)
{
    const char *id;

    for (size_t i = 0; (id = pp_downstream_pipeline(self->downstream, i)); i++)
        if (strcmp(id, pipeline_id) == 0)
            return true;
    return false;
}
