/* Private to exporter_*.c: the state behind struct pp_exporter. */
#ifndef PP_PIPELINE_EXPORTER_CORE_H
#define PP_PIPELINE_EXPORTER_CORE_H

#include <pthread.h>

#include "base/vec.h"
#include "pipeline/exporter_base.h"
#include "pipeline/exporter_metrics.h"
#include "pipeline/queue.h"

#define PP_EXPORTER_REASON_MAX 256u

struct pp_exporter_worker {
    struct pp_exporter_core *core;
    pthread_t thread;
    void *state; /* of ops->worker_open */
    bool open;
};

/* What a shutdown could not deliver. */
struct pp_exporter_losses {
    uint64_t batches, samples;
    char reason[PP_EXPORTER_REASON_MAX]; /* of the first one */
};

struct pp_exporter_core {
    struct pp_component *self;
    const struct pp_exporter_ops *ops;
    struct pp_sending_queue_config queue_config; /* the configured one, or what stands for "no queue" */
    const struct pp_retry_config *retry;
    int64_t timeout_ns;
    struct pp_exporter_metrics metrics;
    _Atomic uint64_t stop_deadline_ms; /* UINT64_MAX: not stopping */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* something may be taken, or stopping has begun */
    pthread_cond_t hurry; /* those who wait for a retry: stopping has begun */
    struct pp_queue queue;
    bool running, stopping;
    struct pp_exporter_worker *workers; /* workers_max of them */
    size_t workers_n, workers_max, idle_n;
    struct pp_exporter_losses losses;
};

/* A worker thread's main function. */
void *pp_exporter_work(void *worker);
/* Starts one more worker if what is there is not enough. With the lock held. */
bool pp_exporter_add_worker(struct pp_exporter_core *core);

/* The request, whole or piece, has ended. Frees it, answers who waits, admits those who wait for room. With the lock held; lets it go meanwhile. */
void pp_exporter_finish(struct pp_exporter_core *core, struct pp_request *request, const struct pp_result *result);

/* Sends with retries until there is a final answer, which is counted and logged; *ret's message is in `reason`. Without the lock. */
void pp_exporter_send(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_batch *batch, bool was_accepted,
                      struct pp_result *ret, char reason[PP_EXPORTER_REASON_MAX]);

/* Counts, and logs or adds to the shutdown's losses, a batch that will not be delivered. Without the lock. */
void pp_exporter_drop(struct pp_exporter_core *core, uint64_t samples, bool was_accepted, const struct pp_result *result);

void pp_exporter_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_mono_ms);

#endif
