/* service.telemetry: the daemon's own logs, metrics and resource, with the Collector's keys and
 * defaults. */
#ifndef PP_CONFIG_SERVICE_TELEMETRY_H
#define PP_CONFIG_SERVICE_TELEMETRY_H

#include "config/groups/duration.h"
#include "config/rows.h"

enum pp_telemetry_level {
    PP_TELEMETRY_NONE,
    PP_TELEMETRY_BASIC,
    PP_TELEMETRY_NORMAL,
    PP_TELEMETRY_DETAILED,
    PP_TELEMETRY_LEVELS,
};

enum pp_telemetry_log_level {
    PP_TELEMETRY_DEBUG,
    PP_TELEMETRY_INFO,
    PP_TELEMETRY_WARN,
    PP_TELEMETRY_ERROR,
    PP_TELEMETRY_LOG_LEVELS,
};

enum pp_telemetry_encoding { PP_TELEMETRY_CONSOLE, PP_TELEMETRY_JSON };

/* Of repeated lines: in each tick the first `initial` of one text, then every `thereafter`-th. */
struct pp_telemetry_sampling {
    bool enabled;
    int64_t tick; /* nanoseconds */
    int64_t initial, thereafter;
};

struct pp_telemetry_logs {
    int level;    /* a spelling: pp_telemetry_log_level() says which level */
    int encoding; /* enum pp_telemetry_encoding */
    struct pp_telemetry_sampling sampling;
    struct pp_string_list output_paths; /* "stderr", "stdout" or a file */
    struct pp_string_map initial_fields;
};

/* A Prometheus endpoint to be scraped. */
struct pp_telemetry_prometheus {
    const char *host;
    int64_t port;
    bool without_scope_info, without_units, without_type_suffix;
};

struct pp_telemetry_pull_exporter {
    struct pp_telemetry_prometheus *prometheus;
};

struct pp_telemetry_pull {
    struct pp_telemetry_pull_exporter exporter;
};

struct pp_telemetry_reader {
    struct pp_telemetry_pull *pull;
};

struct pp_telemetry_metrics {
    int level;                    /* a spelling: pp_telemetry_metrics_level() says which level */
    struct pp_group_list readers; /* of struct pp_telemetry_reader; see pp_telemetry_endpoint() */
};

struct pp_service_telemetry {
    struct pp_telemetry_logs logs;
    struct pp_telemetry_metrics metrics;
    const struct pp_node *resource; /* see pp_telemetry_attribute() */
};

extern const struct pp_telemetry_reader pp_telemetry_default_reader[1];

#define PP_TELEMETRY_DEFAULT_HOST "localhost"
#define PP_TELEMETRY_DEFAULT_PORT 8888
#define PP_TELEMETRY_SAMPLING_DEFAULTS                                                             \
    {                                                                                              \
        .enabled = true, .tick = PP_NS(10), .initial = 10, .thereafter = 100                       \
    }

#define PP_SERVICE_TELEMETRY_DEFAULTS                                                              \
    {                                                                                              \
        .logs = {.level = PP_TELEMETRY_INFO,                                                       \
                 .sampling = PP_TELEMETRY_SAMPLING_DEFAULTS,                                       \
                 .output_paths = {pp_telemetry_default_outputs, 1}},                               \
        .metrics = {.level = PP_TELEMETRY_NORMAL, .readers = {pp_telemetry_default_reader, 1}},    \
    }

extern const char *const pp_telemetry_default_outputs[];
extern const struct pp_group pp_service_telemetry_group;

static inline enum pp_telemetry_log_level
pp_telemetry_log_level(const struct pp_service_telemetry *t)
{
    return (enum pp_telemetry_log_level)(t->logs.level % PP_TELEMETRY_LOG_LEVELS);
}

static inline enum pp_telemetry_level
pp_telemetry_metrics_level(const struct pp_service_telemetry *t)
{
    return (enum pp_telemetry_level)(t->metrics.level % PP_TELEMETRY_LEVELS);
}

/* The i-th Prometheus endpoint to open, or NULL after the last; none at level none. Default:
 * localhost:8888. */
const struct pp_telemetry_prometheus *
pp_telemetry_endpoint(const struct pp_service_telemetry *telemetry, size_t i);

/* The i-th attribute of service.telemetry.resource, over the default ones (service.name,
 * service.version, service.instance.id); a NULL value removes the default. False after the last. */
bool pp_telemetry_attribute(const struct pp_service_telemetry *telemetry, size_t i,
                            const char **ret_name, const char **ret_value);

#endif
