#include "memory_net.h"

#include <stdlib.h>

#include "base/clock.h"
#include "net/http_internal.h"

#define TIMERS_MAX 64u
#define START_MS 1000u

struct pp_loop {
    struct pp_task *first, **last;
    char scratch[PP_LOOP_SCRATCH_BYTES];
};

struct pp_timer {
    void (*fn)(void *arg);
    void *arg;
    uint64_t at_ms; /* UINT64_MAX: not running */
};

struct pp_stream {
    const struct pp_stream_events *events;
    void *arg;
    size_t room; /* for writes */
    bool reading, closed, ended;
};

struct pp_listener {
    int unused;
};

static uint64_t now_ms = START_MS;
static struct pp_loop the_loop = {.last = &the_loop.first};
static struct pp_listener the_listener;
static struct pp_timer *timers[TIMERS_MAX];
static struct pp_stream *the_stream; /* the connection's, gone once it is closed */
static size_t peer_reads_bytes;
static bool elsewhere; /* what runs plays another thread */

/* base/clock.h */

uint64_t pp_clock_unix_ns(void)
{
    return now_ms * PP_NS_PER_MS;
}

uint64_t pp_clock_mono_ms(void)
{
    return now_ms;
}

uint64_t pp_clock_mono_ns(void)
{
    return now_ms * PP_NS_PER_MS;
}

double pp_random_unit(void)
{
    return 0.5;
}

/* net/loop.h */

struct pp_loop *pp_loop_ref(struct pp_loop *loop)
{
    return loop;
}

void pp_loop_unref(struct pp_loop *loop)
{
    (void)loop;
}

bool pp_loop_post(struct pp_loop *loop, struct pp_task *task)
{
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
    return true;
}

bool pp_loop_call(struct pp_loop *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    fn(arg);
    return true;
}

bool pp_loop_is_current(const struct pp_loop *loop)
{
    (void)loop;
    return !elsewhere;
}

struct uv_loop_s *pp_loop_uv(struct pp_loop *loop)
{
    (void)loop;
    abort();
}

char *pp_loop_scratch(struct pp_loop *loop)
{
    return loop->scratch;
}

static void run_tasks(void)
{
    while (the_loop.first) {
        struct pp_task *task = the_loop.first;

        the_loop.first = task->next;
        if (!the_loop.first)
            the_loop.last = &the_loop.first;
        task->run(task->arg);
    }
}

struct pp_timer *pp_timer_new(struct pp_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct pp_timer *timer = malloc(sizeof(*timer));

    (void)loop;
    if (!timer)
        abort();
    *timer = (struct pp_timer){fn, arg, UINT64_MAX};
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (!timers[i]) {
            timers[i] = timer;
            return timer;
        }
    abort();
}

void pp_timer_start(struct pp_timer *timer, uint64_t delay_ms)
{
    timer->at_ms = now_ms + delay_ms;
}

void pp_timer_stop(struct pp_timer *timer)
{
    timer->at_ms = UINT64_MAX;
}

void pp_timer_free(struct pp_timer *timer)
{
    for (size_t i = 0; timer && i < TIMERS_MAX; i++)
        if (timers[i] == timer)
            timers[i] = NULL;
    free(timer);
}

/* Lets the time go to the next timer, and runs it; false when none runs. */
static bool run_next_timer(uint64_t until_ms)
{
    struct pp_timer *next = NULL;

    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (timers[i] && timers[i]->at_ms != UINT64_MAX && (!next || timers[i]->at_ms < next->at_ms))
            next = timers[i];
    if (!next || next->at_ms > until_ms)
        return false;
    now_ms = next->at_ms > now_ms ? next->at_ms : now_ms;
    next->at_ms = UINT64_MAX;
    next->fn(next->arg);
    return true;
}

/* net/listener.h */

struct pp_listener *pp_listener_open(const char *endpoint, const char *transport, const char *owner, size_t shards, struct pp_error *err)
{
    (void)endpoint;
    (void)transport;
    (void)owner;
    (void)shards;
    (void)err;
    return &the_listener;
}

void pp_listener_close(struct pp_listener *listener)
{
    (void)listener;
}

int pp_listener_fd(const struct pp_listener *listener, size_t shard)
{
    (void)listener;
    (void)shard;
    return -1;
}

const char *pp_listener_address(const struct pp_listener *listener)
{
    (void)listener;
    return "memory";
}

bool pp_listener_is_unix(const struct pp_listener *listener)
{
    (void)listener;
    return false;
}

/* net/stream.h */

struct pp_stream *pp_stream_new(struct pp_loop *loop, int fd, struct ssl_ctx_st *tls, const struct pp_stream_events *events, void *arg)
{
    struct pp_stream *stream = malloc(sizeof(*stream));

    (void)loop;
    (void)fd;
    (void)tls;
    if (!stream)
        abort();
    *stream = (struct pp_stream){.events = events, .arg = arg, .room = peer_reads_bytes, .reading = true};
    the_stream = stream;
    return stream;
}

void pp_stream_start(struct pp_stream *stream)
{
    stream->events->on_open(stream->arg);
}

void pp_stream_set_reading(struct pp_stream *stream, bool on)
{
    stream->reading = on;
}

ssize_t pp_stream_write(struct pp_stream *stream, struct pp_str data)
{
    size_t n = data.n < stream->room ? data.n : stream->room;
    volatile char sum = 0;

    for (size_t i = 0; i < n; i++) /* the bytes must be readable */
        sum = (char)(sum ^ data.p[i]);
    stream->room -= stream->room == SIZE_MAX ? 0 : n;
    return (ssize_t)n;
}

void pp_stream_shutdown(struct pp_stream *stream)
{
    (void)stream;
}

void pp_stream_close(struct pp_stream *stream)
{
    if (!stream || stream->closed)
        return;
    stream->closed = true;
    the_stream = NULL;
}

struct ssl_st *pp_stream_ssl(struct pp_stream *stream)
{
    (void)stream;
    return NULL;
}

/* The peer */

const struct pp_loop_pool *memory_loops(void)
{
    static struct pp_loop *loops[] = {&the_loop};
    static const struct pp_loop_pool pool = {loops, 1};

    return &pool;
}

/* In a block of its own, so that sanitizers see a read outside it. */
static void arrive(struct pp_str piece)
{
    char *copy = malloc(piece.n);

    if (!copy)
        abort();
    memcpy(copy, piece.p, piece.n);
    the_stream->events->on_data(the_stream->arg, (struct pp_str){copy, piece.n});
    free(copy);
}

/* Whether anything happened but time. */
static bool turn(const struct memory_peer *peer)
{
    bool busy;

    run_tasks();
    elsewhere = true;
    busy = peer->between(peer->arg);
    elsewhere = false;
    run_tasks();
    return busy;
}

static void send_all(const struct memory_peer *peer, uint64_t until_ms)
{
    struct pp_str left = peer->sends;

    while (the_stream && left.n > 0) {
        struct pp_str piece = {left.p, left.n < peer->piece_bytes ? left.n : peer->piece_bytes};

        if (the_stream->reading) {
            left.p += piece.n;
            left.n -= piece.n;
            arrive(piece);
        } else if (!turn(peer) && !run_next_timer(until_ms)) {
            return; /* reading is off for good */
        }
        turn(peer);
    }
    if (the_stream && peer->half_closes && left.n == 0) {
        the_stream->ended = true;
        the_stream->events->on_end(the_stream->arg);
    }
}

void memory_net_play(struct pp_http_server *server, const struct memory_peer *peer, uint64_t patience_ms)
{
    struct pp_stream *stream;
    uint64_t until_ms;

    now_ms = START_MS;
    until_ms = now_ms + patience_ms;
    peer_reads_bytes = peer->reads_bytes;
    http_conn_open(&server->shards[0], -1);
    stream = the_stream;
    if (!stream)
        abort();
    send_all(peer, until_ms);
    while (turn(peer) || (the_stream && run_next_timer(until_ms)))
        ;
    if (the_stream || pp_http_server_connections(server) != 0)
        abort(); /* the connection outlives every time limit */
    free(stream);
}
