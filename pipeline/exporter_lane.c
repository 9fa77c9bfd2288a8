/* The lanes of an exporter that sends on the service's loops: taking from the queue, the lane's one timer, start and end. */
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/exporter_flight.h"
#include "pipeline/service.h"

void pp_exporter_lane_watch(struct pp_exporter_lane *lane, uint64_t at_ms)
{
    uint64_t now_ms;

    if (at_ms >= lane->armed_ms)
        return;
    now_ms = pp_clock_mono_ms();
    lane->armed_ms = at_ms;
    pp_timer_start(lane->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* Something to send and a flight for it; else NULL, and *ret_due_ms says when to look again. */
static struct pp_exporter_flight *take(struct pp_exporter_core *core, struct pp_request **ret_list, uint64_t *ret_room, uint64_t *ret_due_ms)
{
    uint64_t now_ms = pp_clock_mono_ms();
    struct pp_exporter_flight *flight;

    *ret_due_ms = UINT64_MAX;
    *ret_list = NULL;
    pthread_mutex_lock(&core->lock);
    flight = core->idle_flights;
    if (flight && now_ms < atomic_load(&core->stop_deadline_ms) && !(core->stopping && core->storage)) {
        *ret_list = pp_queue_take(&core->queue, now_ms, core->stopping, ret_room);
        if (*ret_list) {
            core->idle_flights = flight->next;
            core->in_flight++;
        } else {
            *ret_due_ms = pp_queue_due_ms(&core->queue);
        }
    }
    pthread_mutex_unlock(&core->lock);
    return *ret_list ? flight : NULL;
}

void pp_exporter_lane_pump(struct pp_exporter_lane *lane)
{
    struct pp_exporter_flight *flight;
    struct pp_request *list;
    uint64_t room, due_ms;

    /* From within a flight that ends at once: the loop below looks again. */
    if (lane->pumping)
        return;
    lane->pumping = true;
    while ((flight = take(lane->core, &list, &room, &due_ms)))
        pp_flight_begin(flight, lane, list, room);
    lane->pumping = false;
    pp_exporter_lane_watch(lane, due_ms);
}

static void on_pump(void *lane_)
{
    struct pp_exporter_lane *lane = lane_;

    pthread_mutex_lock(&lane->core->lock);
    lane->pump_posted = false;
    pthread_mutex_unlock(&lane->core->lock);
    pp_exporter_lane_pump(lane);
}

struct pp_exporter_lane *pp_exporter_lane_current(struct pp_exporter_core *core)
{
    for (size_t i = 0; i < core->lanes_n; i++)
        if (pp_loop_is_current(core->lanes[i].loop))
            return &core->lanes[i];
    return NULL;
}

void pp_exporter_lane_post_pump(struct pp_exporter_core *core)
{
    struct pp_exporter_lane *lane = &core->lanes[core->next_lane++ % core->lanes_n];

    if (!lane->pump_posted)
        lane->pump_posted = pp_loop_post(lane->loop, &lane->pump);
}

static struct pp_exporter_flight *find_due(struct pp_exporter_lane *lane, uint64_t now_ms)
{
    struct pp_exporter_flight *flight = lane->flights;

    while (flight && (flight->state == PP_FLIGHT_MAKING || flight->due_ms > now_ms))
        flight = flight->lane_next;
    return flight;
}

static void on_timer(void *lane_)
{
    struct pp_exporter_lane *lane = lane_;
    uint64_t now_ms = pp_clock_mono_ms();
    struct pp_exporter_flight *flight;

    lane->armed_ms = UINT64_MAX;
    /* What is due afterwards is due later than `now_ms`, so that this ends. */
    while ((flight = find_due(lane, now_ms)))
        pp_flight_due(flight);
    pp_exporter_lane_pump(lane);
    for (flight = lane->flights; flight; flight = flight->lane_next)
        if (flight->state != PP_FLIGHT_MAKING)
            pp_exporter_lane_watch(lane, flight->due_ms);
}

static void on_hurry(void *lane_)
{
    struct pp_exporter_lane *lane = lane_;
    struct pp_exporter_flight *flight = lane->flights, *next;

    for (; flight; flight = next) {
        next = flight->lane_next; /* it may land, and only it */
        pp_flight_hurry(flight);
    }
    pp_exporter_lane_pump(lane);
}

struct opening {
    struct pp_exporter_lane *lane;
    struct pp_error *err;
};

static void open_lane(void *opening_)
{
    struct opening *opening = opening_;
    struct pp_exporter_lane *lane = opening->lane;
    struct pp_component *self = lane->core->self;

    lane->timer = pp_timer_new(lane->loop, on_timer, lane);
    if (!lane->timer) {
        pp_error_nomem(opening->err);
        return;
    }
    lane->state = lane->core->ops->lane_open(self, lane->loop, opening->err);
}

static void close_lane(void *lane_)
{
    struct pp_exporter_lane *lane = lane_;

    if (lane->state)
        lane->core->ops->lane_close(lane->state);
    pp_timer_free(lane->timer);
    lane->state = NULL;
    lane->timer = NULL;
}

static bool make_lanes(struct pp_exporter_core *core, struct pp_error *err)
{
    const struct pp_loop_pool *loops = pp_service_loops(core->self->service);
    size_t flights_n = (size_t)core->queue_config.num_consumers;

    if (core->lanes)
        return true;
    core->flights = pp_calloc(flights_n, sizeof(*core->flights));
    core->lanes = pp_calloc(loops->n, sizeof(*core->lanes));
    if (!core->flights || !core->lanes) {
        pp_free(core->lanes);
        pp_free(core->flights);
        core->lanes = NULL;
        core->flights = NULL;
        return pp_error_nomem(err);
    }
    core->lanes_n = loops->n;
    for (size_t i = 0; i < flights_n; i++) {
        core->flights[i].core = core;
        core->flights[i].next = core->idle_flights;
        core->idle_flights = &core->flights[i];
    }
    for (size_t i = 0; i < loops->n; i++) {
        struct pp_exporter_lane *lane = &core->lanes[i];

        *lane = (struct pp_exporter_lane){.core = core, .loop = loops->loops[i]};
        lane->pump = (struct pp_task){.run = on_pump, .arg = lane};
        lane->hurry = (struct pp_task){.run = on_hurry, .arg = lane};
    }
    return true;
}

bool pp_exporter_lanes_open(struct pp_exporter_core *core, struct pp_error *err)
{
    if (!make_lanes(core, err))
        return false;
    for (size_t i = 0; i < core->lanes_n; i++) {
        struct opening opening = {&core->lanes[i], err};

        core->lanes[i].armed_ms = UINT64_MAX;
        pp_loop_call(core->lanes[i].loop, open_lane, &opening);
        if (!core->lanes[i].state) {
            pp_exporter_lanes_close(core);
            return false;
        }
    }
    return true;
}

void pp_exporter_lanes_drain(struct pp_exporter_core *core)
{
    uint64_t deadline_ms = atomic_load(&core->stop_deadline_ms);

    for (size_t i = 0; i < core->lanes_n; i++)
        pp_loop_post(core->lanes[i].loop, &core->lanes[i].hurry);
    pthread_mutex_lock(&core->lock);
    for (;;) {
        bool late = pp_clock_mono_ms() >= deadline_ms;

        if (core->in_flight == 0 && (late || core->queue.pending == 0 || core->storage))
            break;
        pp_exporter_wait(&core->hurry, &core->lock, late ? UINT64_MAX : deadline_ms);
    }
    core->closing = true;
    pthread_cond_broadcast(&core->work);
    pthread_mutex_unlock(&core->lock);
}

void pp_exporter_lanes_close(struct pp_exporter_core *core)
{
    for (size_t i = 0; i < core->lanes_n; i++)
        pp_loop_call(core->lanes[i].loop, close_lane, &core->lanes[i]);
}
