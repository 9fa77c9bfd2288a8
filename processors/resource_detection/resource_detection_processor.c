/* Adds attributes of the place where the daemon runs to every resource. */
#include <stdlib.h>

#include "config/groups/duration.h"
#include "detector.h"
#include "pipeline/component.h"
#include "profiles/any_value.h"
#include "profiles/resource_edit.h"

struct resource_detection_config {
    struct pp_string_list detectors;
    bool override;
    int64_t timeout;
    struct pp_system_detector_config system;
};

static const struct pp_field resource_detection_fields[] = {
    PP_ROW_STRINGS(struct resource_detection_config, detectors, 0,
                   "Detectors in order of precedence: env (OTEL_RESOURCE_ATTRIBUTES), system. The Collector's others find nothing here."),
    PP_ROW_BOOL(struct resource_detection_config, override, 0, "Whether what is detected replaces attributes that are there."),
    PP_ROW_DURATION(struct resource_detection_config, timeout, 0, 0, 3600, "How long the name service may take to give the full host name, which is then left to the next source; 0: its own limits."),
    PP_ROW_GROUP(struct resource_detection_config, system, &pp_system_detector_group, "The system detector."),
    PP_ROW_IGNORED("refresh_interval", "What env and system find does not change while the daemon runs."),
    PP_ROW_IGNORED("attributes", "Removed from the Collector's processor; use system.resource_attributes."),
    PP_ROW_END,
};

static const struct pp_group resource_detection_group = {
    .name = "resource_detection",
    .size = sizeof(struct resource_detection_config),
    .defaults = &(const struct resource_detection_config){
        .detectors = {(const char *const[]){"env"}, 1},
        .override = true,
        .timeout = PP_NS(5),
        .system = {.hostname_sources = {(const char *const[]){"dns", "os"}, 2}},
    },
    .fields = resource_detection_fields,
};

struct resource_detection {
    struct pp_component component;
    struct pp_detected detected;
};

/* The Collector's detectors that need a cloud, an orchestrator or a service we do not ask. */
static bool is_foreign(const char *detector)
{
    static const char *const names[] = {"akamai", "aks", "alibaba_ecs", "azure", "consul", "digitalocean", "docker", "dynatrace", "ec2",
                                        "ecs", "eks", "elastic_beanstalk", "elasticbeanstalk", "gcp", "heroku", "hetzner", "k8snode",
                                        "kubeadm", "lambda", "nova", "openshift", "openstacknova", "oraclecloud", "scaleway",
                                        "tencent_cvm", "upcloud", "vultr"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(detector, names[i]) == 0)
            return true;
    return false;
}

static void resource_detection_validate(const void *config_, struct pp_check *check)
{
    const struct resource_detection_config *config = config_;

    for (size_t i = 0; i < config->detectors.n; i++) {
        const char *name = config->detectors.v[i];
        if (is_foreign(name))
            pp_check_warn(check, "detectors", "detector %s is not here and finds nothing; there are env and system", name);
        else if (strcmp(name, "env") != 0 && strcmp(name, "system") != 0)
            pp_check_error(check, "detectors", "no detector \"%s\"; there are env and system", name);
    }
}

static bool detect(struct resource_detection *self, const char *detector, struct pp_error *err)
{
    const struct resource_detection_config *config = self->component.config;
    const char *list = getenv("OTEL_RESOURCE_ATTRIBUTES");

    if (strcmp(detector, "env") == 0)
        return !list || pp_detect_env(list, &self->detected, err);
    if (strcmp(detector, "system") == 0)
        return pp_detect_system(&config->system, config->timeout, &self->detected, err);
    return true;
}

/* A detector that fails costs its attributes, not the data: as in the Collector, it is said once. */
static bool resource_detection_start(struct pp_component *component, struct pp_error *err)
{
    struct resource_detection *self = (struct resource_detection *)component;
    const struct resource_detection_config *config = component->config;

    pp_detected_done(&self->detected);
    for (size_t i = 0; i < config->detectors.n; i++) {
        size_t before = self->detected.n;

        if (detect(self, config->detectors.v[i], err))
            continue;
        self->detected.n = before; /* half of what a detector says is worth nothing, as the specification of the environment variable has it */
        if (err->kind == PP_ERR_NOMEM)
            return false;
        pp_log(PP_LOG_WARN, component->log_id, "%s", err->message);
    }
    for (size_t i = 0; i < self->detected.n; i++)
        pp_log(PP_LOG_INFO, component->log_id, "detected " PP_STR_FMT "=" PP_STR_FMT, PP_STR_ARG(self->detected.v[i].key),
               PP_STR_ARG(self->detected.v[i].value));
    return true;
}

/* Whether the i-th detected attribute is to be written into a resource: one that stands there already costs no copy of the tables. */
static bool is_due(const struct resource_detection *self, const struct pp_tables *tables, uint32_t resource, size_t i)
{
    const struct resource_detection_config *config = self->component.config;
    uint32_t position = pp_resource_find(tables, resource, self->detected.v[i].key);
    struct pp_str there;

    if (position == PP_ATTRIBUTE_NONE)
        return true;
    if (!config->override)
        return false;
    return !pp_any_value_string(pp_resource_attribute(tables, resource, position)->value, &there) ||
           !pp_str_eq(there, self->detected.v[i].value);
}

static bool is_any_due(const struct resource_detection *self, const struct pp_tables *tables)
{
    for (uint32_t resource = 0; resource < tables->resources.n; resource++)
        for (size_t i = 0; i < self->detected.n; i++)
            if (is_due(self, tables, resource, i))
                return true;
    return false;
}

/* Keys and values are copied, once for all resources: the batch may outlive this component. NULL when memory is out. */
static struct pp_key_value *copy_detected(const struct resource_detection *self, struct pp_arena *arena)
{
    struct pp_key_value *copies = pp_arena_array(arena, self->detected.n, sizeof(*copies));

    for (size_t i = 0; copies && i < self->detected.n; i++) {
        const struct pp_str key = self->detected.v[i].key;

        copies[i].key = (struct pp_str){pp_arena_strdup(arena, key), key.n};
        if (!copies[i].key.p || !pp_any_value_from_string(arena, self->detected.v[i].value, &copies[i].value))
            return NULL;
    }
    return copies;
}

static bool add_to_resource(const struct resource_detection *self, const struct pp_key_value *copies, struct pp_resource_edit *edit)
{
    for (size_t i = 0; i < self->detected.n; i++)
        if (is_due(self, edit->tables, edit->resource, i) && !pp_resource_set(edit, copies[i].key, copies[i].value))
            return false;
    return true;
}

static bool edit_batch(const struct resource_detection *self, struct pp_batch **batch, struct pp_error *err)
{
    const struct pp_tables *before = pp_batch_origins(*batch, err);
    struct pp_resource_edit edit = {0};
    const struct pp_key_value *copies;

    if (!before)
        return false;
    if (!is_any_due(self, before))
        return true;
    edit.tables = pp_batch_edit_origins(batch, err);
    if (!edit.tables)
        return false;
    copies = copy_detected(self, pp_batch_arena(*batch));
    if (!copies)
        return pp_error_nomem(err);
    for (; edit.resource < edit.tables->resources.n; edit.resource++, edit.moved = false)
        if (!add_to_resource(self, copies, &edit))
            return pp_error_nomem(err);
    return true;
}

static void resource_detection_consume(struct pp_component *component, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_error err;

    if (edit_batch((struct resource_detection *)component, &batch, &err)) {
        pp_emit(component, batch, done);
        return;
    }
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_RETRY(err.message));
}

static void resource_detection_destroy(struct pp_component *component)
{
    pp_detected_done(&((struct resource_detection *)component)->detected);
}

const struct pp_factory pp_resource_detection_processor_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_PROCESSOR,
    .type = "resource_detection",
    .aliases = (const char *const[]){"resourcedetection", NULL},
    .stability = PP_BETA,
    .summary = "Adds attributes of the host and the environment to every resource.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct resource_detection),
    .config = &resource_detection_group,
    .readme = "processors/resource_detection",
    .validate = resource_detection_validate,
    .start = resource_detection_start,
    .consume = resource_detection_consume,
    .destroy = resource_detection_destroy,
};
