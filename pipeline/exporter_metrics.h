/* The Collector's exporterhelper metrics of one exporter. */
#ifndef PP_PIPELINE_EXPORTER_METRICS_H
#define PP_PIPELINE_EXPORTER_METRICS_H

#include "pipeline/exporter_base.h"
#include "pipeline/telemetry.h"

struct pp_exporter_metrics {
    struct pp_telemetry *telemetry;
    const char *exporter; /* label */
    const struct pp_exporter_destination *destination; /* labels */
    bool batched;         /* the histograms are filled and shown */
    struct pp_counter *sent, *enqueue_failed;
    struct pp_gauge *queue_size, *queue_capacity, *in_flight;
    struct pp_histogram *enqueue_size, *enqueue_size_bytes, *batch_size, *batch_size_bytes;
};

/* `queued`, `batched`: whether it has a queue, and a batcher; what it has not is not shown. */
void pp_exporter_metrics_init(struct pp_exporter_metrics *metrics, struct pp_exporter *self, bool queued, bool batched);
void pp_exporter_metrics_enqueue(struct pp_exporter_metrics *metrics, const struct pp_batch *batch);
void pp_exporter_metrics_send(struct pp_exporter_metrics *metrics, const struct pp_batch *batch);
/* Of a queue that is kept by an extension. */
struct pp_exporter_storage_metrics {
    struct pp_gauge *bytes;
    struct pp_counter *recovered, *damaged, *lost;
};

void pp_exporter_storage_metrics_init(struct pp_exporter_storage_metrics *metrics, struct pp_component *self);

/* Labels error_type and error_permanent say why. */
void pp_exporter_metrics_failed(struct pp_exporter_metrics *metrics, uint64_t samples, const struct pp_result *result);

#endif
