#include "pipeline/wait.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

#define POLL_MS 100u

/* One batch on its way; whoever lets go last frees it, so that a result may come after the waiter has left. */
struct flight {
    struct pp_done done;
    pthread_mutex_t lock;
    pthread_cond_t landed_cond;
    unsigned holders;
    bool landed;
    enum pp_outcome outcome;
    char message[PP_WAIT_MESSAGE_BYTES];
};

/* With the lock held; gives it up. */
static void flight_leave(struct flight *f)
{
    bool last = --f->holders == 0;

    pthread_mutex_unlock(&f->lock);
    if (!last)
        return;
    pthread_cond_destroy(&f->landed_cond);
    pthread_mutex_destroy(&f->lock);
    pp_free(f);
}

static void flight_land(struct pp_done *done, const struct pp_result *result)
{
    struct flight *f = pp_container_of(done, struct flight, done);

    pthread_mutex_lock(&f->lock);
    f->landed = true;
    f->outcome = result->outcome;
    snprintf(f->message, sizeof(f->message), "%s", result->message ? result->message : "");
    pthread_cond_signal(&f->landed_cond);
    flight_leave(f);
}

static struct flight *flight_new(void)
{
    struct flight *f = pp_calloc(1, sizeof(*f));
    pthread_condattr_t attr;

    if (!f)
        return NULL;
    f->done.fn = flight_land;
    f->holders = 2;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->landed_cond, &attr);
    pthread_condattr_destroy(&attr);
    return f;
}

static void wait_a_little(struct flight *f)
{
    uint64_t until_ns = pp_clock_mono_ns() + POLL_MS * PP_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / PP_NS_PER_S), .tv_nsec = (long)(until_ns % PP_NS_PER_S)};

    pthread_cond_timedwait(&f->landed_cond, &f->lock, &until);
}

enum pp_outcome pp_emit_and_wait(struct pp_component *self, const char *transport, struct pp_batch *batch, const atomic_bool *stop,
                                 char ret_message[PP_WAIT_MESSAGE_BYTES])
{
    struct flight *f = flight_new();
    uint64_t stop_seen_ms = 0;
    enum pp_outcome outcome;

    if (!f) {
        pp_batch_unref(batch);
        snprintf(ret_message, PP_WAIT_MESSAGE_BYTES, "out of memory");
        return PP_RETRY;
    }
    pp_receiver_emit(self, transport, batch, &f->done);
    pthread_mutex_lock(&f->lock);
    while (!f->landed) {
        if (atomic_load(stop) && stop_seen_ms == 0)
            stop_seen_ms = pp_clock_mono_ms();
        if (stop_seen_ms && pp_clock_mono_ms() - stop_seen_ms >= PP_WAIT_STOP_GRACE_MS)
            break;
        wait_a_little(f);
    }
    outcome = f->landed ? f->outcome : PP_RETRY;
    snprintf(ret_message, PP_WAIT_MESSAGE_BYTES, "%s", f->landed ? f->message : "no answer before the shutdown");
    flight_leave(f);
    return outcome;
}
