#include "h1_pool.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "h1_connection.h"

struct list {
    struct pp_h1_connection *first, *last;
    size_t n;
};

struct pp_h1_pool {
    struct pp_loop *loop;
    struct pp_h1_pool_options options;
    struct list idle; /* the latest used first */
    struct list busy;
    struct pp_h1_call *waiting, **waiting_end;
    struct pp_timer *timer; /* when the idle connection that is oldest has been so for long enough */
    bool timer_runs;
};

static void push(struct list *list, struct pp_h1_connection *connection)
{
    connection->prev = NULL;
    connection->next = list->first;
    if (list->first) {
        list->first->prev = connection;
    } else {
        list->last = connection;
    }
    list->first = connection;
    list->n++;
}

static void take_out(struct list *list, struct pp_h1_connection *connection)
{
    if (connection->prev) {
        connection->prev->next = connection->next;
    } else {
        list->first = connection->next;
    }
    if (connection->next) {
        connection->next->prev = connection->prev;
    } else {
        list->last = connection->prev;
    }
    connection->prev = connection->next = NULL;
    list->n--;
}

static void drop_idle(struct pp_h1_pool *pool, struct pp_h1_connection *connection)
{
    take_out(&pool->idle, connection);
    pp_h1_connection_free(connection);
}

static void on_timer(void *arg)
{
    struct pp_h1_pool *pool = arg;
    uint64_t now_ms = pp_clock_mono_ms(), timeout_ms = pool->options.idle_timeout_ms;

    while (pool->idle.last && now_ms >= pool->idle.last->idle_since_ms + timeout_ms) {
        drop_idle(pool, pool->idle.last);
    }
    pool->timer_runs = pool->idle.last != NULL;
    if (pool->timer_runs) {
        pp_timer_start(pool->timer, pool->idle.last->idle_since_ms + timeout_ms - now_ms);
    }
}

static void keep_idle(struct pp_h1_pool *pool, struct pp_h1_connection *connection)
{
    connection->idle_since_ms = pp_clock_mono_ms();
    push(&pool->idle, connection);
    if (pool->options.idle_max && pool->idle.n > pool->options.idle_max) {
        drop_idle(pool, pool->idle.last);
    }
    /* A timer that runs fires no later than the oldest one's time. */
    if (pool->options.idle_timeout_ms && !pool->timer_runs) {
        pool->timer_runs = true;
        pp_timer_start(pool->timer, pool->options.idle_timeout_ms);
    }
}

static const struct pp_h1_connection_events events;

static void fail_call(struct pp_h1_call *call, const char *why)
{
    struct pp_http_answer answer = {.retry_after_ms = -1};

    pp_answer_text(answer.message, pp_str_c(why));
    call->done(call, &answer);
}

static void connect_for(struct pp_h1_pool *pool, struct pp_h1_call *call)
{
    const struct pp_h1_pool_options *options = &pool->options;
    struct pp_error err = {0};
    struct pp_h1_connection *connection = pp_h1_connection_new(pool->loop, pool, &events, options->host, options->port, call, &err);

    if (connection) {
        push(&pool->busy, connection);
    } else {
        fail_call(call, err.message);
    }
}

static void wait_for_one(struct pp_h1_pool *pool, struct pp_h1_call *call)
{
    call->next = NULL;
    *pool->waiting_end = call;
    pool->waiting_end = &call->next;
}

/* On a connection that is free, on a new one, or later. */
static void send_call(struct pp_h1_pool *pool, struct pp_h1_call *call)
{
    struct pp_h1_connection *connection = pool->idle.first;

    if (connection) {
        take_out(&pool->idle, connection);
        push(&pool->busy, connection);
        pp_h1_connection_begin(connection, call);
    } else if (pool->options.connections_max && pool->busy.n >= pool->options.connections_max) {
        wait_for_one(pool, call);
    } else {
        connect_for(pool, call);
    }
}

/* There may be room for one that waits. */
static void send_waiting(struct pp_h1_pool *pool)
{
    struct pp_h1_call *call = pool->waiting;

    if (!call) {
        return;
    }
    pool->waiting = call->next;
    if (!pool->waiting) {
        pool->waiting_end = &pool->waiting;
    }
    send_call(pool, call);
}

static void on_answered(struct pp_h1_pool *pool, struct pp_h1_connection *connection, struct pp_h1_call *call, bool reusable)
{
    take_out(&pool->busy, connection);
    reusable = reusable && pool->options.keep_alive;
    if (!reusable) {
        /* The answer is the connection's: it goes last. */
        call->done(call, &connection->reader.answer);
        pp_h1_connection_free(connection);
        send_waiting(pool);
        return;
    }
    if (pool->waiting) { /* and what `done` may send waits behind them */
        call->done(call, &connection->reader.answer);
        keep_idle(pool, connection);
        send_waiting(pool);
        return;
    }
    keep_idle(pool, connection);
    call->done(call, &connection->reader.answer);
}

static void on_failed(struct pp_h1_pool *pool, struct pp_h1_connection *connection, struct pp_h1_call *call, bool unsent)
{
    take_out(&pool->busy, connection);
    if (unsent && !call->again) {
        call->again = true;
        pp_h1_connection_free(connection);
        connect_for(pool, call);
        return;
    }
    call->done(call, &connection->reader.answer);
    pp_h1_connection_free(connection);
    send_waiting(pool);
}

static const struct pp_h1_connection_events events = {.answered = on_answered, .failed = on_failed, .closed = drop_idle};

struct pp_h1_pool *pp_h1_pool_new(struct pp_loop *loop, const struct pp_h1_pool_options *options, struct pp_error *err)
{
    struct pp_h1_pool *pool = pp_calloc(1, sizeof(*pool));

    if (pool) {
        *pool = (struct pp_h1_pool){.loop = loop, .options = *options, .waiting_end = &pool->waiting};
        pool->timer = pp_timer_new(loop, on_timer, pool);
    }
    if (!pool || !pool->timer) {
        pp_free(pool);
        pp_error_nomem(err);
        return NULL;
    }
    return pool;
}

void pp_h1_pool_send(struct pp_h1_pool *pool, struct pp_h1_call *call)
{
    call->end_n = (size_t)snprintf(call->end, sizeof(call->end), "%sContent-Length: %zu\r\n\r\n",
                                   pool->options.keep_alive ? "" : "Connection: close\r\n", call->body->len);
    call->again = false;
    call->connection = NULL;
    if (pool->waiting) {
        wait_for_one(pool, call);
    } else {
        send_call(pool, call);
    }
}

static void forget_waiting(struct pp_h1_pool *pool, const struct pp_h1_call *call)
{
    struct pp_h1_call **at = &pool->waiting;

    while (*at && *at != call) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = call->next;
        if (!*at) {
            pool->waiting_end = at;
        }
    }
}

void pp_h1_pool_cancel(struct pp_h1_pool *pool, struct pp_h1_call *call, const char **ret_trouble)
{
    struct pp_h1_connection *connection = call->connection;

    if (!connection) {
        forget_waiting(pool, call);
        *ret_trouble = "all connections are busy";
        return;
    }
    *ret_trouble = connection->socket ? "no answer by the deadline" : "no connection by the deadline";
    take_out(&pool->busy, connection);
    pp_h1_connection_free(connection);
    send_waiting(pool);
}

void pp_h1_pool_free(struct pp_h1_pool *pool)
{
    if (!pool) {
        return;
    }
    while (pool->idle.first) {
        drop_idle(pool, pool->idle.first);
    }
    pp_timer_free(pool->timer);
    pp_free(pool);
}
