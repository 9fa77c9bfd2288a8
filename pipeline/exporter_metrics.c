#include "pipeline/exporter_metrics.h"

#include "net/grpc.h"
#include "pipeline/service.h"

static const struct pp_metric sent = {"otelcol_exporter_sent_profile_samples",
                                      "Number of profile samples successfully sent to destination.", "{samples}", NULL, 0};
static const struct pp_metric failed = {"otelcol_exporter_send_failed_profile_samples",
                                        "Number of profile samples in failed attempts to send to destination.", "{samples}",
                                        NULL, 0};
static const struct pp_metric enqueue_failed = {"otelcol_exporter_enqueue_failed_profile_samples",
                                                "Number of profile samples failed to be added to the sending queue.",
                                                "{samples}", NULL, 0};
static const struct pp_metric queue_size = {"otelcol_exporter_queue_size",
                                            "Current size of the sending queue, in the unit of its sizer.", "{batches}", NULL, 0};
static const struct pp_metric queue_capacity = {"otelcol_exporter_queue_capacity",
                                                "Fixed capacity of the sending queue, in the unit of its sizer.", "{batches}",
                                                NULL, 0};
static const struct pp_metric in_flight = {"otelcol_exporter_in_flight_requests", "Requests being sent now.", "{requests}",
                                           NULL, 0};

static const struct pp_metric storage_bytes = {"profpipe_exporter_storage_bytes", "Bytes that the stored sending queue takes on the disk.", "By", NULL, 0};
static const struct pp_metric storage_recovered = {"profpipe_exporter_storage_recovered_batches",
                                                   "Batches of earlier runs found in the stored sending queue.", "{batches}", NULL, 0};
static const struct pp_metric storage_damaged = {"profpipe_exporter_storage_damages",
                                                 "Places of the stored sending queue that could not be read; each is logged.", "{places}", NULL, 0};
static const struct pp_metric storage_lost = {"profpipe_exporter_storage_lost_samples",
                                              "Samples of accepted batches that could not be read back, as far as their number is known.",
                                              "{samples}", NULL, 0};

#define ITEMS pp_telemetry_item_bounds, PP_TELEMETRY_ITEM_BOUNDS_N
#define BYTES pp_telemetry_byte_bounds, PP_TELEMETRY_BYTE_BOUNDS_N

static const struct pp_metric enqueue_size = {"otelcol_exporter_enqueue_size", "Samples in a batch offered to the queue.",
                                              "{units}", ITEMS};
static const struct pp_metric enqueue_size_bytes = {"otelcol_exporter_enqueue_size_bytes",
                                                    "Bytes of a batch offered to the queue.", "By", BYTES};
static const struct pp_metric batch_size = {"otelcol_exporter_queue_batch_send_size", "Samples in a batch that is sent.",
                                            "{units}", ITEMS};
static const struct pp_metric batch_size_bytes = {"otelcol_exporter_queue_batch_send_size_bytes",
                                                  "Bytes of a batch that is sent.", "By", BYTES};

#define DESTINATION_LABELS_MAX 3u

/* Adds what is known of the destination; returns how many. */
static size_t add_destination(const struct pp_exporter_destination *destination, struct pp_label labels[DESTINATION_LABELS_MAX])
{
    const struct pp_label all[DESTINATION_LABELS_MAX] = {
        {"server_address", destination->server_address},
        {"server_port", destination->server_port},
        {"url_path", destination->url_path},
    };
    size_t n = 0;

    for (size_t i = 0; i < DESTINATION_LABELS_MAX; i++)
        if (all[i].value)
            labels[n++] = all[i];
    return n;
}

void pp_exporter_metrics_init(struct pp_exporter_metrics *metrics, struct pp_exporter *self, bool queued, bool batched)
{
    const struct pp_component *component = &self->component;
    struct pp_telemetry *telemetry = component->service ? pp_service_telemetry(component->service) : NULL;
    struct pp_telemetry *queue_telemetry = queued ? telemetry : NULL, *batch_telemetry = batched ? telemetry : NULL;
    const struct pp_label labels[] = {{"exporter", component->id}, {"data_type", "profiles"}};
    struct pp_label sent_labels[1 + DESTINATION_LABELS_MAX] = {labels[0]};

    metrics->telemetry = telemetry;
    metrics->exporter = component->id;
    metrics->destination = &self->destination;
    metrics->batched = batched;
    metrics->sent = pp_telemetry_counter(telemetry, &sent, sent_labels, 1 + add_destination(&self->destination, sent_labels + 1));
    metrics->enqueue_failed = pp_telemetry_counter(telemetry, &enqueue_failed, labels, 1);
    metrics->in_flight = pp_telemetry_gauge(telemetry, &in_flight, labels, 2);
    metrics->queue_size = pp_telemetry_gauge(queue_telemetry, &queue_size, labels, 2);
    metrics->queue_capacity = pp_telemetry_gauge(queue_telemetry, &queue_capacity, labels, 2);
    metrics->enqueue_size = pp_telemetry_histogram(batch_telemetry, &enqueue_size, labels, 2);
    metrics->enqueue_size_bytes = pp_telemetry_histogram(batch_telemetry, &enqueue_size_bytes, labels, 2);
    metrics->batch_size = pp_telemetry_histogram(batch_telemetry, &batch_size, labels, 2);
    metrics->batch_size_bytes = pp_telemetry_histogram(batch_telemetry, &batch_size_bytes, labels, 2);
}

void pp_exporter_storage_metrics_init(struct pp_exporter_storage_metrics *metrics, struct pp_component *self)
{
    struct pp_telemetry *telemetry = self->service ? pp_service_telemetry(self->service) : NULL;
    const struct pp_label label = {"exporter", self->id};

    metrics->bytes = pp_telemetry_gauge(telemetry, &storage_bytes, &label, 1);
    metrics->recovered = pp_telemetry_counter(telemetry, &storage_recovered, &label, 1);
    metrics->damaged = pp_telemetry_counter(telemetry, &storage_damaged, &label, 1);
    metrics->lost = pp_telemetry_counter(telemetry, &storage_lost, &label, 1);
}

/* Sizing a batch that was edited costs a pass over its tables, so that it is done only where it is shown. */
void pp_exporter_metrics_enqueue(struct pp_exporter_metrics *metrics, const struct pp_batch *batch)
{
    if (!metrics->batched)
        return;
    pp_histogram_record(metrics->enqueue_size, (double)pp_batch_samples(batch));
    pp_histogram_record(metrics->enqueue_size_bytes, (double)pp_batch_wire_bytes(batch));
}

void pp_exporter_metrics_send(struct pp_exporter_metrics *metrics, const struct pp_batch *batch)
{
    if (!metrics->batched)
        return;
    pp_histogram_record(metrics->batch_size, (double)pp_batch_samples(batch));
    pp_histogram_record(metrics->batch_size_bytes, (double)pp_batch_wire_bytes(batch));
}

void pp_exporter_metrics_failed(struct pp_exporter_metrics *metrics, uint64_t samples, const struct pp_result *result)
{
    bool has_status = result->status > PP_STATUS_OK;
    struct pp_label labels[3 + DESTINATION_LABELS_MAX] = {
        {"exporter", metrics->exporter},
        {"error_permanent", result->outcome == PP_PERMANENT ? "true" : "false"},
        {"error_type", has_status ? pp_grpc_code_name((enum pp_grpc_code)result->status) : "_OTHER"},
    };

    pp_counter_add(pp_telemetry_counter(metrics->telemetry, &failed, labels, 3 + add_destination(metrics->destination, labels + 3)), samples);
}
