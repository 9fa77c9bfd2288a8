/* Event loops: one libuv loop in one thread each. Everything that belongs to a loop (its sockets, timers, connections) is
 * touched on its thread only; other threads hand it tasks. An idle loop never wakes up. */
#ifndef PP_NET_LOOP_H
#define PP_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct uv_loop_s;
struct pp_loop;

/* Work for a loop, embedded in the object it is about, so that handing it over cannot fail for want of memory. The loop does
 * not touch it any more once `run` is called. */
struct pp_task {
    void (*run)(void *arg);
    void *arg;
    struct pp_task *next; /* the loop's */
};

/* A running loop with its thread; all signals are blocked there. `name` (at most 15 bytes) shows in ps and debuggers. NULL on
 * failure. The caller owns one reference. */
struct pp_loop *pp_loop_new(const char *name, struct pp_error *err);
/* References keep the object, not the thread: after pp_loop_stop a post is refused. */
struct pp_loop *pp_loop_ref(struct pp_loop *loop);
void pp_loop_unref(struct pp_loop *loop);

/* From any thread: runs the task on the loop's thread, in order of posting. False, task untouched, once the loop has stopped. */
bool pp_loop_post(struct pp_loop *loop, struct pp_task *task);
/* Runs fn(arg) on the loop's thread and waits for it; on that thread itself a plain call. False when the loop has stopped. */
bool pp_loop_call(struct pp_loop *loop, void (*fn)(void *arg), void *arg);
bool pp_loop_is_current(const struct pp_loop *loop);
/* Runs what was posted before and joins the thread. Whoever opened timers or sockets on the loop has closed them before. From
 * another thread; a second call does nothing. */
void pp_loop_stop(struct pp_loop *loop);

/* For code on the loop's thread that works with libuv itself. */
struct uv_loop_s *pp_loop_uv(struct pp_loop *loop);

/* One block per loop that all its sockets read into, so that an idle connection holds no buffer. Its content lasts until the
 * caller returns to the loop. NULL when memory is out. */
#define PP_LOOP_SCRATCH_BYTES (256u * 1024)
char *pp_loop_scratch(struct pp_loop *loop);

/* One-shot timers, used on the loop's thread only. Starting a running timer moves it. */
struct pp_timer;
struct pp_timer *pp_timer_new(struct pp_loop *loop, void (*fn)(void *arg), void *arg);
void pp_timer_start(struct pp_timer *timer, uint64_t delay_ms);
void pp_timer_stop(struct pp_timer *timer);
void pp_timer_free(struct pp_timer *timer);

/* A fixed set of loops that servers shard their connections over. */
struct pp_loop_pool {
    struct pp_loop **loops;
    size_t n;
};

#define PP_LOOPS_MAX 256

/* `n` loops, 1 to PP_LOOPS_MAX, named "<name>-0" and so on. */
bool pp_loop_pool_init(struct pp_loop_pool *pool, size_t n, const char *name, struct pp_error *err);
/* Stops all loops and gives them up. */
void pp_loop_pool_done(struct pp_loop_pool *pool);

#endif
