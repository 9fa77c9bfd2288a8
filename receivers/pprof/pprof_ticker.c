#include "base/clock.h"
#include "pprof_block.h"

/* With the lock held; returns at once when told to stop. */
static void sleep_until(struct pp_pprof_ticker *t, uint64_t mono_ns)
{
    struct timespec until = {.tv_sec = (time_t)(mono_ns / PP_NS_PER_S), .tv_nsec = (long)(mono_ns % PP_NS_PER_S)};

    while (!atomic_load(&t->stop) && pp_clock_mono_ns() < mono_ns)
        pthread_cond_timedwait(&t->wake, &t->lock, &until);
}

/* Collections keep to the grid of the interval; one that takes longer than that makes the next ones fall out. */
static void *ticker_main(void *arg)
{
    struct pp_pprof_ticker *t = arg;
    uint64_t interval = (uint64_t)t->controller->collection_interval;
    uint64_t next = pp_clock_mono_ns() + (uint64_t)t->controller->initial_delay;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        uint64_t now;

        sleep_until(t, next);
        if (atomic_load(&t->stop))
            break;
        pthread_mutex_unlock(&t->lock);
        t->collect(t->arg);
        pthread_mutex_lock(&t->lock);
        now = pp_clock_mono_ns();
        next += interval;
        if (next < now)
            next += (now - next) / interval * interval + interval;
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

bool pp_pprof_ticker_start(struct pp_pprof_ticker *t, struct pp_error *err)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    atomic_store(&t->stop, false);
    if (pthread_create(&t->thread, NULL, ticker_main, t) != 0) {
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        return pp_error_set(err, PP_ERR_IO, "cannot start a thread");
    }
    t->running = true;
    return true;
}

void pp_pprof_ticker_tell(struct pp_pprof_ticker *t)
{
    atomic_store(&t->stop, true);
    if (!t->running)
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void pp_pprof_ticker_join(struct pp_pprof_ticker *t)
{
    if (!t->running)
        return;
    pp_pprof_ticker_tell(t);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    t->running = false;
}
