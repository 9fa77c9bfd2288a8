/* The Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#include <stdio.h>
#include <string.h>

#include "pipeline/telemetry_series.h"

#define NAME_BYTES_MAX 256u

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}

static void append(char *name, size_t size, const char *suffix)
{
    size_t n = strlen(name);

    if (!ends_with(name, suffix) && n + strlen(suffix) < size)
        memcpy(name + n, suffix, strlen(suffix) + 1);
}

void pp_telemetry_write_head(const struct pp_metric *metric, enum pp_series_kind kind,
                             const struct pp_telemetry_text_options *options, char *ret_name, size_t ret_name_size,
                             struct pp_buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    snprintf(ret_name, ret_name_size, "%s", metric->name);
    if (options->unit_suffix && strcmp(metric->unit, "By") == 0)
        append(ret_name, ret_name_size, "_bytes");
    if (options->unit_suffix && strcmp(metric->unit, "s") == 0)
        append(ret_name, ret_name_size, "_seconds");
    if (options->type_suffix && kind == PP_SERIES_COUNTER)
        append(ret_name, ret_name_size, "_total");
    pp_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", ret_name, metric->help, ret_name, types[kind]);
}

static void write_simple(const char *name, const char *labels, struct pp_buf *out)
{
    pp_buf_add_c(out, name);
    if (*labels)
        pp_buf_printf(out, "{%s}", labels);
    pp_buf_add_byte(out, ' ');
}

static void write_histogram(const char *name, const struct pp_series *series, struct pp_buf *out)
{
    const struct pp_histogram *histogram = &series->histogram;
    const char *comma = *series->labels ? "," : "";
    uint64_t n = 0;

    for (size_t i = 0; i < histogram->bounds_n; i++) {
        n += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        pp_buf_printf(out, "%s_bucket{%s%sle=\"%.15g\"} %llu\n", name, series->labels, comma, histogram->bounds[i],
                      (unsigned long long)n);
    }
    n += atomic_load_explicit(&histogram->buckets[histogram->bounds_n], memory_order_relaxed);
    pp_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, series->labels, comma, (unsigned long long)n);
    pp_buf_printf(out, "%s_sum%s%s%s %.15g\n", name, *series->labels ? "{" : "", series->labels, *series->labels ? "}" : "",
                  atomic_load_explicit(&histogram->sum, memory_order_relaxed));
    pp_buf_printf(out, "%s_count%s%s%s %llu\n", name, *series->labels ? "{" : "", series->labels,
                  *series->labels ? "}" : "", (unsigned long long)n);
}

static void write_family(const struct pp_family *family, const struct pp_telemetry_text_options *options, struct pp_buf *out)
{
    char name[NAME_BYTES_MAX];

    pp_telemetry_write_head(family->metric, family->kind, options, name, sizeof(name), out);
    for (size_t i = 0; i < family->series.n; i++) {
        const struct pp_series *series = family->series.v[i];

        if (family->kind == PP_SERIES_HISTOGRAM) {
            write_histogram(name, series, out);
            continue;
        }
        write_simple(name, series->labels, out);
        if (family->kind == PP_SERIES_COUNTER)
            pp_buf_printf(out, "%llu\n", (unsigned long long)atomic_load(&series->counter.value));
        else
            pp_buf_printf(out, "%lld\n", (long long)atomic_load(&series->gauge.value));
    }
}

bool pp_telemetry_write(struct pp_telemetry *telemetry, const struct pp_telemetry_text_options *options, struct pp_buf *out)
{
    pthread_mutex_lock(&telemetry->lock);
    for (size_t i = 0; i < telemetry->families.n; i++)
        if (telemetry->families.v[i]->series.n)
            write_family(telemetry->families.v[i], options, out);
    pthread_mutex_unlock(&telemetry->lock);
    pp_telemetry_write_process(telemetry, options, out);
    return !out->failed;
}
