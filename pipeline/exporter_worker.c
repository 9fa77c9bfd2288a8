/* A worker's life: take what may go as one message, merge or cut it, send it with retries, account for it. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/backoff.h"
#include "pipeline/exporter_core.h"

/* While shutting down, waits of our own making are at most this: little time is left, and the peer did not ask for more. */
#define HURRY_INTERVAL_MS 500.0

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

void pp_exporter_drop(struct pp_exporter_core *core, uint64_t samples, bool was_accepted, const struct pp_result *result)
{
    bool log;

    pp_exporter_metrics_failed(&core->metrics, samples, result);
    if (!was_accepted)
        return; /* the sender is told, and logs or retries as it likes */
    pthread_mutex_lock(&core->lock);
    log = !core->stopping || result->outcome != PP_RETRY;
    if (!log) {
        core->losses.batches++;
        core->losses.samples += samples;
        /* The first reason says most: later ones are about the deadline. */
        if (!core->losses.reason[0])
            snprintf(core->losses.reason, sizeof(core->losses.reason), "%s", result->message);
    }
    pthread_mutex_unlock(&core->lock);
    if (log)
        pp_log(PP_LOG_ERROR, core->self->log_id, "dropped %llu samples, %s: %s", (unsigned long long)samples,
               result->outcome == PP_PERMANENT ? "permanent error" : "no more retries", result->message);
}

static void log_retry(struct pp_exporter_core *core, uint64_t wait_ms, const char *message)
{
    pp_log(PP_LOG_WARN, core->self->log_id, "sending failed, next attempt in %.1f s: %s", (double)wait_ms / 1000, message);
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
            pp_backoff_hurry(backoff, HURRY_INTERVAL_MS);
            if (until_ms > now_ms + (uint64_t)HURRY_INTERVAL_MS)
                until_ms = now_ms + (uint64_t)HURRY_INTERVAL_MS;
        }
        worth = !core->stopping || until_ms < atomic_load(&core->stop_deadline_ms);
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

void pp_exporter_send(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_batch *batch, bool was_accepted,
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
            log_retry(core, wait_ms, ret->message);
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

/* With the lock held; lets it go around each answer. */
static void admit_waiting(struct pp_exporter_core *core)
{
    struct pp_request *request;

    while (!core->stopping && (request = pp_queue_admit(&core->queue, pp_clock_mono_ms()))) {
        struct pp_done *done = request->done;

        pp_gauge_add(core->metrics.queue_size, (int64_t)request->size);
        pthread_cond_signal(&core->work);
        if (core->queue_config.wait_for_result)
            continue;
        request->done = NULL;
        request->was_accepted = true;
        pthread_mutex_unlock(&core->lock);
        pp_done_call(done, &PP_RESULT_ACCEPTED);
        pthread_mutex_lock(&core->lock);
    }
}

void pp_exporter_finish(struct pp_exporter_core *core, struct pp_request *request, const struct pp_result *result)
{
    struct pp_request *parent = request->parent;
    struct pp_result answer = *result;
    struct pp_done *done;

    pp_batch_unref(request->batch);
    if (parent) {
        pp_free(request);
        if (result->outcome > parent->outcome)
            parent->outcome = result->outcome;
        if (--parent->pieces > 0)
            return;
        request = parent;
        answer.outcome = parent->outcome;
        if (answer.outcome != PP_ACCEPTED && !answer.message)
            answer.message = "a part of the batch was not delivered";
    }
    done = request->done;
    pp_queue_release(&core->queue, request);
    pp_gauge_add(core->metrics.queue_size, -(int64_t)request->size);
    pp_free(request);
    if (done) {
        pthread_mutex_unlock(&core->lock);
        pp_done_call(done, &answer);
        pthread_mutex_lock(&core->lock);
    }
    admit_waiting(core);
}

static void finish_list(struct pp_exporter_core *core, struct pp_request *list, const struct pp_result *result)
{
    pthread_mutex_lock(&core->lock);
    while (list) {
        struct pp_request *request = list;

        list = request->next;
        pp_exporter_finish(core, request, result);
    }
    pthread_mutex_unlock(&core->lock);
}

struct cut {
    struct pp_exporter_core *core;
    struct pp_request *parent, *list, **tail;
    bool failed;
};

static bool cut_part(void *arg, struct pp_batch *part)
{
    struct cut *cut = arg;
    struct pp_request *piece = pp_calloc(1, sizeof(*piece));

    if (!piece) {
        pp_batch_unref(part);
        cut->failed = true;
        return false;
    }
    piece->batch = part;
    piece->parent = cut->parent;
    piece->samples = pp_batch_samples(part);
    piece->weight = pp_queue_weigh(cut->core->queue_config.batch->sizer, part);
    piece->was_accepted = cut->parent->was_accepted;
    *cut->tail = piece;
    cut->tail = &piece->next;
    cut->parent->pieces++;
    return true;
}

static void free_pieces(struct cut *cut)
{
    while (cut->list) {
        struct pp_request *piece = cut->list;

        cut->list = piece->next;
        pp_batch_unref(piece->batch);
        pp_free(piece);
    }
    cut->parent->pieces = 0;
}

/* Cuts `request` at `room` of weight. Returns the pieces linked, or NULL: it stays whole (memory is out, or there is nothing to cut). A piece of a piece
 * belongs to the same parent. */
static struct pp_request *cut_request(struct pp_exporter_core *core, struct pp_request *request, uint64_t room)
{
    bool items = core->queue_config.batch->sizer == PP_SIZER_ITEMS;
    struct pp_batch_limits limits = {.samples_max = items ? room : 0, .bytes_max = items ? 0 : room};
    struct cut cut = {.core = core, .parent = request};

    cut.tail = &cut.list;
    if (!pp_batch_split(request->batch, &limits, cut_part, &cut, NULL) || cut.failed || request->pieces < 2) {
        free_pieces(&cut);
        return NULL;
    }
    return cut.list;
}

/* Hangs the pieces of a piece under the request it came from, so that parents never chain. With the lock held. */
static void adopt_pieces(struct pp_request *request, struct pp_request *pieces)
{
    struct pp_request *root = request->parent;

    pp_batch_unref(request->batch);
    request->batch = NULL;
    if (!root)
        return;
    root->pieces += request->pieces - 1;
    for (struct pp_request *piece = pieces; piece; piece = piece->next)
        piece->parent = root;
    pp_free(request);
}

/* Sends requests of one partition as one message, or each by itself if they cannot be merged. */
static void send_list(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_request *list)
{
    char reason[PP_EXPORTER_REASON_MAX];
    PP_VEC(struct pp_batch *) batches = {0};
    struct pp_batch *merged = NULL;
    struct pp_result result;
    bool was_accepted = false, enough = true;

    for (struct pp_request *r = list; r && list->next; r = r->next) {
        enough = enough && pp_vec_push(&batches, r->batch);
        was_accepted = was_accepted || r->was_accepted;
    }
    if (list->next && enough && pp_batch_merge(batches.v, batches.n, &merged, NULL)) {
        for (struct pp_request *r = list; r; r = r->next) {
            pp_batch_unref(r->batch);
            r->batch = NULL;
        }
        pp_exporter_send(core, worker, merged, was_accepted, &result, reason);
        pp_batch_unref(merged);
        finish_list(core, list, &result);
        list = NULL;
    }
    pp_vec_done(&batches);
    while (list) {
        struct pp_request *request = list;

        list = request->next;
        request->next = NULL;
        pp_exporter_send(core, worker, request->batch, request->was_accepted, &result, reason);
        finish_list(core, request, &result);
    }
}

/* Cuts the last request of the list at `room` and puts what does not fit back; then sends. */
static void send_taken(struct pp_exporter_core *core, struct pp_exporter_worker *worker, struct pp_request *list, uint64_t room)
{
    struct pp_request **last = &list, *pieces, *rest = NULL;

    if (room) {
        while ((*last)->next)
            last = &(*last)->next;
        pieces = cut_request(core, *last, room);
        if (pieces) {
            pthread_mutex_lock(&core->lock);
            adopt_pieces(*last, pieces);
            *last = pieces;
            rest = pieces->next;
            pieces->next = NULL;
            if (pp_queue_put_back(&core->queue, rest, pp_clock_mono_ms())) {
                rest = NULL;
                pthread_cond_signal(&core->work);
            }
            pthread_mutex_unlock(&core->lock);
        } else if (last != &list) {
            /* It stays whole: on its own rather than above the limit together with others. */
            rest = *last;
            *last = NULL;
        }
    }
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

        if (core->stopping && now_ms >= stop_ms)
            break;
        list = pp_queue_take(&core->queue, now_ms, core->stopping, &room);
        if (list) {
            /* Somebody must watch the time for what is left while this one is busy, maybe for minutes. */
            if (core->queue.pending > 0 && core->idle_n == 0 && !core->stopping)
                pp_exporter_add_worker(core);
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
