/* Private to exporter_*.c: the state behind struct pp_exporter. */
#ifndef PP_PIPELINE_EXPORTER_CORE_H
#define PP_PIPELINE_EXPORTER_CORE_H

#include <pthread.h>

#include "base/vec.h"
#include "net/loop.h"
#include "pipeline/backoff.h"
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

struct pp_exporter_flight;
struct pp_exporter_storage; /* exporter_storage.h */

/* What an exporter has on one of the service's loops. Touched on that loop's thread, but for `pump_posted`. */
struct pp_exporter_lane {
    struct pp_exporter_core *core;
    struct pp_loop *loop;
    void *state; /* of ops->lane_open */
    struct pp_timer *timer;
    uint64_t armed_ms; /* when the timer fires; UINT64_MAX: it does not */
    struct pp_exporter_flight *flights;
    bool pumping;
    bool pump_posted; /* under the core's lock */
    struct pp_task pump;
    struct pp_task hurry;
};

struct pp_exporter_core {
    struct pp_component *self;
    const struct pp_exporter_ops *ops;
    struct pp_sending_queue_config queue_config; /* the configured one, or what stands for "no queue" */
    const struct pp_retry_config *retry;
    int64_t timeout_ns;
    struct pp_exporter_metrics metrics;
    _Atomic uint64_t stop_deadline_ms; /* UINT64_MAX: not stopping */
    /* set at start */
    struct pp_exporter_lane *lanes; /* NULL: a blocking exporter */
    size_t lanes_n;
    struct pp_exporter_flight *flights; /* num_consumers of them */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* something may be taken, or stopping has begun */
    pthread_cond_t hurry; /* blocking: those who wait for a retry: stopping has begun; lanes: the last flight has ended */
    struct pp_queue queue;
    struct pp_exporter_storage *storage; /* NULL: the queue is in memory only */
    bool running, stopping;
    bool closing; /* lanes: workers end */
    struct pp_exporter_worker *workers; /* workers_cap of them */
    size_t workers_n, workers_max, workers_cap, idle_n; /* workers_max: less than workers_cap once a thread could not be started */
    struct pp_exporter_flight *idle_flights;              /* by `next` */
    struct pp_exporter_flight *heavy, **heavy_tail;       /* waiting for a worker, by `next` */
    size_t in_flight, heavy_n, next_lane;
    struct pp_exporter_losses losses;
};

/* Blocking exporters: exporter_worker.c */

/* A worker thread's main function. */
void *pp_exporter_work(void *worker);
/* Starts one more worker if what is there is not enough. With the lock held. */
bool pp_exporter_add_worker(struct pp_exporter_core *core, void *(*work)(void *worker));

/* Something has entered the queue, on a thread that is none of the exporter's. With the lock held. */
void pp_exporter_wake(struct pp_exporter_core *core);
/* Tells the sender that his batch was not taken, and counts that. Without the lock. */
void pp_exporter_refuse(struct pp_exporter_core *core, struct pp_batch *batch, struct pp_done *done, const struct pp_result *result);

/* Exporters on loops: exporter_lane.c */

bool pp_exporter_lanes_open(struct pp_exporter_core *core, struct pp_error *err);
/* What was pushed may be sent, now or later. With the lock held when not on a lane's thread. */
struct pp_exporter_lane *pp_exporter_lane_current(struct pp_exporter_core *core);
void pp_exporter_lane_pump(struct pp_exporter_lane *lane);
void pp_exporter_lane_post_pump(struct pp_exporter_core *core);
/* Until the last flight has ended, or been cancelled at the deadline. `stopping` is set. */
void pp_exporter_lanes_drain(struct pp_exporter_core *core);
void pp_exporter_lanes_close(struct pp_exporter_core *core);
/* Has the lane's timer fire at `at_ms` at the latest. */
void pp_exporter_lane_watch(struct pp_exporter_lane *lane, uint64_t at_ms);

/* Messages out of requests: exporter_message.c */

/* Cuts the last request of *list at `room` (0: nothing to cut). What does not fit goes back to the queue; returned is what can do neither and goes out
 * by itself. Without the lock. */
struct pp_request *pp_exporter_cut(struct pp_exporter_core *core, struct pp_request **list, uint64_t room);
/* Several requests as one batch, which replaces theirs; NULL, nothing changed, when they cannot be merged or `list` is only one. */
struct pp_batch *pp_exporter_merge(struct pp_request *list);

/* The request, whole or piece, has ended. Frees it, answers who waits, admits those who wait for room. With the lock held; lets it go meanwhile. */
void pp_exporter_finish(struct pp_exporter_core *core, struct pp_request *request, const struct pp_result *result);
/* The same for a list. Without the lock. */
void pp_exporter_finish_list(struct pp_exporter_core *core, struct pp_request *list, const struct pp_result *result);

/* There may be room for those who wait. With the lock held; lets it go meanwhile. */
void pp_exporter_admit_waiting(struct pp_exporter_core *core);

/* Counts, and logs or adds to the shutdown's losses, a batch that will not be delivered. Without the lock. */
void pp_exporter_drop(struct pp_exporter_core *core, uint64_t samples, bool was_accepted, const struct pp_result *result);
void pp_exporter_log_retry(const struct pp_exporter_core *core, uint64_t wait_ms, const char *message);

void pp_exporter_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_mono_ms);

/* While shutting down, waits of our own making are at most this: little time is left, and the peer did not ask for more. */
#define PP_EXPORTER_HURRY_MS 500.0

#endif
