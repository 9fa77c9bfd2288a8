#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

#define POSTERS 4
#define POSTS 1000u

static struct pp_loop *new_loop(void)
{
    struct pp_error err;
    struct pp_loop *loop = pp_loop_new("test", &err);

    assert_non_null(loop);
    return loop;
}

struct counted {
    struct pp_task task;
    unsigned number;
    struct poster *poster;
};

struct poster {
    struct pp_loop *loop;
    unsigned ran; /* the loop's */
    bool in_order;
    struct counted tasks[POSTS];
};

static void run_counted(void *arg)
{
    struct counted *task = arg;

    task->poster->in_order = task->poster->in_order && task->number == task->poster->ran;
    task->poster->ran++;
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;

    for (unsigned i = 0; i < POSTS; i++) {
        poster->tasks[i] = (struct counted){{run_counted, &poster->tasks[i], NULL}, i, poster};
        if (!pp_loop_post(poster->loop, &poster->tasks[i].task))
            return NULL;
    }
    return NULL;
}

/* Tasks of each thread run in its order, and all of them before the loop has stopped. */
static void test_posts(void **state)
{
    struct poster *posters = calloc(POSTERS, sizeof(*posters));
    struct pp_loop *loop = new_loop();
    pthread_t threads[POSTERS];
    struct counted late = {{run_counted, NULL, NULL}, 0, NULL};

    (void)state;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        posters[i].in_order = true;
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    pp_loop_stop(loop);
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(posters[i].ran, POSTS);
        assert_true(posters[i].in_order);
    }
    assert_false(pp_loop_post(loop, &late.task)); /* refused, not run */
    pp_loop_unref(loop);
    free(posters);
}

struct asked {
    struct pp_loop *loop;
    bool is_current, nested;
};

static void nested(void *arg)
{
    ((struct asked *)arg)->nested = true;
}

static void ask(void *arg)
{
    struct asked *asked = arg;

    asked->is_current = pp_loop_is_current(asked->loop);
    pp_loop_call(asked->loop, nested, asked);
}

static void test_call(void **state)
{
    struct asked asked = {.loop = new_loop()};

    (void)state;
    assert_false(pp_loop_is_current(asked.loop));
    assert_true(pp_loop_call(asked.loop, ask, &asked));
    assert_true(asked.is_current && asked.nested);
    pp_loop_stop(asked.loop);
    pp_loop_stop(asked.loop); /* does nothing */
    assert_false(pp_loop_call(asked.loop, ask, &asked));
    pp_loop_unref(asked.loop);
}

struct timed {
    struct pp_loop *loop;
    struct pp_timer *timer, *stopped;
    uint64_t started_ms, delay_ms;
    atomic_uint fired;
};

static void on_fire(void *arg)
{
    struct timed *timed = arg;

    timed->delay_ms = pp_clock_mono_ms() - timed->started_ms;
    atomic_fetch_add(&timed->fired, 1);
}

static void never(void *arg)
{
    (void)arg;
    abort();
}

static void start_timers(void *arg)
{
    struct timed *timed = arg;

    timed->timer = pp_timer_new(timed->loop, on_fire, timed);
    timed->stopped = pp_timer_new(timed->loop, never, timed);
    timed->started_ms = pp_clock_mono_ms();
    pp_timer_start(timed->timer, 1);
    pp_timer_start(timed->timer, 30); /* moved */
    pp_timer_start(timed->stopped, 1);
    pp_timer_stop(timed->stopped);
}

static void free_timers(void *arg)
{
    struct timed *timed = arg;

    pp_timer_free(timed->timer);
    pp_timer_free(timed->stopped);
    pp_timer_free(NULL);
}

static void test_timers(void **state)
{
    struct timed timed = {.loop = new_loop()};

    (void)state;
    assert_true(pp_loop_call(timed.loop, start_timers, &timed));
    for (int i = 0; i < 5000 && atomic_load(&timed.fired) == 0; i++)
        usleep(1000);
    usleep(20000);
    assert_int_equal(atomic_load(&timed.fired), 1);
    assert_in_range(timed.delay_ms, 29, 5000);
    assert_true(pp_loop_call(timed.loop, free_timers, &timed));
    pp_loop_stop(timed.loop);
    pp_loop_unref(timed.loop);
}

static void read_switches(void *arg)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    *(long *)arg = usage.ru_nvcsw;
}

/* An idle loop sleeps: its thread is woken by the two questions and nothing else. */
static void test_idle(void **state)
{
    struct pp_loop *loop = new_loop();
    long before = 0, after = 0;

    (void)state;
    assert_true(pp_loop_call(loop, read_switches, &before));
    usleep(200000);
    assert_true(pp_loop_call(loop, read_switches, &after));
    assert_in_range(after - before, 0, 3);
    pp_loop_stop(loop);
    pp_loop_unref(loop);
}

static void test_pool(void **state)
{
    struct pp_loop_pool pool;
    struct pp_error err;

    (void)state;
    assert_true(pp_loop_pool_init(&pool, 3, "a-rather-long-name", &err));
    assert_int_equal(pool.n, 3);
    pp_loop_pool_done(&pool);
    assert_int_equal(pool.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts), cmocka_unit_test(test_call), cmocka_unit_test(test_timers),
        cmocka_unit_test(test_idle),  cmocka_unit_test(test_pool),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
