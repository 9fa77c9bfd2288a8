#include "pipeline/exporter_base.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/exporter_flight.h"
#include "pipeline/exporter_storage.h"

/* Requests that wait when an exporter has no queue: each has a sender that waits for its answer. */
#define WITHOUT_QUEUE_SIZE 1000

static struct pp_exporter_core *core_of(struct pp_component *self)
{
    return ((struct pp_exporter *)self)->core;
}

/* Without a queue every sender waits for the result, so nothing is lost by keeping the order and the bounds of one. */
static struct pp_sending_queue_config effective_config(const struct pp_sending_queue_config *queue)
{
    struct pp_sending_queue_config config = PP_SENDING_QUEUE_DEFAULTS;

    if (queue && queue->enabled)
        return *queue;
    config.queue_size = WITHOUT_QUEUE_SIZE;
    config.num_consumers = queue ? queue->num_consumers : 1;
    config.wait_for_result = true;
    return config;
}

static bool is_blocking(const struct pp_exporter_core *core)
{
    return core->ops->send != NULL;
}

/* Blocking exporters have a thread for each consumer; lanes, one for each processor, for what is heavy. */
static size_t workers_cap(const struct pp_exporter_core *core)
{
    size_t consumers = (size_t)core->queue_config.num_consumers;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (is_blocking(core) || processors < 1)
        return consumers;
    return (size_t)processors < consumers ? (size_t)processors : consumers;
}

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool pp_exporter_create(struct pp_exporter *self, const struct pp_exporter_ops *ops, const struct pp_sending_queue_config *queue,
                        const struct pp_retry_config *retry, int64_t timeout_ns, struct pp_error *err)
{
    struct pp_exporter_core *core = pp_calloc(1, sizeof(*core));
    bool queued = queue && queue->enabled;

    if (!core)
        return pp_error_nomem(err);
    core->self = &self->component;
    core->ops = ops;
    core->queue_config = effective_config(queue);
    core->retry = retry;
    core->timeout_ns = timeout_ns;
    core->workers_cap = workers_cap(core);
    core->heavy_tail = &core->heavy;
    core->workers = pp_calloc(core->workers_cap, sizeof(*core->workers));
    if (!core->workers) {
        pp_free(core);
        return pp_error_nomem(err);
    }
    pp_queue_init(&core->queue, &core->queue_config);
    core->queue.stored = core->queue_config.storage != NULL;
    pp_exporter_metrics_init(&core->metrics, self, queued, queued && queue->batch);
    atomic_init(&core->stop_deadline_ms, UINT64_MAX);
    pthread_mutex_init(&core->lock, NULL);
    init_cond(&core->work);
    init_cond(&core->hurry);
    self->core = core;
    return true;
}

bool pp_exporter_add_worker(struct pp_exporter_core *core, void *(*work)(void *worker))
{
    struct pp_exporter_worker *worker;
    int rc;

    if (core->workers_n >= core->workers_max)
        return false;
    worker = &core->workers[core->workers_n];
    worker->core = core;
    rc = pthread_create(&worker->thread, NULL, work, worker);
    if (rc != 0) {
        pp_log(PP_LOG_WARN, core->self->log_id, "goes on with %zu of %zu consumers: cannot start a thread: %s",
               core->workers_n, core->workers_max, strerror(rc));
        core->workers_max = core->workers_n;
        return false;
    }
    core->workers_n++;
    return true;
}

/* Nothing runs yet. */
static void reset(struct pp_exporter_core *core)
{
    pthread_mutex_lock(&core->lock);
    core->stopping = false;
    core->closing = false;
    core->losses = (struct pp_exporter_losses){0};
    core->workers_max = core->workers_cap;
    pthread_mutex_unlock(&core->lock);
    atomic_store(&core->stop_deadline_ms, UINT64_MAX);
}

static bool start_first_worker(struct pp_exporter_core *core, struct pp_error *err)
{
    struct pp_exporter_worker *first = &core->workers[0];
    bool ok;

    if (core->ops->worker_open) {
        first->state = core->ops->worker_open(core->self, err);
        if (!first->state)
            return false;
    }
    first->open = true;
    pthread_mutex_lock(&core->lock);
    ok = pp_exporter_add_worker(core, pp_exporter_work);
    pthread_mutex_unlock(&core->lock);
    if (ok)
        return true;
    if (core->ops->worker_close)
        core->ops->worker_close(core->self, first->state);
    *first = (struct pp_exporter_worker){0};
    return pp_error_set(err, PP_ERR_IO, "cannot start a thread");
}

bool pp_exporter_start(struct pp_component *self, struct pp_error *err)
{
    struct pp_exporter_core *core = core_of(self);

    reset(core);
    if (core->queue.stored && !pp_exporter_storage_open(core, err))
        return false;
    if (!(is_blocking(core) ? start_first_worker(core, err) : pp_exporter_lanes_open(core, err))) {
        pp_exporter_storage_close(core);
        return false;
    }
    pp_gauge_add(core->metrics.queue_capacity, core->queue_config.queue_size);
    pthread_mutex_lock(&core->lock);
    core->running = true;
    if (core->storage)
        pp_exporter_storage_begin(core->storage);
    pthread_mutex_unlock(&core->lock);
    return true;
}

/* What the sender is told when its batch does not get in. */
static struct pp_result refusal(enum pp_queue_verdict verdict)
{
    struct pp_result result = PP_RESULT_RETRY("sending queue is full");

    if (verdict == PP_QUEUE_TOO_LARGE) {
        result = PP_RESULT_PERMANENT("larger than the whole sending queue (queue_size)");
        result.status = PP_STATUS_RESOURCE_EXHAUSTED;
    }
    if (verdict == PP_QUEUE_NOMEM)
        result.message = "out of memory";
    return result;
}

void pp_exporter_refuse(struct pp_exporter_core *core, struct pp_batch *batch, struct pp_done *done, const struct pp_result *result)
{
    pp_counter_add(core->metrics.enqueue_failed, pp_batch_samples(batch));
    pp_batch_unref(batch);
    pp_done_call(done, result);
}

/* With the lock held: one more thread when there is more to do than threads without work, or none to watch the time until a batch is due. */
static void wake_worker(struct pp_exporter_core *core, uint64_t now_ms)
{
    bool due = pp_queue_due_ms(&core->queue) <= now_ms;

    if (!core->stopping && (core->idle_n == 0 || (due && core->queue.pending > core->idle_n)))
        pp_exporter_add_worker(core, pp_exporter_work);
    pthread_cond_signal(&core->work);
}

void pp_exporter_wake(struct pp_exporter_core *core)
{
    if (is_blocking(core))
        wake_worker(core, pp_clock_mono_ms());
    else if (core->idle_flights)
        pp_exporter_lane_post_pump(core);
}

/* Offers the request; with PP_QUEUE_TAKEN it may be gone already. *ret_lane is to be pumped by the caller, if there is one. */
static enum pp_queue_verdict push(struct pp_exporter_core *core, struct pp_request *request, bool answer_now,
                                  struct pp_exporter_lane **ret_lane, bool *ret_running)
{
    enum pp_queue_verdict verdict = PP_QUEUE_FULL;
    uint64_t now_ms = pp_clock_mono_ms();

    *ret_lane = NULL;
    pthread_mutex_lock(&core->lock);
    *ret_running = core->running && !core->stopping;
    if (*ret_running)
        verdict = pp_queue_push(&core->queue, request, now_ms);
    if (verdict == PP_QUEUE_TAKEN && core->storage) {
        pp_gauge_add(core->metrics.queue_size, (int64_t)request->size);
        pp_exporter_storage_put(core->storage, request);
    } else if (verdict == PP_QUEUE_TAKEN) {
        pp_gauge_add(core->metrics.queue_size, (int64_t)request->size);
        request->was_accepted = answer_now;
        if (answer_now)
            request->done = NULL;
        if (is_blocking(core))
            wake_worker(core, now_ms);
        else if (core->idle_flights && !(*ret_lane = pp_exporter_lane_current(core)))
            pp_exporter_lane_post_pump(core);
    }
    pthread_mutex_unlock(&core->lock);
    return verdict;
}

void pp_exporter_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_exporter_core *core = core_of(self);
    struct pp_request *request = pp_calloc(1, sizeof(*request));
    bool answer_now = !core->queue_config.wait_for_result && !core->queue.stored, running;
    enum pp_queue_verdict verdict;
    struct pp_exporter_lane *lane;
    struct pp_result result;

    if (!request) {
        result = refusal(PP_QUEUE_NOMEM);
        pp_exporter_refuse(core, batch, done, &result);
        return;
    }
    request->batch = batch;
    request->done = done;
    request->outcome = PP_ACCEPTED;
    pp_exporter_metrics_enqueue(&core->metrics, batch);
    verdict = push(core, request, answer_now, &lane, &running);
    if (verdict == PP_QUEUE_TAKEN && answer_now)
        pp_done_call(done, &PP_RESULT_ACCEPTED);
    if (lane)
        pp_exporter_lane_pump(lane);
    if (verdict == PP_QUEUE_TAKEN || verdict == PP_QUEUE_WAITING)
        return;
    result = running ? refusal(verdict) : PP_RESULT_RETRY("the exporter is shutting down");
    pp_free(request);
    pp_exporter_refuse(core, batch, done, &result);
}

uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms)
{
    uint64_t stop_ms = atomic_load(&core_of(self)->stop_deadline_ms);

    return stop_ms < deadline_mono_ms ? stop_ms : deadline_mono_ms;
}

/* Those parked by block_on_overflow were promised nothing. */
static void refuse_waiting(struct pp_exporter_core *core, struct pp_request *list)
{
    while (list) {
        struct pp_request *request = list;

        list = request->next;
        pp_exporter_refuse(core, request->batch, request->done, &PP_RESULT_RETRY("the exporter is shutting down"));
        pp_free(request);
    }
}

static void join_workers(struct pp_exporter_core *core)
{
    for (size_t i = 0; i < core->workers_n; i++) {
        struct pp_exporter_worker *worker = &core->workers[i];

        pthread_join(worker->thread, NULL);
        if (worker->open && core->ops->worker_close)
            core->ops->worker_close(core->self, worker->state);
        *worker = (struct pp_exporter_worker){0};
    }
    core->workers_n = 0;
}

/* What no worker got to before the deadline. */
static void abandon(struct pp_exporter_core *core)
{
    const char *known = core->losses.reason[0] ? core->losses.reason : "not sent before the shutdown deadline";
    char reason[PP_EXPORTER_REASON_MAX];
    struct pp_request *list;

    memcpy(reason, known, strlen(known) + 1);
    pthread_mutex_lock(&core->lock);
    list = pp_queue_take_all(&core->queue);
    pthread_mutex_unlock(&core->lock);
    while (list) {
        struct pp_request *request = list;
        struct pp_result result = PP_RESULT_RETRY(reason);

        list = request->next;
        pp_exporter_drop(core, request->samples, request->was_accepted, &result);
        pthread_mutex_lock(&core->lock);
        pp_exporter_finish(core, request, &result);
        pthread_mutex_unlock(&core->lock);
    }
}

void pp_exporter_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    struct pp_exporter_core *core = core_of(self);
    struct pp_request *waiting;

    pthread_mutex_lock(&core->lock);
    if (!core->running) {
        pthread_mutex_unlock(&core->lock);
        return;
    }
    core->stopping = true;
    atomic_store(&core->stop_deadline_ms, deadline_mono_ms);
    waiting = pp_queue_take_waiting(&core->queue);
    pthread_cond_broadcast(&core->work);
    pthread_cond_broadcast(&core->hurry);
    pthread_mutex_unlock(&core->lock);
    refuse_waiting(core, waiting);
    if (!is_blocking(core))
        pp_exporter_lanes_drain(core);
    join_workers(core);
    abandon(core);
    if (!is_blocking(core))
        pp_exporter_lanes_close(core);
    pp_exporter_storage_close(core);
    core->running = false;
    pp_gauge_add(core->metrics.queue_capacity, -core->queue_config.queue_size);
    if (core->losses.batches)
        pp_log(PP_LOG_ERROR, self->log_id, "shutdown: %llu samples in %llu batches were not delivered: %s",
               (unsigned long long)core->losses.samples, (unsigned long long)core->losses.batches, core->losses.reason);
}

void pp_exporter_destroy(struct pp_component *self)
{
    struct pp_exporter_core *core = core_of(self);

    if (!core)
        return;
    pthread_cond_destroy(&core->work);
    pthread_cond_destroy(&core->hurry);
    pthread_mutex_destroy(&core->lock);
    pp_free(core->workers);
    pp_free(core->lanes);
    pp_free(core->flights);
    pp_free(core);
    ((struct pp_exporter *)self)->core = NULL;
}
