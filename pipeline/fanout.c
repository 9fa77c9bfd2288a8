#include "pipeline/fanout.h"

#include "base/mem.h"
#include "pipeline/join.h"
#include "pipeline/stopwatch.h"

struct pp_targets {
    size_t users; /* emits in progress; under the downstream's lock */
    bool replaced;
    size_t n;
    struct pp_target v[];
};

void pp_downstream_init(struct pp_downstream *downstream)
{
    *downstream = (struct pp_downstream){0};
    pthread_mutex_init(&downstream->lock, NULL);
    pthread_cond_init(&downstream->left, NULL);
}

void pp_downstream_done(struct pp_downstream *downstream)
{
    pp_receiver_forget(downstream);
    pp_targets_free(downstream->targets);
    pthread_cond_destroy(&downstream->left);
    pthread_mutex_destroy(&downstream->lock);
}

struct pp_targets *pp_targets_new(const struct pp_target *targets, size_t n)
{
    struct pp_targets *set = pp_calloc(1, sizeof(*set) + n * sizeof(set->v[0]));

    if (!set)
        return NULL;
    set->n = n;
    for (size_t i = 0; i < n; i++)
        set->v[i] = targets[i];
    return set;
}

void pp_targets_free(struct pp_targets *targets)
{
    pp_free(targets);
}

void pp_downstream_set(struct pp_downstream *downstream, struct pp_targets *targets)
{
    struct pp_targets *old;

    pthread_mutex_lock(&downstream->lock);
    old = downstream->targets;
    downstream->targets = targets;
    if (old) {
        old->replaced = true;
        while (old->users > 0)
            pthread_cond_wait(&downstream->left, &downstream->lock);
    }
    pthread_mutex_unlock(&downstream->lock);
    pp_targets_free(old);
}

const char *pp_downstream_pipeline(struct pp_downstream *downstream, size_t i)
{
    const char *pipeline = NULL;

    pthread_mutex_lock(&downstream->lock);
    if (downstream->targets && i < downstream->targets->n)
        pipeline = downstream->targets->v[i].pipeline;
    pthread_mutex_unlock(&downstream->lock);
    return pipeline;
}

static struct pp_targets *enter(struct pp_downstream *downstream)
{
    struct pp_targets *set;

    pthread_mutex_lock(&downstream->lock);
    set = downstream->targets;
    if (set)
        set->users++;
    pthread_mutex_unlock(&downstream->lock);
    return set;
}

static void leave(struct pp_downstream *downstream, struct pp_targets *set)
{
    pthread_mutex_lock(&downstream->lock);
    if (--set->users == 0 && set->replaced)
        pthread_cond_broadcast(&downstream->left);
    pthread_mutex_unlock(&downstream->lock);
}

static void give(const struct pp_target *target, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_stopwatch watch;

    if (!target->incoming) {
        target->component->factory->consume(target->component, batch, done);
        return;
    }
    pp_counter_add(target->incoming, pp_batch_samples(batch));
    pp_stopwatch_start(&watch);
    target->component->factory->consume(target->component, batch, done);
    pp_stopwatch_stop(&watch, target->duration);
}

static void refuse(struct pp_batch *batch, struct pp_done *done, const char *why)
{
    struct pp_result result = PP_RESULT_RETRY(why);

    pp_batch_unref(batch);
    pp_done_call(done, &result);
}

/* Gives the batch to each of the targets of `pipeline` (NULL: to all); `n` of them, at least one. */
static void give_some(const struct pp_targets *set, const char *pipeline, size_t n, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_join *join = n > 1 ? pp_join_new(done) : NULL;
    size_t given = 0;

    if (n > 1 && !join) {
        refuse(batch, done, "out of memory");
        return;
    }
    for (size_t i = 0; given < n; i++) {
        if (pipeline && strcmp(set->v[i].pipeline, pipeline) != 0)
            continue;
        given++;
        /* The last one gets our reference, so that it may edit in place when nobody else holds the batch. */
        give(&set->v[i], given == n ? batch : pp_batch_ref(batch), join ? pp_join_part(join) : done);
    }
    if (join)
        pp_join_close(join);
}

void pp_emit(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_downstream *downstream = self->downstream;
    struct pp_targets *set = enter(downstream);
    uint64_t left_ns = 0;

    if (downstream->outgoing) {
        pp_counter_add(downstream->outgoing, pp_batch_samples(batch));
        left_ns = pp_stopwatch_leave();
    }
    if (!set || set->n == 0) {
        refuse(batch, done, "the pipeline is being reloaded");
    } else if (set->n == 1) {
        give(&set->v[0], batch, done);
    } else {
        give_some(set, NULL, set->n, batch, done);
    }
    if (set)
        leave(downstream, set);
    if (left_ns)
        pp_stopwatch_return(left_ns);
}

bool pp_emit_to(struct pp_component *self, const char *pipeline_id, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_targets *set = enter(self->downstream);
    size_t n = 0;

    if (!set)
        return false;
    for (size_t i = 0; i < set->n; i++)
        n += strcmp(set->v[i].pipeline, pipeline_id) == 0;
    if (n)
        give_some(set, pipeline_id, n, batch, done);
    leave(self->downstream, set);
    return n > 0;
}
