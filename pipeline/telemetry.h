/* Self telemetry: counters, gauges and histograms that any thread updates without a lock, and their Prometheus text form.
 *
 * A series is asked for once, by name and labels, when a component is made, and lives as long as the registry: the same name and labels give
 * the same series, so that counts go on over a reload. Nothing here ever returns NULL: when memory is out or the registry is full the caller gets a
 * series that counts but is not shown. Names and units are the Collector's, without the suffixes that the exposition may add. */
#ifndef PP_PIPELINE_TELEMETRY_H
#define PP_PIPELINE_TELEMETRY_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

/* Series of one registry; beyond it new ones are not shown. Labels come from the configuration and from result classes, not from peers. */
#define PP_TELEMETRY_SERIES_MAX 20000u
#define PP_TELEMETRY_LABELS_MAX 8u

struct pp_telemetry;

struct pp_label {
    const char *name, *value;
};

/* What all series of one name share. Static life. */
struct pp_metric {
    const char *name; /* "otelcol_exporter_sent_profile_samples" */
    const char *help;
    const char *unit;       /* UCUM: "By", "s", "{samples}"; "" */
    const double *bounds;   /* histograms: upper bounds, rising */
    size_t bounds_n;
};

struct pp_counter {
    _Atomic uint64_t value;
};

struct pp_gauge {
    _Atomic int64_t value;
};

struct pp_histogram;

struct pp_telemetry *pp_telemetry_new(void);
void pp_telemetry_free(struct pp_telemetry *telemetry);

/* `telemetry` NULL gives a series that is not shown. `labels` are copied. */
struct pp_counter *pp_telemetry_counter(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                        const struct pp_label *labels, size_t labels_n);
struct pp_gauge *pp_telemetry_gauge(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                    const struct pp_label *labels, size_t labels_n);
struct pp_histogram *pp_telemetry_histogram(struct pp_telemetry *telemetry, const struct pp_metric *metric,
                                            const struct pp_label *labels, size_t labels_n);

static inline void pp_counter_add(struct pp_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

static inline void pp_gauge_add(struct pp_gauge *gauge, int64_t n)
{
    atomic_fetch_add_explicit(&gauge->value, n, memory_order_relaxed);
}

static inline void pp_gauge_set(struct pp_gauge *gauge, int64_t n)
{
    atomic_store_explicit(&gauge->value, n, memory_order_relaxed);
}

void pp_histogram_record(struct pp_histogram *histogram, double value);

/* Reads one series by its labels, for tests and zpages; 0 when there is none. */
uint64_t pp_telemetry_value(struct pp_telemetry *telemetry, const char *name, const struct pp_label *labels, size_t labels_n);

struct pp_telemetry_text_options {
    bool type_suffix; /* counters end in _total */
    bool unit_suffix; /* _bytes, _seconds */
};

/* Appends the Prometheus text format 0.0.4: every series, and the process's own (otelcol_process_*). */
bool pp_telemetry_write(struct pp_telemetry *telemetry, const struct pp_telemetry_text_options *options, struct pp_buf *out);

/* Bounds of the Collector's batch size histograms: items, and bytes. */
#define PP_TELEMETRY_ITEM_BOUNDS_N 22u
#define PP_TELEMETRY_BYTE_BOUNDS_N 39u
extern const double pp_telemetry_item_bounds[PP_TELEMETRY_ITEM_BOUNDS_N];
extern const double pp_telemetry_byte_bounds[PP_TELEMETRY_BYTE_BOUNDS_N];

#endif
