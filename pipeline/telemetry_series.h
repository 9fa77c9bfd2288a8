/* Private to telemetry*.c: how the registry keeps its series. */
#ifndef PP_PIPELINE_TELEMETRY_SERIES_H
#define PP_PIPELINE_TELEMETRY_SERIES_H

#include <pthread.h>

#include "base/vec.h"
#include "pipeline/telemetry.h"

enum pp_series_kind { PP_SERIES_COUNTER, PP_SERIES_GAUGE, PP_SERIES_HISTOGRAM };

struct pp_histogram {
    const double *bounds;
    size_t bounds_n;
    _Atomic double sum;
    _Atomic uint64_t *buckets; /* bounds_n + 1, not cumulative */
};

struct pp_series {
    char *labels; /* as exposed, without braces: a="b",c="d" */
    union {
        struct pp_counter counter;
        struct pp_gauge gauge;
        struct pp_histogram histogram;
    };
};

struct pp_family {
    const struct pp_metric *metric;
    enum pp_series_kind kind;
    PP_VEC(struct pp_series *) series;
};

struct pp_telemetry {
    pthread_mutex_t lock; /* of the lists; values are atomic */
    uint64_t started_mono_ns;
    size_t series_n;
    PP_VEC(struct pp_family *) families;
};

/* Appends the metrics of this process. */
void pp_telemetry_write_process(const struct pp_telemetry *telemetry, const struct pp_telemetry_text_options *options,
                                struct pp_buf *out);
/* "# HELP" and "# TYPE", and the name with its suffixes into `ret_name`. */
void pp_telemetry_write_head(const struct pp_metric *metric, enum pp_series_kind kind,
                             const struct pp_telemetry_text_options *options, char *ret_name, size_t ret_name_size,
                             struct pp_buf *out);

#endif
