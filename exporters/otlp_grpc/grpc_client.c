#include "grpc_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "grpc_channel.h"
#include "grpc_method.h"
#include "net/compress.h"
#include "otlp_client/otlp_request.h"
#include "pipeline/exporter_base.h"

#define STATUS_DETAILS "grpc-status-details-bin"

struct pp_grpc_client {
    struct pp_component *owner;
    const struct pp_grpc_client_config *config;
    struct pp_grpc_channels *channels;
    grpc_metadata *metadata; /* sent with each call; slices owned */
    size_t metadata_n;
};

struct pp_grpc_worker {
    struct pp_grpc_client *client;
    grpc_completion_queue *queue;
    struct pp_bytes *body; /* of the last answer */
};

/* What the library fills in during a call. */
struct call {
    grpc_call *core;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice details;
    const char *error_string; /* for debugging; ours to free */
};

static void metadata_free(struct pp_grpc_client *client)
{
    for (size_t i = 0; i < client->metadata_n; i++) {
        grpc_slice_unref(client->metadata[i].key);
        grpc_slice_unref(client->metadata[i].value);
    }
    pp_free(client->metadata);
}

static bool is_binary(const char *key)
{
    size_t n = strlen(key);

    return n > 4 && strcmp(key + n - 4, "-bin") == 0;
}

static grpc_slice lower_slice(const char *text)
{
    grpc_slice slice = grpc_slice_from_copied_string(text);
    uint8_t *p = GRPC_SLICE_START_PTR(slice);

    for (size_t i = 0; i < GRPC_SLICE_LENGTH(slice); i++) {
        p[i] |= p[i] >= 'A' && p[i] <= 'Z' ? 0x20 : 0;
    }
    return slice;
}

static bool metadata_add(struct pp_grpc_client *client, const char *key, const char *value,
                         struct pp_error *err)
{
    grpc_metadata *entry = &client->metadata[client->metadata_n];

    entry->key = lower_slice(key);
    entry->value = grpc_slice_from_copied_string(value);
    client->metadata_n++;
    if (!grpc_header_key_is_legal(entry->key)) {
        return pp_error_set(err, PP_ERR_CONFIG, "headers: \"%s\" is not a legal name", key);
    }
    return is_binary(key) || grpc_header_nonbin_value_is_legal(entry->value) ||
           pp_error_set(err, PP_ERR_CONFIG,
                        "headers: the value of \"%s\" has bytes that a header cannot hold", key);
}

static bool metadata_make(struct pp_grpc_client *client, struct pp_error *err)
{
    const struct pp_string_map *headers = &client->config->headers;

    client->metadata = pp_calloc(headers->n + 1, sizeof(*client->metadata));
    if (!client->metadata) {
        return pp_error_nomem(err);
    }
    for (size_t i = 0; i < headers->n; i++) {
        if (!metadata_add(client, headers->v[i].key, headers->v[i].value, err)) {
            return false;
        }
    }
    return metadata_add(client, PP_OTLP_VERSION_HEADER, PP_OTLP_VERSION, err);
}

struct pp_grpc_client *pp_grpc_client_new(struct pp_component *owner,
                                          const struct pp_grpc_client_config *config,
                                          struct pp_error *err)
{
    struct pp_grpc_client *client = pp_calloc(1, sizeof(*client));

    if (!client) {
        pp_error_nomem(err);
        return NULL;
    }
    client->owner = owner;
    client->config = config;
    client->channels = pp_grpc_channels_new(config, err);
    if (!client->channels || !metadata_make(client, err)) {
        pp_grpc_client_free(client);
        return NULL;
    }
    return client;
}

void pp_grpc_client_free(struct pp_grpc_client *client)
{
    if (!client) {
        return;
    }
    metadata_free(client);
    pp_grpc_channels_free(client->channels);
    pp_free(client);
}

struct pp_grpc_worker *pp_grpc_worker_new(struct pp_grpc_client *client, struct pp_error *err)
{
    struct pp_grpc_worker *worker = pp_calloc(1, sizeof(*worker));

    if (!worker) {
        pp_error_nomem(err);
        return NULL;
    }
    worker->client = client;
    worker->queue = grpc_completion_queue_create_for_pluck(NULL);
    return worker;
}

void pp_grpc_worker_free(struct pp_grpc_worker *worker)
{
    if (!worker) {
        return;
    }
    grpc_completion_queue_shutdown(worker->queue);
    while (
        grpc_completion_queue_pluck(worker->queue, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
            .type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(worker->queue);
    pp_bytes_unref(worker->body);
    pp_free(worker);
}

static void bytes_unref(void *bytes)
{
    pp_bytes_unref(bytes);
}

/* The message without a copy: grpc core gives the reference up when the last byte is sent. */
static grpc_byte_buffer *buffer_of(struct pp_bytes *message, bool gzip)
{
    grpc_slice slice = grpc_slice_new_with_user_data(message->data, message->len, bytes_unref,
                                                     pp_bytes_ref(message));
    grpc_byte_buffer *buffer = grpc_raw_compressed_byte_buffer_create(
        &slice, 1, gzip ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);

    grpc_slice_unref(slice);
    return buffer;
}

static gpr_timespec core_deadline(uint64_t deadline_mono_ms)
{
    uint64_t now = pp_clock_mono_ms();
    uint64_t left = deadline_mono_ms > now ? deadline_mono_ms - now : 0;

    if (deadline_mono_ms == UINT64_MAX) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis((int64_t)left, GPR_TIMESPAN));
}

/* Waits for the call's end. Its own deadline ends it, unless the exporter is shut down and wants it
 * ended before. */
static void call_wait(struct pp_grpc_worker *worker, struct call *call, uint64_t deadline_mono_ms)
{
    struct pp_component *owner = worker->client->owner;
    bool cancelled = false;

    for (;;) {
        gpr_timespec poll = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                         gpr_time_from_millis(PP_EXPORTER_POLL_MS, GPR_TIMESPAN));

        if (grpc_completion_queue_pluck(worker->queue, call, poll, NULL).type == GRPC_OP_COMPLETE) {
            return;
        }
        if (!cancelled && pp_clock_mono_ms() >= pp_exporter_deadline(owner, deadline_mono_ms)) {
            /* The core's own timer may come later than our look at the clock: the same status either way. */
            if (pp_clock_mono_ms() >= deadline_mono_ms)
                grpc_call_cancel_with_status(call->core, GRPC_STATUS_DEADLINE_EXCEEDED, "Deadline Exceeded", NULL);
            else
                grpc_call_cancel(call->core, NULL);
            cancelled = true;
        }
    }
}

/* All of a unary call as one batch. */
static bool call_start(struct pp_grpc_worker *worker, struct call *call, grpc_byte_buffer *message)
{
    const struct pp_grpc_client *client = worker->client;
    grpc_op ops[6] = {0};

    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = client->config->wait_for_ready
                       ? GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                             GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
                       : 0;
    ops[0].data.send_initial_metadata.metadata = client->metadata;
    ops[0].data.send_initial_metadata.count = client->metadata_n;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &call->received;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
    ops[5].data.recv_status_on_client.status = &call->status;
    ops[5].data.recv_status_on_client.status_details = &call->details;
    ops[5].data.recv_status_on_client.error_string = &call->error_string;
    return grpc_call_start_batch(call->core, ops, 6, call, NULL) == GRPC_CALL_OK;
}

static struct pp_str slice_str(const grpc_slice *slice)
{
    return (struct pp_str){(const char *)GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
}

static int64_t retry_delay(const grpc_metadata_array *trailing)
{
    struct pp_rpc_status status;

    for (size_t i = 0; i < trailing->count; i++) {
        if (pp_str_eq(slice_str(&trailing->metadata[i].key), PP_STR(STATUS_DETAILS)) &&
            pp_rpc_status_parse(slice_str(&trailing->metadata[i].value), &status)) {
            return status.retry_delay_ms;
        }
    }
    return -1;
}

/* The received message in one piece and inflated; NULL when it is none. */
static struct pp_bytes *body_of(grpc_byte_buffer *received)
{
    grpc_byte_buffer_reader reader;
    struct pp_bytes *body = NULL;
    grpc_slice whole;

    if (!received || !grpc_byte_buffer_reader_init(&reader, received)) {
        return NULL;
    }
    whole = grpc_byte_buffer_reader_readall(&reader);
    if (received->data.raw.compression == GRPC_COMPRESS_NONE) {
        body = pp_bytes_copy(slice_str(&whole));
    } else if (received->data.raw.compression == GRPC_COMPRESS_GZIP) {
        struct pp_bytes *inflated;

        body =
            pp_decompress(PP_ENCODING_GZIP, slice_str(&whole), PP_ANSWER_BYTES_MAX, &inflated, NULL)
                ? inflated
                : NULL;
    }
    grpc_slice_unref(whole);
    grpc_byte_buffer_reader_destroy(&reader);
    return body;
}

static void answer_read(struct pp_grpc_worker *worker, struct call *call,
                        struct pp_grpc_answer *ret)
{
    *ret = (struct pp_grpc_answer){.code = (int)call->status, .retry_delay_ms = -1};
    if (call->status != GRPC_STATUS_OK) {
        pp_answer_text(ret->message, slice_str(&call->details));
        ret->retry_delay_ms = retry_delay(&call->trailing);
        return;
    }
    worker->body = body_of(call->received);
    if (worker->body) {
        ret->body = pp_bytes_str(worker->body);
        ret->body_valid = true;
    }
}

static void call_done(struct call *call)
{
    grpc_byte_buffer_destroy(call->received);
    grpc_slice_unref(call->details);
    gpr_free((void *)call->error_string);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_call_unref(call->core);
}

static void call_on(struct pp_grpc_worker *worker, struct pp_grpc_channel *channel,
                    grpc_byte_buffer *message, uint64_t deadline_mono_ms,
                    struct pp_grpc_answer *ret)
{
    struct call call = {.details = grpc_empty_slice()};

    grpc_metadata_array_init(&call.initial);
    grpc_metadata_array_init(&call.trailing);
    call.core = grpc_channel_create_call(
        channel->core, NULL, GRPC_PROPAGATE_DEFAULTS, worker->queue,
        grpc_slice_from_static_string(PP_GRPC_METHOD), NULL, core_deadline(deadline_mono_ms), NULL);
    if (call_start(worker, &call, message)) {
        call_wait(worker, &call, deadline_mono_ms);
        answer_read(worker, &call, ret);
    } else {
        *ret = (struct pp_grpc_answer){.code = GRPC_STATUS_INTERNAL,
                                       .message = "grpc core refuses to start the call",
                                       .retry_delay_ms = -1};
    }
    call_done(&call);
}

void pp_grpc_call(struct pp_grpc_worker *worker, struct pp_bytes *message, bool gzip,
                  uint64_t deadline_mono_ms, struct pp_grpc_answer *ret)
{
    struct pp_error warning;
    struct pp_grpc_channel *channel = pp_grpc_channels_get(worker->client->channels, &warning);
    grpc_byte_buffer *buffer;

    pp_bytes_unref(worker->body);
    worker->body = NULL;
    if (warning.kind != PP_ERR_NONE) {
        pp_log(PP_LOG_WARN, worker->client->owner->log_id, "%s", warning.message);
    }
    if (!channel) {
        *ret = (struct pp_grpc_answer){
            .code = GRPC_STATUS_UNAVAILABLE, .message = "out of memory", .retry_delay_ms = -1};
        return;
    }
    buffer = buffer_of(message, gzip);
    call_on(worker, channel, buffer, deadline_mono_ms, ret);
    grpc_byte_buffer_destroy(buffer);
    pp_grpc_channel_unref(channel);
}
