/* Private to exporter_*.c: a message under way on a lane, from the queue to its answer. */
#ifndef PP_PIPELINE_EXPORTER_FLIGHT_H
#define PP_PIPELINE_EXPORTER_FLIGHT_H

#include "pipeline/exporter_core.h"

enum pp_flight_state {
    PP_FLIGHT_MAKING,  /* its body is being made, here or by a worker */
    PP_FLIGHT_SENDING, /* the exporter has it; `due_ms` is the attempt's deadline */
    PP_FLIGHT_WAITING, /* `due_ms` is the next attempt's time */
};

/* There are num_consumers of them, made at start, so that taking from the queue cannot fail for want of memory. On the lane's thread only, but while a worker
 * makes the message. */
struct pp_exporter_flight {
    struct pp_exporter_send send;
    struct pp_exporter_core *core;
    struct pp_exporter_lane *lane;
    struct pp_exporter_flight *next;                   /* in a list under the core's lock */
    struct pp_exporter_flight *lane_prev, *lane_next; /* in lane->flights */
    struct pp_task arrive;                             /* back on the lane */
    enum pp_flight_state state;
    uint64_t due_ms;
    struct pp_backoff backoff;

    struct pp_request *together; /* as taken: to be one message, cut at `room` */
    uint64_t room;
    struct pp_request *alone; /* left over from that, for one message each */
    struct pp_request *list;  /* what the message under way is made of */
    struct pp_batch *merged;  /* their batch; NULL: the only one's own */
    bool was_accepted;

    bool asked; /* the peer said how long to wait */
    bool answered;
    bool in_send; /* lane_send has not returned */
    struct pp_result result;
    char reason[PP_EXPORTER_REASON_MAX];
};

/* Begins with what was taken from the queue. Goes on by itself until it lands: is among the idle ones again. */
void pp_flight_begin(struct pp_exporter_flight *flight, struct pp_exporter_lane *lane, struct pp_request *list, uint64_t room);
/* The time `due_ms` has come. */
void pp_flight_due(struct pp_exporter_flight *flight);
/* A shutdown has begun. */
void pp_flight_hurry(struct pp_exporter_flight *flight);

/* A worker thread's main function: makes the messages of flights that are heavy. */
void *pp_flight_work(void *worker);

#endif
