#include "config/service_telemetry.h"

#include <string.h>

#include "config/tree.h"

/* The Collector compares both kinds of level without case; the list repeats itself once per
 * spelling, in the enum's order. */
static const char *const metrics_levels[] = {
    "none",     "basic", "normal", "detailed", "None",     "Basic", "Normal",
    "Detailed", "NONE",  "BASIC",  "NORMAL",   "DETAILED", NULL,
};
static const char *const log_levels[] = {
    "debug", "info",  "warn", "error", "DEBUG", "INFO", "WARN",
    "ERROR", "Debug", "Info", "Warn",  "Error", NULL,
};
static const char *const encodings[] = {"console", "json", NULL};

static const struct pp_field sampling_fields[] = {
    PP_ROW_BOOL(struct pp_telemetry_sampling, enabled, 0,
                "Whether repeated lines are thinned out."),
    PP_ROW_DURATION(struct pp_telemetry_sampling, tick, 0, 0.001, PP_DURATION_MAX_S,
                    "Length of one interval of counting."),
    PP_ROW_INT(struct pp_telemetry_sampling, initial, 0, 0, 1e9,
               "Lines of one text written in an interval before thinning."),
    PP_ROW_INT(struct pp_telemetry_sampling, thereafter, 0, 0, 1e9,
               "After them every n-th is written; 0 writes none."),
    PP_ROW_END,
};

static const struct pp_group sampling_group = {
    .name = "sampling",
    .size = sizeof(struct pp_telemetry_sampling),
    .defaults = &(const struct pp_telemetry_sampling)PP_TELEMETRY_SAMPLING_DEFAULTS,
    .fields = sampling_fields,
};

static const struct pp_field logs_fields[] = {
    PP_ROW_ENUM(struct pp_telemetry_logs, level, 0, log_levels, "Least severe lines written."),
    PP_ROW_ENUM(struct pp_telemetry_logs, encoding, 0, encodings,
                "Form of a line: console or json."),
    PP_ROW_GROUP(struct pp_telemetry_logs, sampling, &sampling_group, "Thins out repeated lines."),
    PP_ROW_STRINGS(struct pp_telemetry_logs, output_paths, PP_FIELD_NONEMPTY,
                   "Where lines go: stderr, stdout or a file."),
    PP_ROW_STRING_MAP(struct pp_telemetry_logs, initial_fields, 0, "Fields put into every line."),
    PP_ROW_IGNORED("error_output_paths", "the logger's own errors go to standard error."),
    PP_ROW_IGNORED("development", "there is no development mode."),
    PP_ROW_IGNORED("disable_caller", "lines name no caller."),
    PP_ROW_IGNORED("disable_stacktrace", "lines have no stack traces."),
    PP_ROW_IGNORED("disable_zap_resource", "lines do not repeat the resource."),
    PP_ROW_IGNORED("processors", "logs are not exported over OTLP."),
    PP_ROW_END,
};

static const struct pp_group logs_group = {
    .name = "logs",
    .size = sizeof(struct pp_telemetry_logs),
    .fields = logs_fields,
};

static const struct pp_field prometheus_fields[] = {
    PP_ROW_STRING(struct pp_telemetry_prometheus, host, 0, "Host to listen on."),
    PP_ROW_INT(struct pp_telemetry_prometheus, port, 0, 0, 65535, "Port to listen on."),
    PP_ROW_BOOL(struct pp_telemetry_prometheus, without_scope_info, 0,
                "Leave out the series otel_scope_info and its labels."),
    PP_ROW_BOOL(struct pp_telemetry_prometheus, without_units, 0, "Leave units out of names."),
    PP_ROW_BOOL(struct pp_telemetry_prometheus, without_type_suffix, 0,
                "Leave _total out of the names of counters."),
    PP_ROW_IGNORED("with_resource_constant_labels", "the resource stands in target_info."),
    PP_ROW_IGNORED("translation_strategy", "the without_ keys say how names are made."),
    PP_ROW_END,
};

static const struct pp_telemetry_prometheus default_prometheus = {
    .host = PP_TELEMETRY_DEFAULT_HOST,
    .port = PP_TELEMETRY_DEFAULT_PORT,
};

static const struct pp_group prometheus_group = {
    .name = "prometheus",
    .size = sizeof(struct pp_telemetry_prometheus),
    .defaults = &default_prometheus,
    .fields = prometheus_fields,
};

static const struct pp_field pull_exporter_fields[] = {
    PP_ROW_OPTIONAL(struct pp_telemetry_pull_exporter, prometheus, &prometheus_group,
                    "An endpoint for Prometheus."),
    PP_ROW_ALIAS("prometheus/development", 0, NULL),
    PP_ROW_END,
};

static const struct pp_group pull_exporter_group = {
    .name = "exporter",
    .size = sizeof(struct pp_telemetry_pull_exporter),
    .fields = pull_exporter_fields,
};

static const struct pp_field pull_fields[] = {
    PP_ROW_GROUP(struct pp_telemetry_pull, exporter, &pull_exporter_group,
                 "How metrics are shown."),
    PP_ROW_IGNORED("producers", "there are no other producers."),
    PP_ROW_IGNORED("cardinality_limits", "the number of series is bounded by the configuration."),
    PP_ROW_END,
};

static const struct pp_group pull_group = {
    .name = "pull",
    .size = sizeof(struct pp_telemetry_pull),
    .fields = pull_fields,
};

static const struct pp_field reader_fields[] = {
    PP_ROW_OPTIONAL(struct pp_telemetry_reader, pull, &pull_group, "Metrics are fetched."),
    PP_ROW_IGNORED("periodic", "metrics are not pushed; use a pull reader."),
    PP_ROW_END,
};

static const struct pp_group reader_group = {
    .name = "reader",
    .size = sizeof(struct pp_telemetry_reader),
    .fields = reader_fields,
};

static const struct pp_field metrics_fields[] = {
    PP_ROW_ENUM(struct pp_telemetry_metrics, level, 0, metrics_levels, "How much is measured."),
    PP_ROW_LIST(struct pp_telemetry_metrics, readers, 0, &reader_group, "Who reads the metrics."),
    PP_ROW_IGNORED("address",
                   "as in the Collector since 0.123; give a reader with pull.exporter.prometheus."),
    PP_ROW_IGNORED("views", "series cannot be changed."),
    PP_ROW_END,
};

static const struct pp_group metrics_group = {
    .name = "metrics",
    .size = sizeof(struct pp_telemetry_metrics),
    .fields = metrics_fields,
};

static const struct pp_field telemetry_fields[] = {
    PP_ROW_GROUP(struct pp_service_telemetry, logs, &logs_group, "The daemon's own log."),
    PP_ROW_GROUP(struct pp_service_telemetry, metrics, &metrics_group, "The daemon's own metrics."),
    PP_ROW_NODE(struct pp_service_telemetry, resource, 0,
                "Attributes that say who the daemon is; null removes a default one."),
    PP_ROW_IGNORED("traces", "the daemon makes no traces of itself."),
    PP_ROW_END,
};

static struct pp_telemetry_prometheus default_endpoint = {
    .host = PP_TELEMETRY_DEFAULT_HOST,
    .port = PP_TELEMETRY_DEFAULT_PORT,
    .without_scope_info = true,
    .without_units = true,
    .without_type_suffix = true,
};
static struct pp_telemetry_pull default_pull = {{&default_endpoint}};

const struct pp_telemetry_reader pp_telemetry_default_reader[1] = {{&default_pull}};
const char *const pp_telemetry_default_outputs[] = {"stderr", NULL};

/* {name: value} as the Collector had it first, or {attributes: [{name, value}]} as it has it since.
 */
static void validate(const void *value, struct pp_check *check)
{
    const struct pp_service_telemetry *telemetry = value;
    const struct pp_node *resource = telemetry->resource;
    const struct pp_node *list = pp_node_get(resource, "attributes");

    if (resource && resource->kind != PP_NODE_MAP && resource->kind != PP_NODE_NULL)
        pp_check_error(check, "resource", "expected a map of strings, got %s",
                       pp_node_kind_name(resource));
    for (size_t i = 0; list && list->kind == PP_NODE_LIST && i < list->n; i++) {
        if (!pp_node_get(list->items[i], "name") || !pp_node_get(list->items[i], "value"))
            pp_check_error(check, "resource.attributes", "each attribute needs a name and a value");
    }
    for (size_t i = 0; resource && resource->kind == PP_NODE_MAP && i < resource->n; i++) {
        const struct pp_node *item = resource->entries[i].value;

        if (strcmp(resource->entries[i].key->text.p, "detection/development") == 0) {
            pp_check_warn(check, "resource", "ignored: detection/development; nothing is detected");
            continue;
        }
        if (item->kind == PP_NODE_LIST ? item != list : item->kind == PP_NODE_MAP)
            pp_check_error(check, "resource", "the attribute \"%s\" must be a string, not %s",
                           resource->entries[i].key->text.p, pp_node_kind_name(item));
    }
}

const struct pp_group pp_service_telemetry_group = {
    .name = "telemetry",
    .size = sizeof(struct pp_service_telemetry),
    .defaults = &(const struct pp_service_telemetry)PP_SERVICE_TELEMETRY_DEFAULTS,
    .fields = telemetry_fields,
    .validate = validate,
};

const struct pp_telemetry_prometheus *
pp_telemetry_endpoint(const struct pp_service_telemetry *telemetry, size_t i)
{
    const struct pp_telemetry_reader *readers = telemetry->metrics.readers.v;

    if (pp_telemetry_metrics_level(telemetry) == PP_TELEMETRY_NONE)
        return NULL;
    for (size_t r = 0; r < telemetry->metrics.readers.n; r++) {
        const struct pp_telemetry_pull *pull = readers[r].pull;
        if (pull && pull->exporter.prometheus && i-- == 0)
            return pull->exporter.prometheus;
    }
    return NULL;
}

/* The i-th of {name: value}; entries that are no attributes (detection/development) are passed
 * over. */
static const struct pp_entry *attribute_entry(const struct pp_node *resource, size_t i)
{
    for (size_t e = 0; resource && resource->kind == PP_NODE_MAP && e < resource->n; e++) {
        enum pp_node_kind kind = resource->entries[e].value->kind;
        if ((kind == PP_NODE_SCALAR || kind == PP_NODE_NULL) && i-- == 0)
            return &resource->entries[e];
    }
    return NULL;
}

bool pp_telemetry_attribute(const struct pp_service_telemetry *telemetry, size_t i,
                            const char **ret_name, const char **ret_value)
{
    const struct pp_node *list = pp_node_get(telemetry->resource, "attributes"), *value;
    const struct pp_entry *entry;

    if (list && list->kind == PP_NODE_LIST) {
        if (i >= list->n)
            return false;
        *ret_name = pp_node_get(list->items[i], "name")->text.p;
        value = pp_node_get(list->items[i], "value");
    } else {
        entry = attribute_entry(telemetry->resource, i);
        if (!entry)
            return false;
        *ret_name = entry->key->text.p;
        value = entry->value;
    }
    *ret_value = value->original               ? value->original
                 : value->kind == PP_NODE_NULL ? NULL
                                               : value->text.p;
    return true;
}
