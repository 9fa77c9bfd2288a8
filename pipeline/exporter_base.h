/* What every exporter shares: bounded queue, batching, retry with back-off and jitter, timeout, drain at shutdown, and the Collector's exporter
 * metrics. An exporter embeds struct pp_exporter (which begins with struct pp_component) first in its instance struct and fills in one of the two ways
 * to send; its factory's slots point at pp_exporter_start / _consume / _shutdown (or wrap them).
 *
 * Blocking: `send` on worker threads, one message each at a time (files, the console).
 *
 * On the service's loops (the network): each loop has a lane with connections of its own, so that a batch leaves on the thread it came in on. At most
 * num_consumers messages are under way over all lanes. The base makes a message's body with `prepare`, on the lane's thread when `is_light` says that
 * this is quick, else on a worker thread; then lane_send starts an attempt, and pp_exporter_sent ends it:
 *
 *     consume -> queue -> [worker: cut, merge] -> prepare -> lane_send ... pp_exporter_sent -> done
 *                                                    ^------- back-off, by a timer of the loop -------'
 *
 * Everything with `lane` in its name is called on that lane's loop thread only, so that a lane needs no lock. */
#ifndef PP_PIPELINE_EXPORTER_BASE_H
#define PP_PIPELINE_EXPORTER_BASE_H

#include "base/bytes.h"
#include "pipeline/component.h"

struct pp_loop;
struct pp_sending_queue_config; /* config/groups/sending_queue.h */
struct pp_retry_config;         /* config/groups/retry_on_failure.h */
struct pp_exporter_core;        /* private to exporter_*.c */

/* One attempt under way on a lane; the exporter's from lane_send until it calls pp_exporter_sent or lane_cancel has returned. */
struct pp_exporter_send {
    struct pp_batch *batch;    /* for its context (pp_batch_context); borrowed */
    struct pp_bytes *body;     /* what `prepare` made; borrowed, take a reference to keep it longer */
    uint64_t deadline_mono_ms; /* lane_cancel comes then; UINT64_MAX: none */
    void *state;               /* the exporter's own; NULL when lane_send is called */
};

struct pp_exporter_ops {
    /* Blocking. One worker_open per worker thread; NULL with an error stops the start. Connections are made lazily in `send`, not here. May be NULL: then
     * `worker` below is NULL. */
    void *(*worker_open)(struct pp_component *self, struct pp_error *err);
    /* Sends one batch and waits for the answer until the deadline (pp_clock_mono_ms; UINT64_MAX: none; see pp_exporter_deadline). Called on the worker's own
     * thread; may block till then. Does not take the reference. `ret->message` must live until the next send of this worker. Log nothing: the base logs
     * final failures, once. */
    void (*send)(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_mono_ms, struct pp_result *ret);
    void (*worker_close)(struct pp_component *self, void *worker);

    /* On loops, in place of the above; all six are set. */

    /* The lane's state: where its connections will be; nothing is opened yet. NULL with an error stops the start. */
    void *(*lane_open)(struct pp_component *self, struct pp_loop *loop, struct pp_error *err);
    /* Whether `prepare` takes a loop's thread less time than handing over to another one is worth: bytes passed on as they came. Any thread. */
    bool (*is_light)(struct pp_component *self, struct pp_batch *batch);
    /* The body of the request, with one reference; it serves all attempts of this message. NULL: `ret` says what becomes of the batch, its message in
     * `text`. Any thread. */
    struct pp_bytes *(*prepare)(struct pp_component *self, struct pp_batch *batch, struct pp_error *text, struct pp_result *ret);
    /* Starts one attempt. pp_exporter_sent may be called before it returns. */
    void (*lane_send)(void *lane, struct pp_exporter_send *send);
    /* The deadline has passed, or the shutdown's: forgets the attempt; `ret` says what is to be told (PP_RETRY), its message valid until the next call. */
    void (*lane_cancel)(void *lane, struct pp_exporter_send *send, struct pp_result *ret);
    /* Nothing is under way. Closes connections and frees the lane; what libuv still closes later must not touch the component. */
    void (*lane_close)(void *lane);
};

/* Where an exporter sends, as labels of its metrics, which the Collector has too. NULL: none. */
struct pp_exporter_destination {
    const char *server_address, *server_port, *url_path;
};

struct pp_exporter {
    struct pp_component component; /* first */
    struct pp_exporter_core *core;
    struct pp_exporter_destination destination; /* set before pp_exporter_create; the strings live as long as the instance */
};

/* Call in `create`. `queue` and `retry` may be NULL: no queue (consume sends and answers with the result), no retries. Both belong to the
 * config and live as long as the instance. `timeout_ns` 0: none. */
bool pp_exporter_create(struct pp_exporter *self, const struct pp_exporter_ops *ops, const struct pp_sending_queue_config *queue,
                        const struct pp_retry_config *retry, int64_t timeout_ns, struct pp_error *err);
bool pp_exporter_start(struct pp_component *self, struct pp_error *err);
void pp_exporter_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done);
void pp_exporter_shutdown(struct pp_component *self, uint64_t deadline_mono_ms);
void pp_exporter_destroy(struct pp_component *self);

/* The attempt has ended; `result` and its message are copied. Once per lane_send that was not cancelled, on the lane's thread. The next lane_send may
 * come from within. */
void pp_exporter_sent(struct pp_exporter_send *send, const struct pp_result *result);

/* The deadline of a running blocking `send`, which moves nearer when the exporter is shut down meanwhile: never later than `deadline_mono_ms`. A send that
 * waits asks again at least every PP_EXPORTER_POLL_MS and gives up (PP_RETRY) once it has passed. Any thread. */
#define PP_EXPORTER_POLL_MS 200u
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms);

#endif
