/* Messages out of requests, and what is said when they have ended. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/exporter_storage.h"

void pp_exporter_drop(struct pp_exporter_core *core, uint64_t samples, bool was_accepted, const struct pp_result *result)
{
    bool log;

    if (pp_exporter_keeps(core, result->outcome))
        return;
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

void pp_exporter_log_retry(const struct pp_exporter_core *core, uint64_t wait_ms, const char *message)
{
    pp_log(PP_LOG_WARN, core->self->log_id, "sending failed, next attempt in %.1f s: %s", (double)wait_ms / 1000, message);
}

void pp_exporter_admit_waiting(struct pp_exporter_core *core)
{
    struct pp_request *request;

    while (!core->stopping && (request = pp_queue_admit(&core->queue, pp_clock_mono_ms()))) {
        struct pp_done *done = request->done;

        pp_gauge_add(core->metrics.queue_size, (int64_t)request->size);
        if (core->storage) {
            pp_exporter_storage_put(core->storage, request);
            continue;
        }
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
    if (pp_exporter_keeps(core, result->outcome))
        (parent ? parent : request)->keep = true;
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
    if (request->record)
        pp_exporter_storage_end(core->storage, request);
    else
        pp_free(request);
    if (done) {
        pthread_mutex_unlock(&core->lock);
        pp_done_call(done, &answer);
        pthread_mutex_lock(&core->lock);
    }
    pp_exporter_admit_waiting(core);
}

void pp_exporter_finish_list(struct pp_exporter_core *core, struct pp_request *list, const struct pp_result *result)
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

/* Puts the pieces behind the first one back into the queue; those that cannot be stay the caller's. With the lock held. */
static struct pp_request *put_back(struct pp_exporter_core *core, struct pp_request *pieces)
{
    struct pp_request *rest = pieces->next;

    pieces->next = NULL;
    if (!pp_queue_put_back(&core->queue, rest, pp_clock_mono_ms()))
        return rest;
    pthread_cond_signal(&core->work);
    return NULL;
}

struct pp_request *pp_exporter_cut(struct pp_exporter_core *core, struct pp_request **list, uint64_t room)
{
    struct pp_request **last = list, *pieces, *rest = NULL;

    if (!room)
        return NULL;
    while ((*last)->next)
        last = &(*last)->next;
    pieces = cut_request(core, *last, room);
    if (pieces) {
        pthread_mutex_lock(&core->lock);
        adopt_pieces(*last, pieces);
        *last = pieces;
        rest = put_back(core, pieces);
        pthread_mutex_unlock(&core->lock);
    } else if (last != list) {
        /* It stays whole: on its own rather than above the limit together with others. */
        rest = *last;
        *last = NULL;
    }
    return rest;
}

struct pp_batch *pp_exporter_merge(struct pp_request *list)
{
    PP_VEC(struct pp_batch *) batches = {0};
    struct pp_batch *merged = NULL;
    bool enough = true;

    if (!list->next)
        return NULL;
    for (struct pp_request *r = list; r; r = r->next)
        enough = enough && pp_vec_push(&batches, r->batch);
    if (!enough || !pp_batch_merge(batches.v, batches.n, &merged, NULL))
        merged = NULL;
    pp_vec_done(&batches);
    for (struct pp_request *r = list; merged && r; r = r->next) {
        pp_batch_unref(r->batch);
        r->batch = NULL;
    }
    return merged;
}
