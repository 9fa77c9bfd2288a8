#include "pipeline/join.h"

#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"

#define MESSAGE_MAX 256u

struct pp_join {
    struct pp_done part; /* first */
    struct pp_done *outer;
    pthread_mutex_t lock;
    size_t left; /* parts without a result, and one for whoever adds parts */
    struct pp_result worst;
    char message[MESSAGE_MAX];
};

static void take_result(struct pp_join *join, const struct pp_result *result)
{
    int64_t delay_ms = join->worst.retry_after_ms;

    if (result->outcome > join->worst.outcome) {
        join->worst = *result;
        snprintf(join->message, sizeof(join->message), "%s", result->message);
        join->worst.message = join->message;
    } else if (result->outcome == PP_RETRY) {
        delay_ms = result->retry_after_ms > delay_ms ? result->retry_after_ms : delay_ms;
    }
    if (join->worst.outcome == PP_RETRY && delay_ms > join->worst.retry_after_ms)
        join->worst.retry_after_ms = delay_ms;
}

static void join_done(struct pp_done *done, const struct pp_result *result)
{
    struct pp_join *join = (struct pp_join *)done;
    bool last;

    pthread_mutex_lock(&join->lock);
    take_result(join, result);
    last = --join->left == 0;
    pthread_mutex_unlock(&join->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&join->lock);
    pp_done_call(join->outer, &join->worst);
    pp_free(join);
}

struct pp_join *pp_join_new(struct pp_done *outer)
{
    struct pp_join *join = pp_malloc(sizeof(*join));

    if (!join)
        return NULL;
    *join = (struct pp_join){.part = {join_done}, .outer = outer, .left = 1, .worst = PP_RESULT_ACCEPTED};
    pthread_mutex_init(&join->lock, NULL);
    return join;
}

struct pp_done *pp_join_part(struct pp_join *join)
{
    pthread_mutex_lock(&join->lock);
    join->left++;
    pthread_mutex_unlock(&join->lock);
    return &join->part;
}

void pp_join_close(struct pp_join *join)
{
    join_done(&join->part, &PP_RESULT_ACCEPTED);
}
