/* What every exporter shares: bounded queue, batching, retry with back-off and jitter, timeout, worker threads, drain at shutdown, and the Collector's
 * exporter metrics. An exporter embeds struct pp_exporter (which begins with struct pp_component) first in its instance struct and fills in a send
 * function; its factory's slots point at pp_exporter_start / _consume / _shutdown (or wrap them). */
#ifndef PP_PIPELINE_EXPORTER_BASE_H
#define PP_PIPELINE_EXPORTER_BASE_H

#include "pipeline/component.h"

struct pp_sending_queue_config; /* config/groups/sending_queue.h */
struct pp_retry_config;         /* config/groups/retry_on_failure.h */
struct pp_exporter_core;        /* private to exporter_base.c */

struct pp_exporter_ops {
    /* One per worker thread (and one for the case without a queue, made on first use and serialised); NULL with an error stops the start. Connections are
     * made lazily in `send`, not here. May be NULL: then `worker` below is NULL. */
    void *(*worker_open)(struct pp_component *self, struct pp_error *err);
    /* Sends one batch and waits for the answer until the deadline (pp_clock_mono_ms; UINT64_MAX: none; see pp_exporter_deadline). Called on the worker's own thread; may block till then. Does not take the
     * reference. `ret->message` must live until the next send of this worker. Log nothing: the base logs final failures, once. */
    void (*send)(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_mono_ms, struct pp_result *ret);
    void (*worker_close)(struct pp_component *self, void *worker);
};

struct pp_exporter {
    struct pp_component component; /* first */
    struct pp_exporter_core *core;
};

/* Call in `create`. `queue` and `retry` may be NULL: no queue (consume sends on a worker of its own and answers with the result), no retries. Both belong to the
 * config and live as long as the instance. `timeout_ns` 0: none. */
bool pp_exporter_create(struct pp_exporter *self, const struct pp_exporter_ops *ops, const struct pp_sending_queue_config *queue,
                        const struct pp_retry_config *retry, int64_t timeout_ns, struct pp_error *err);
bool pp_exporter_start(struct pp_component *self, struct pp_error *err);
void pp_exporter_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done);
void pp_exporter_shutdown(struct pp_component *self, uint64_t deadline_mono_ms);
void pp_exporter_destroy(struct pp_component *self);

/* The deadline of a running `send`, which moves nearer when the exporter is shut down meanwhile: never later than `deadline_mono_ms`. A send that
 * waits asks again at least every PP_EXPORTER_POLL_MS and gives up (PP_RETRY) once it has passed. Any thread. */
#define PP_EXPORTER_POLL_MS 200u
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms);

#endif
