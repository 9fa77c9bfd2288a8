#include "net/loop.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"

#define LOOP_NAME_MAX 16 /* of the kernel, NUL included */

struct pp_loop {
    atomic_uint refs;
    uv_loop_t uv;
    uv_async_t wake;
    pthread_t thread;
    char name[LOOP_NAME_MAX];
    char *scratch; /* made on first use, by the loop's thread */
    pthread_mutex_t lock; /* guards what follows */
    struct pp_task *head, **tail;
    bool stopping;
};

static _Thread_local const struct pp_loop *current_loop;

static struct pp_task *take_tasks(struct pp_loop *loop)
{
    struct pp_task *tasks;

    pthread_mutex_lock(&loop->lock);
    tasks = loop->head;
    loop->head = NULL;
    loop->tail = &loop->head;
    pthread_mutex_unlock(&loop->lock);
    return tasks;
}

static void run_tasks(struct pp_loop *loop)
{
    struct pp_task *task = take_tasks(loop);

    while (task) {
        struct pp_task *next = task->next;

        task->run(task->arg);
        task = next;
    }
}

static void on_wake(uv_async_t *wake)
{
    struct pp_loop *loop = wake->data;
    bool stopping;

    run_tasks(loop);
    pthread_mutex_lock(&loop->lock);
    stopping = loop->stopping;
    pthread_mutex_unlock(&loop->lock);
    if (stopping)
        uv_stop(&loop->uv);
}

static void *loop_main(void *arg)
{
    struct pp_loop *loop = arg;

    current_loop = loop;
    pthread_setname_np(pthread_self(), loop->name);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    run_tasks(loop); /* posted between the last wake and the stop */
    uv_close((uv_handle_t *)&loop->wake, NULL);
    /* Whoever opened a handle on this loop has asked for its closing by now; let the callbacks run. */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

static bool start_thread(struct pp_loop *loop)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

struct pp_loop *pp_loop_new(const char *name, struct pp_error *err)
{
    struct pp_loop *loop = pp_calloc(1, sizeof(*loop));
    int rc;

    if (!loop) {
        pp_error_nomem(err);
        return NULL;
    }
    atomic_init(&loop->refs, 1);
    loop->tail = &loop->head;
    snprintf(loop->name, sizeof(loop->name), "%s", name);
    pthread_mutex_init(&loop->lock, NULL);
    rc = uv_loop_init(&loop->uv);
    if (rc != 0)
        goto fail;
    rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc != 0)
        goto fail_loop;
    loop->wake.data = loop;
    if (start_thread(loop))
        return loop;
    rc = UV_EAGAIN;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
fail_loop:
    uv_loop_close(&loop->uv);
fail:
    pthread_mutex_destroy(&loop->lock);
    pp_free(loop);
    pp_error_set(err, PP_ERR_IO, "cannot start event loop: %s", uv_strerror(rc));
    return NULL;
}

struct pp_loop *pp_loop_ref(struct pp_loop *loop)
{
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    return loop;
}

void pp_loop_unref(struct pp_loop *loop)
{
    if (!loop || atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) != 1)
        return;
    pp_loop_stop(loop);
    pthread_mutex_destroy(&loop->lock);
    pp_free(loop->scratch);
    pp_free(loop);
}

bool pp_loop_post(struct pp_loop *loop, struct pp_task *task)
{
    bool taken;

    pthread_mutex_lock(&loop->lock);
    taken = !loop->stopping;
    if (taken) {
        task->next = NULL;
        *loop->tail = task;
        loop->tail = &task->next;
        /* Within the lock: once `stopping` is set the handle may be gone. */
        uv_async_send(&loop->wake);
    }
    pthread_mutex_unlock(&loop->lock);
    return taken;
}

struct call {
    void (*fn)(void *arg);
    void *arg;
    sem_t done;
};

static void run_call(void *arg)
{
    struct call *call = arg;

    call->fn(call->arg);
    sem_post(&call->done);
}

bool pp_loop_call(struct pp_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct call call = {.fn = fn, .arg = arg};
    struct pp_task task = {.run = run_call, .arg = &call};
    bool posted;

    if (pp_loop_is_current(loop)) {
        fn(arg);
        return true;
    }
    sem_init(&call.done, 0, 0);
    posted = pp_loop_post(loop, &task);
    while (posted && sem_wait(&call.done) != 0)
        ; /* a signal */
    sem_destroy(&call.done);
    return posted;
}

bool pp_loop_is_current(const struct pp_loop *loop)
{
    return current_loop == loop;
}

void pp_loop_stop(struct pp_loop *loop)
{
    bool first;
    int rc;

    pthread_mutex_lock(&loop->lock);
    first = !loop->stopping;
    loop->stopping = true;
    if (first)
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
    if (!first)
        return;
    assert(!pp_loop_is_current(loop));
    pthread_join(loop->thread, NULL);
    rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
}

struct uv_loop_s *pp_loop_uv(struct pp_loop *loop)
{
    return &loop->uv;
}

char *pp_loop_scratch(struct pp_loop *loop)
{
    if (!loop->scratch)
        loop->scratch = pp_malloc(PP_LOOP_SCRATCH_BYTES);
    return loop->scratch;
}

struct pp_timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};

static void on_timer(uv_timer_t *uv)
{
    struct pp_timer *timer = uv->data;

    timer->fn(timer->arg);
}

struct pp_timer *pp_timer_new(struct pp_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct pp_timer *timer = pp_calloc(1, sizeof(*timer));

    if (!timer)
        return NULL;
    timer->fn = fn;
    timer->arg = arg;
    timer->uv.data = timer;
    uv_timer_init(&loop->uv, &timer->uv);
    return timer;
}

void pp_timer_start(struct pp_timer *timer, uint64_t delay_ms)
{
    /* The loop's notion of now is as old as this turn; a delay counts from the real now. */
    uv_update_time(timer->uv.loop);
    uv_timer_start(&timer->uv, on_timer, delay_ms, 0);
}

void pp_timer_stop(struct pp_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
    pp_free(handle->data);
}

void pp_timer_free(struct pp_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

bool pp_loop_pool_init(struct pp_loop_pool *pool, size_t n, const char *name, struct pp_error *err)
{
    struct pp_loop_pool made = {0};

    assert(n >= 1 && n <= PP_LOOPS_MAX);
    made.loops = pp_calloc(n, sizeof(struct pp_loop *));
    if (!made.loops)
        return pp_error_nomem(err);
    for (; made.n < n; made.n++) {
        char full[64];

        snprintf(full, sizeof(full), "%.11s-%zu", name, made.n);
        made.loops[made.n] = pp_loop_new(full, err);
        if (!made.loops[made.n]) {
            pp_loop_pool_done(&made);
            return false;
        }
    }
    *pool = made;
    return true;
}

void pp_loop_pool_done(struct pp_loop_pool *pool)
{
    for (size_t i = 0; i < pool->n; i++) {
        pp_loop_stop(pool->loops[i]);
        pp_loop_unref(pool->loops[i]);
    }
    pp_free(pool->loops);
    *pool = (struct pp_loop_pool){0};
}
