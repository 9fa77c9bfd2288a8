/* A blocking exporter's worker: takes what may go as one message, merges or cuts it, sends it with retries, accounts for it. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/backoff.h"
#include "pipeline/exporter_storage.h"

void pp_exporter_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_mono_ms)
{
    struct timespec until;

    if (until_mono_ms == UINT64_MAX) {
        pthread_cond_wait(cond, lock);
        return;
    }
    until.tv_sec = (time_t)(until_mono_ms / PP_MS_PER_S);
    until.tv_nsec = (long)(until_mono_ms % PP_MS_PER_S * PP_NS_PER_MS);
    pthread_cond_timedwait(cond, lock, &until);
}

/* Waits for the next attempt. A shutdown that begins meanwhile cuts a wait short that the peer did not ask for. False: not worth waiting, the time to
 * deliver ends before. */
static bool wait_for_retry(struct pp_exporter_core *core, struct pp_backoff *backoff, uint64_t wait_ms, bool asked)
{
    uint64_t until_ms = pp_clock_mono_ms() + wait_ms, now_ms;
    bool worth;

    pthread_mutex_lock(&core->lock);
    for (;;) {
        now_ms = pp_clock_mono_ms();
        if (core->stopping && !asked) {
            pp_backoff_hurry(backoff, PP_EXPORTER_HURRY_MS);
            if (until_ms > now_ms + (uint64_t)PP_EXPORTER_HURRY_MS)
                until_ms = now_ms + (uint64_t)PP_EXPORTER_HURRY_MS;
        }
        worth = !core->stopping || (!core->storage && until_ms < atomic_load(&core->stop_deadline_ms));
        if (!worth || now_ms >= until_ms)
            break;
        pp_exporter_wait(&core->hurry, &core->lock, until_ms);
    }
    pthread_mutex_unlock(&core->lock);
    return worth;
}

static void attempt(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_batch *batch,
                    struct pp_result *ret)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (core->timeout_ns > 0)
        deadline_ms = pp_clock_mono_ms() + ((uint64_t)core->timeout_ns + PP_NS_PER_MS - 1) / PP_NS_PER_MS;
    *ret = PP_RESULT_ACCEPTED;
    pp_gauge_add(core->metrics.in_flight, 1);
    core->ops->send(core->self, worker->state, batch, pp_exporter_deadline(core->self, deadline_ms), ret);
    pp_gauge_add(core->metrics.in_flight, -1);
}

/* Sends with retries until there is a final answer, which is counted and logged; *ret's message is in `reason`. */
static void send_batch(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_batch *batch, bool was_accepted,
                       struct pp_result *ret, char reason[PP_EXPORTER_REASON_MAX])
{
    struct pp_backoff backoff;
    uint64_t wait_ms, samples = pp_batch_samples(batch);

    pp_backoff_start(&backoff, core->retry, pp_clock_mono_ms());
    pp_exporter_metrics_send(&core->metrics, batch);
    for (;;) {
        attempt(core, worker, batch, ret);
        if (ret->outcome != PP_RETRY)
            break;
        if (!pp_backoff_next(&backoff, ret->retry_after_ms, pp_random_unit(), pp_clock_mono_ms(), &wait_ms))
            break;
        if (pp_clock_mono_ms() + wait_ms < atomic_load(&core->stop_deadline_ms))
            pp_exporter_log_retry(core, wait_ms, ret->message);
        if (!wait_for_retry(core, &backoff, wait_ms, ret->retry_after_ms >= 0))
            break;
    }
    if (ret->outcome == PP_ACCEPTED) {
        pp_counter_add(core->metrics.sent, samples);
        return;
    }
    snprintf(reason, PP_EXPORTER_REASON_MAX, "%s", ret->message);
    ret->message = reason;
    pp_exporter_drop(core, samples, was_accepted, ret);
}

/* Sends requests of one partition as one message, or each by itself if they cannot be merged. */
static void send_list(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_request *list)
{
    char reason[PP_EXPORTER_REASON_MAX];
    struct pp_batch *merged = pp_exporter_merge(list);
    struct pp_result result;

    if (merged) {
        bool was_accepted = false;

        for (struct pp_request *r = list; r; r = r->next)
            was_accepted = was_accepted || r->was_accepted;
        send_batch(core, worker, merged, was_accepted, &result, reason);
        pp_batch_unref(merged);
        pp_exporter_finish_list(core, list, &result);
        return;
    }
    while (list) {
        struct pp_request *request = list;

        list = request->next;
        request->next = NULL;
        send_batch(core, worker, request->batch, request->was_accepted, &result, reason);
        pp_exporter_finish_list(core, request, &result);
    }
}

static void send_taken(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_request *list, uint64_t room)
{
    struct pp_request *rest = pp_exporter_cut(core, &list, room);

    send_list(core, worker, list);
    while (rest) {
        struct pp_request *one = rest;

        rest = one->next;
        one->next = NULL;
        send_list(core, worker, one);
    }
}

static bool open_worker(struct pp_exporter_core *core, struct pp_exporter_worker *worker)
{
    struct pp_error err = {0};

    if (worker->open)
        return true;
    if (core->ops->worker_open) {
        worker->state = core->ops->worker_open(core->self, &err);
        if (!worker->state) {
            pp_log(PP_LOG_WARN, core->self->log_id, "goes on with fewer consumers: %s", err.message);
            return false;
        }
    }
    worker->open = true;
    return true;
}

void *pp_exporter_work(void *arg)
{
    struct pp_exporter_worker *worker = arg;
    struct pp_exporter_core *core = worker->core;

    if (!open_worker(core, worker))
        return NULL;
    pthread_mutex_lock(&core->lock);
    for (;;) {
        uint64_t now_ms = pp_clock_mono_ms(), stop_ms = atomic_load(&core->stop_deadline_ms), until_ms, room;
        struct pp_request *list;

        if (core->stopping && (core->storage || now_ms >= stop_ms))
            break; /* what is stored comes again */
        list = pp_queue_take(&core->queue, now_ms, core->stopping, &room);
        if (list) {
            /* Somebody must watch the time for what is left while this one is busy, maybe for minutes. */
            if (core->queue.pending > 0 && core->idle_n == 0 && !core->stopping)
                pp_exporter_add_worker(core, pp_exporter_work);
            pthread_mutex_unlock(&core->lock);
            send_taken(core, worker, list, room);
            pthread_mutex_lock(&core->lock);
            continue;
        }
        if (core->stopping)
            break;
        until_ms = pp_queue_due_ms(&core->queue);
        core->idle_n++;
        pp_exporter_wait(&core->work, &core->lock, until_ms);
        core->idle_n--;
    }
    pthread_mutex_unlock(&core->lock);
    return NULL;
}
