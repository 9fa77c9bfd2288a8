#include "config/groups/sending_queue.h"

static const char *const sizers[] = {"requests", "items", "bytes", NULL};

static const struct pp_field partition_fields[] = {
    PP_ROW_STRINGS(struct pp_batch_partition, metadata_keys, 0,
                   "Request metadata whose values keep batches apart; needs include_metadata at "
                   "the receiver."),
    PP_ROW_IGNORED("cache_size", "the number of partitions is bounded by the queue."),
    PP_ROW_IGNORED("idle_timeout", "a partition goes when its batch has gone."),
    PP_ROW_END,
};

static const struct pp_group partition_group = {
    .name = "partition",
    .size = sizeof(struct pp_batch_partition),
    .fields = partition_fields,
};

const struct pp_field pp_batch_fields[] = {
    PP_ROW_DURATION(struct pp_batch_config, flush_timeout, 0, 0, PP_DURATION_MAX_S,
                    "A batch goes out after this time even when it is smaller than min_size."),
    PP_ROW_INT(struct pp_batch_config, min_size, 0, 0, 1e15,
               "A batch of this size goes out at once."),
    PP_ROW_INT(struct pp_batch_config, max_size, 0, 0, 1e15,
               "Larger batches are split; 0 never splits."),
    PP_ROW_ENUM(struct pp_batch_config, sizer, 0, sizers,
                "Unit of both sizes: items (samples) or bytes."),
    PP_ROW_GROUP(struct pp_batch_config, partition, &partition_group, "What keeps batches apart."),
    PP_ROW_END,
};

static void validate_batch(const void *value, struct pp_check *check)
{
    const struct pp_batch_config *batch = value;

    if (batch->sizer == PP_SIZER_REQUESTS)
        pp_check_error(check, "sizer", "a batch is sized in items or bytes, not in requests");
    if (batch->flush_timeout == 0)
        pp_check_error(check, "flush_timeout", "must be more than 0");
    if (batch->max_size && batch->max_size < batch->min_size)
        pp_check_error(check, "max_size", "must not be less than min_size (%lld)",
                       (long long)batch->min_size);
}

const struct pp_group pp_batch_group = {
    .name = "batch",
    .size = sizeof(struct pp_batch_config),
    .defaults = &(const struct pp_batch_config)PP_BATCH_DEFAULTS,
    .fields = pp_batch_fields,
    .validate = validate_batch,
};

const struct pp_field pp_sending_queue_fields[] = {
    PP_ROW_BOOL(struct pp_sending_queue_config, enabled, 0,
                "Whether batches wait in a queue; without it the sender waits for the answer."),
    PP_ROW_INT(struct pp_sending_queue_config, num_consumers, 0, 1, 1000, "Messages under way at once."),
    PP_ROW_INT(struct pp_sending_queue_config, queue_size, 0, 0, 1e15,
               "Most that waits, in units of sizer."),
    PP_ROW_INT(struct pp_sending_queue_config, max_bytes_mib, 0, 0, 1 << 20,
               "Most memory that waits, in MiB, whatever queue_size says; 0 sets no such limit. "
               "Not in the Collector."),
    PP_ROW_ENUM(struct pp_sending_queue_config, sizer, 0, sizers,
                "Unit of queue_size: requests, items (samples) or bytes."),
    PP_ROW_BOOL(struct pp_sending_queue_config, block_on_overflow, 0,
                "A full queue makes the sender wait instead of refusing."),
    PP_ROW_BOOL(struct pp_sending_queue_config, wait_for_result, 0,
                "The sender waits until its batch has been delivered."),
    PP_ROW_EXTENSION(struct pp_sending_queue_config, storage, 0, PP_OFFERS_STORAGE,
                     "Id of the storage extension that keeps the queue over restarts."),
    PP_ROW_OPTIONAL(struct pp_sending_queue_config, batch, &pp_batch_group,
                    "Merges and splits what waits before it is sent."),
    PP_ROW_END,
};

static void validate_queue(const void *value, struct pp_check *check)
{
    const struct pp_sending_queue_config *queue = value;
    const struct pp_batch_config *batch = queue->batch;

    if (!queue->enabled)
        return; /* the Collector looks no further either */
    if (queue->queue_size == 0)
        pp_check_error(check, "queue_size", "must be more than 0");
    if (queue->storage && queue->wait_for_result)
        pp_check_error(check, "wait_for_result", "cannot be combined with storage");
    if (batch && batch->sizer == queue->sizer && batch->min_size > queue->queue_size)
        pp_check_error(check, "batch.min_size", "must not be more than queue_size (%lld)",
                       (long long)queue->queue_size);
}

const struct pp_group pp_sending_queue_group = {
    .name = "sending_queue",
    .size = sizeof(struct pp_sending_queue_config),
    .defaults = &(const struct pp_sending_queue_config)PP_SENDING_QUEUE_DEFAULTS,
    .fields = pp_sending_queue_fields,
    .validate = validate_queue,
};
