#include "pipeline/telemetry.h"

#include <string.h>

#include "base/clock.h"
#include "pipeline/telemetry_series.h"

/* Longest rendered label set; longer ones are not shown. */
#define LABELS_BYTES_MAX 4096u

static struct pp_counter counter_not_shown;
static struct pp_gauge gauge_not_shown;
static _Atomic uint64_t bucket_not_shown;
static struct pp_histogram histogram_not_shown = {.buckets = &bucket_not_shown};

struct pp_telemetry *pp_telemetry_new(void)
{
    struct pp_telemetry *telemetry = pp_calloc(1, sizeof(*telemetry));

    if (!telemetry)
        return NULL;
    pthread_mutex_init(&telemetry->lock, NULL);
    telemetry->started_mono_ns = pp_clock_mono_ns();
    return telemetry;
}

static void series_free(struct pp_series *series, enum pp_series_kind kind)
{
    if (kind == PP_SERIES_HISTOGRAM)
        pp_free((void *)series->histogram.buckets);
    pp_free(series->labels);
    pp_free(series);
}

void pp_telemetry_free(struct pp_telemetry *telemetry)
{
    if (!telemetry)
        return;
    for (size_t i = 0; i < telemetry->families.n; i++) {
        struct pp_family *family = telemetry->families.v[i];

        for (size_t k = 0; k < family->series.n; k++)
            series_free(family->series.v[k], family->kind);
        pp_vec_done(&family->series);
        pp_free(family);
    }
    pp_vec_done(&telemetry->families);
    pthread_mutex_destroy(&telemetry->lock);
    pp_free(telemetry);
}

static void add_escaped(struct pp_buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            pp_buf_add_c(out, "\\n");
        else if (*value == '"' || *value == '\\')
            pp_buf_printf(out, "\\%c", *value);
        else
            pp_buf_add_byte(out, *value);
    }
}

/* NULL when memory is out or the labels are too long. */
static char *labels_render(const struct pp_label *labels, size_t n)
{
    struct pp_buf buf;
    char *text;

    if (n > PP_TELEMETRY_LABELS_MAX)
        return NULL;
    pp_buf_init(&buf, LABELS_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        pp_buf_printf(&buf, "%s%s=\"", i ? "," : "", labels[i].name);
        add_escaped(&buf, labels[i].value);
        pp_buf_add_byte(&buf, '"');
    }
    text = buf.failed ? NULL : pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    return text;
}

static struct pp_family *family_find(struct pp_telemetry *telemetry, const char *name)
{
    for (size_t i = 0; i < telemetry->families.n; i++)
        if (strcmp(telemetry->families.v[i]->metric->name, name) == 0)
            return telemetry->families.v[i];
    return NULL;
}

static struct pp_series *series_find(struct pp_family *family, const char *labels)
{
    for (size_t i = 0; i < family->series.n; i++)
        if (strcmp(family->series.v[i]->labels, labels) == 0)
            return family->series.v[i];
    return NULL;
}

static struct pp_family *family_make(struct pp_telemetry *telemetry, const struct pp_metric *metric, enum pp_series_kind kind)
{
    struct pp_family *family = family_find(telemetry, metric->name);

    if (family)
        return family->kind == kind ? family : NULL;
    family = pp_calloc(1, sizeof(*family));
    if (!family)
        return NULL;
    family->metric = metric;
    family->kind = kind;
    if (pp_vec_push(&telemetry->families, family))
        return family;
    pp_free(family);
    return NULL;
}

/* Takes `labels` on success. */
static struct pp_series *series_make(struct pp_telemetry *telemetry, struct pp_family *family, char *labels)
{
    const struct pp_metric *metric = family->metric;
    struct pp_series *series;

    if (telemetry->series_n >= PP_TELEMETRY_SERIES_MAX)
        return NULL;
    series = pp_calloc(1, sizeof(*series));
    if (!series)
        return NULL;
    if (family->kind == PP_SERIES_HISTOGRAM) {
        series->histogram.bounds = metric->bounds;
        series->histogram.bounds_n = metric->bounds_n;
        series->histogram.buckets = pp_calloc(metric->bounds_n + 1, sizeof(*series->histogram.buckets));
        if (!series->histogram.buckets) {
            pp_free(series);
            return NULL;
        }
    }
    series->labels = labels;
    if (!pp_vec_push(&family->series, series)) {
        series->labels = NULL;
        series_free(series, family->kind);
        return NULL;
    }
    telemetry->series_n++;
    return series;
}

static struct pp_series *series_get(struct pp_telemetry *telemetry, const struct pp_metric *metric, enum pp_series_kind kind,
                                    const struct pp_label *labels, size_t labels_n)
{
    struct pp_series *series = NULL;
    struct pp_family *family;
    char *text;

    if (!telemetry)
        return NULL;
    text = labels_render(labels, labels_n);
    if (!text)
        return NULL;
    pthread_mutex_lock(&telemetry->lock);
    family = family_make(telemetry, metric, kind);
    if (family)
        series = series_find(family, text);
    if (family && !series) {
        series = series_make(telemetry, family, text);
        if (series)
            text = NULL;
    }
    pthread_mutex_unlock(&telemetry->lock);
    pp_free(text);
    return series;
}

struct pp_counter *pp_telemetry_counter(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                        const struct pp_label *labels, size_t labels_n)
{
    struct pp_series *series = series_get(telemetry, metric, PP_SERIES_COUNTER, labels, labels_n);

    return series ? &series->counter : &counter_not_shown;
}

struct pp_gauge *pp_telemetry_gauge(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                    const struct pp_label *labels, size_t labels_n)
{
    struct pp_series *series = series_get(telemetry, metric, PP_SERIES_GAUGE, labels, labels_n);

    return series ? &series->gauge : &gauge_not_shown;
}

struct pp_histogram *pp_telemetry_histogram(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                            const struct pp_label *labels, size_t labels_n)
{
    struct pp_series *series = series_get(telemetry, metric, PP_SERIES_HISTOGRAM, labels, labels_n);

    return series ? &series->histogram : &histogram_not_shown;
}

void pp_histogram_record(struct pp_histogram *histogram, double value)
{
    double sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    size_t i = 0;

    while (i < histogram->bounds_n && value > histogram->bounds[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->sum, &sum, sum + value, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

static uint64_t series_value(const struct pp_series *series, enum pp_series_kind kind)
{
    uint64_t n = 0;

    if (kind == PP_SERIES_COUNTER)
        return atomic_load(&series->counter.value);
    if (kind == PP_SERIES_GAUGE)
        return (uint64_t)atomic_load(&series->gauge.value);
    for (size_t i = 0; i <= series->histogram.bounds_n; i++)
        n += atomic_load(&series->histogram.buckets[i]);
    return n;
}

uint64_t pp_telemetry_value(struct pp_telemetry *telemetry, const char *name, const struct pp_label *labels, size_t labels_n)
{
    char *text = labels_render(labels, labels_n);
    struct pp_series *series = NULL;
    struct pp_family *family;
    uint64_t value = 0;

    if (!text)
        return 0;
    pthread_mutex_lock(&telemetry->lock);
    family = family_find(telemetry, name);
    if (family)
        series = series_find(family, text);
    if (series)
        value = series_value(series, family->kind);
    pthread_mutex_unlock(&telemetry->lock);
    pp_free(text);
    return value;
}

/* The Collector's explicit bounds: exporterhelper's queue_batch_send_size and queue_batch_send_size_bytes. */
const double pp_telemetry_item_bounds[PP_TELEMETRY_ITEM_BOUNDS_N] = {10,   25,   50,   75,   100,  250,  500,  750,   1000,  2000,  3000,
                                           4000, 5000, 6000, 7000, 8000, 9000, 10e3, 20e3,  30e3,  50e3,  100e3};
const double pp_telemetry_byte_bounds[PP_TELEMETRY_BYTE_BOUNDS_N] = {10,    25,    50,    75,    100,   250,   500,   750,   1000,  2000,  3000,
                                           4000,  5000,  6000,  7000,  8000,  9000,  10e3,  20e3,  30e3,  50e3,  100e3,
                                           200e3, 300e3, 400e3, 500e3, 600e3, 700e3, 800e3, 900e3, 1e6,   2e6,   3e6,
                                           4e6,   5e6,   6e6,   7e6,   8e6,   9e6};
