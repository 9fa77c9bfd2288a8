#include "pipeline/exporter_flight.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

static void note_result(struct pp_exporter_flight *flight, const struct pp_result *result)
{
    flight->result = *result;
    flight->answered = true;
    if (result->outcome == PP_ACCEPTED)
        return;
    snprintf(flight->reason, sizeof(flight->reason), "%s", result->message);
    flight->result.message = flight->reason;
}

/* The batch of the message that comes next. */
static struct pp_batch *next_batch(const struct pp_exporter_flight *flight)
{
    if (flight->list)
        return flight->send.batch;
    return flight->together ? flight->together->batch : flight->alone->batch;
}

static bool needs_worker(const struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;

    if (flight->together && (flight->room || flight->together->next))
        return true;
    return !core->ops->is_light(core->self, next_batch(flight));
}

static struct pp_request *pop(struct pp_request **list)
{
    struct pp_request *request = *list;

    *list = request->next;
    request->next = NULL;
    return request;
}

static void begin_message(struct pp_exporter_flight *flight)
{
    flight->send.batch = flight->merged ? flight->merged : flight->list->batch;
    flight->was_accepted = false;
    for (struct pp_request *r = flight->list; r; r = r->next)
        flight->was_accepted = flight->was_accepted || r->was_accepted;
    pp_backoff_start(&flight->backoff, flight->core->retry, pp_clock_mono_ms());
    pp_exporter_metrics_send(&flight->core->metrics, flight->send.batch);
}

/* Makes one message of what was taken, or takes the next of what could not be merged. */
static void choose_message(struct pp_exporter_flight *flight)
{
    if (flight->together) {
        flight->alone = pp_exporter_cut(flight->core, &flight->together, flight->room);
        flight->merged = pp_exporter_merge(flight->together);
        if (flight->merged) {
            flight->list = flight->together;
        } else {
            struct pp_request **end = &flight->together;

            while (*end)
                end = &(*end)->next;
            *end = flight->alone;
            flight->alone = flight->together;
        }
        flight->together = NULL;
    }
    if (!flight->list)
        flight->list = pop(&flight->alone);
    begin_message(flight);
}

/* Any thread. Leaves a body, or an answer why there is none. */
static void make_message(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    struct pp_result result = PP_RESULT_RETRY("out of memory");
    struct pp_error text = {0};

    if (!flight->list)
        choose_message(flight);
    flight->send.body = core->ops->prepare(core->self, flight->send.batch, &text, &result);
    if (!flight->send.body)
        note_result(flight, &result);
}

/* False: there is no worker and none can be started. */
static bool hand_over(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    bool handed = true;

    pthread_mutex_lock(&core->lock);
    if (core->idle_n <= core->heavy_n && !pp_exporter_add_worker(core, pp_flight_work))
        handed = core->workers_n > 0;
    if (handed) {
        flight->next = NULL;
        *core->heavy_tail = flight;
        core->heavy_tail = &flight->next;
        core->heavy_n++;
        pthread_cond_signal(&core->work);
    }
    pthread_mutex_unlock(&core->lock);
    return handed;
}

static void attempt(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    uint64_t now_ms = pp_clock_mono_ms(), stop_ms = atomic_load(&core->stop_deadline_ms), due_ms = UINT64_MAX;

    if (now_ms >= stop_ms) {
        note_result(flight, &PP_RESULT_RETRY("not sent before the shutdown deadline"));
        return;
    }
    if (core->timeout_ns > 0)
        due_ms = now_ms + ((uint64_t)core->timeout_ns + PP_NS_PER_MS - 1) / PP_NS_PER_MS;
    flight->due_ms = due_ms < stop_ms ? due_ms : stop_ms;
    flight->state = PP_FLIGHT_SENDING;
    flight->send.deadline_mono_ms = flight->due_ms;
    flight->send.state = NULL;
    pp_gauge_add(core->metrics.in_flight, 1);
    flight->in_send = true;
    core->ops->lane_send(flight->lane->state, &flight->send);
    flight->in_send = false;
    if (!flight->answered)
        pp_exporter_lane_watch(flight->lane, flight->due_ms);
}

/* Sets the next attempt's time. False: not worth waiting, the time to deliver ends before. */
static bool wait_until(struct pp_exporter_flight *flight, uint64_t until_ms)
{
    uint64_t stop_ms = atomic_load(&flight->core->stop_deadline_ms), hurry_ms = pp_clock_mono_ms() + (uint64_t)PP_EXPORTER_HURRY_MS;

    if (stop_ms != UINT64_MAX && flight->core->storage)
        return false; /* it comes again after the restart */
    if (stop_ms != UINT64_MAX && !flight->asked) {
        pp_backoff_hurry(&flight->backoff, PP_EXPORTER_HURRY_MS);
        until_ms = until_ms < hurry_ms ? until_ms : hurry_ms;
    }
    if (until_ms >= stop_ms)
        return false;
    flight->state = PP_FLIGHT_WAITING;
    flight->due_ms = until_ms;
    pp_exporter_lane_watch(flight->lane, until_ms);
    return true;
}

/* After an answer that asks for another try: true when it will come. */
static bool plan_retry(struct pp_exporter_flight *flight)
{
    uint64_t now_ms = pp_clock_mono_ms(), wait_ms;

    if (!pp_backoff_next(&flight->backoff, flight->result.retry_after_ms, pp_random_unit(), now_ms, &wait_ms))
        return false;
    /* At least 1: a due time that is not past lets the lane's timer look at the others first. */
    wait_ms = wait_ms ? wait_ms : 1;
    flight->asked = flight->result.retry_after_ms >= 0;
    if (now_ms + wait_ms < atomic_load(&flight->core->stop_deadline_ms))
        pp_exporter_log_retry(flight->core, wait_ms, flight->reason);
    return wait_until(flight, now_ms + wait_ms);
}

static void end_message(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    uint64_t samples = pp_batch_samples(flight->send.batch);
    struct pp_request *list = flight->list;

    if (flight->result.outcome == PP_ACCEPTED)
        pp_counter_add(core->metrics.sent, samples);
    else
        pp_exporter_drop(core, samples, flight->was_accepted, &flight->result);
    pp_bytes_unref(flight->send.body);
    pp_batch_unref(flight->merged);
    flight->send = (struct pp_exporter_send){0};
    flight->merged = NULL;
    flight->list = NULL;
    flight->state = PP_FLIGHT_MAKING;
    pp_exporter_finish_list(core, list, &flight->result);
}

static void land(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    struct pp_exporter_lane *lane = flight->lane;

    *(flight->lane_prev ? &flight->lane_prev->lane_next : &lane->flights) = flight->lane_next;
    if (flight->lane_next)
        flight->lane_next->lane_prev = flight->lane_prev;
    pthread_mutex_lock(&core->lock);
    flight->next = core->idle_flights;
    core->idle_flights = flight;
    if (--core->in_flight == 0 && core->stopping)
        pthread_cond_broadcast(&core->hurry);
    pthread_mutex_unlock(&core->lock);
}

/* Goes on as far as it can without waiting. */
static void go(struct pp_exporter_flight *flight)
{
    for (;;) {
        if (flight->answered) {
            flight->answered = false;
            if (flight->result.outcome == PP_RETRY && plan_retry(flight))
                return;
            end_message(flight);
            if (!flight->alone) {
                land(flight);
                return;
            }
        }
        if (!flight->send.body) {
            flight->state = PP_FLIGHT_MAKING;
            flight->due_ms = UINT64_MAX;
            if (needs_worker(flight) && hand_over(flight))
                return;
            make_message(flight);
        }
        if (!flight->answered)
            attempt(flight);
        if (!flight->answered)
            return;
    }
}

static void on_arrive(void *flight_)
{
    struct pp_exporter_flight *flight = flight_;
    struct pp_exporter_lane *lane = flight->lane;

    go(flight);
    pp_exporter_lane_pump(lane);
}

void pp_flight_begin(struct pp_exporter_flight *flight, struct pp_exporter_lane *lane, struct pp_request *list, uint64_t room)
{
    flight->lane = lane;
    flight->lane_prev = NULL;
    flight->lane_next = lane->flights;
    if (lane->flights)
        lane->flights->lane_prev = flight;
    lane->flights = flight;
    flight->arrive = (struct pp_task){.run = on_arrive, .arg = flight};
    flight->together = list;
    flight->room = room;
    go(flight);
}

void pp_exporter_sent(struct pp_exporter_send *send, const struct pp_result *result)
{
    struct pp_exporter_flight *flight = pp_container_of(send, struct pp_exporter_flight, send);
    struct pp_exporter_lane *lane = flight->lane;

    assert(flight->state == PP_FLIGHT_SENDING && !flight->answered);
    pp_gauge_add(flight->core->metrics.in_flight, -1);
    note_result(flight, result);
    if (flight->in_send)
        return;
    go(flight);
    pp_exporter_lane_pump(lane);
}

void pp_flight_due(struct pp_exporter_flight *flight)
{
    struct pp_exporter_core *core = flight->core;
    struct pp_result result = PP_RESULT_RETRY("no answer by the deadline");

    if (flight->state == PP_FLIGHT_SENDING) {
        core->ops->lane_cancel(flight->lane->state, &flight->send, &result);
        pp_gauge_add(core->metrics.in_flight, -1);
        note_result(flight, &result);
    }
    go(flight);
}

void pp_flight_hurry(struct pp_exporter_flight *flight)
{
    uint64_t stop_ms = atomic_load(&flight->core->stop_deadline_ms);

    if (flight->state == PP_FLIGHT_SENDING && flight->due_ms > stop_ms) {
        flight->due_ms = stop_ms;
        pp_exporter_lane_watch(flight->lane, stop_ms);
    } else if (flight->state == PP_FLIGHT_WAITING && !wait_until(flight, flight->due_ms)) {
        /* The last answer is the final one. */
        end_message(flight);
        if (flight->alone)
            go(flight);
        else
            land(flight);
    }
}

void *pp_flight_work(void *arg)
{
    struct pp_exporter_worker *worker = arg;
    struct pp_exporter_core *core = worker->core;

    pthread_mutex_lock(&core->lock);
    while (!core->closing) {
        struct pp_exporter_flight *flight = core->heavy;

        if (!flight) {
            core->idle_n++;
            pp_exporter_wait(&core->work, &core->lock, UINT64_MAX);
            core->idle_n--;
            continue;
        }
        core->heavy = flight->next;
        if (!core->heavy)
            core->heavy_tail = &core->heavy;
        core->heavy_n--;
        pthread_mutex_unlock(&core->lock);
        make_message(flight);
        pp_loop_post(flight->lane->loop, &flight->arrive);
        pthread_mutex_lock(&core->lock);
    }
    pthread_mutex_unlock(&core->lock);
    return NULL;
}
