/* The load generator: what its event loop, its two kinds of connection and its pacing tell each other. One thread. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>

#include "bench_net.h"
#include "histogram.h"
#include "messages.h"

enum outcome { OUTCOME_OK, OUTCOME_REFUSED, OUTCOME_FAILED }; /* refused: answered with an error; failed: no answer */

/* One measured run. Closed loop: a request starts when another has been answered. Open loop: request k is due at start +
 * k * interval, whatever the answers do, and its latency counts from then. */
struct load_run {
    const struct messages *messages;
    uint64_t start_ns, end_ns; /* no request is due from end_ns on */
    double interval_ns;        /* 0: closed loop */
    uint64_t count_max;        /* requests, 0: no limit */
    uint64_t window;           /* of a closed loop: requests that may be sent and not yet be at the sink; 0: no limit */
    const uint64_t *arrived;   /* the sink's counter, if there is a window */
    uint64_t arrived_before;

    uint64_t started, ok, refused, failed;
    uint64_t ok_payload_bytes, ok_body_bytes;
    uint64_t last_answer_ns;
    char first_refusal[160];
    struct histogram latency; /* of those that went well */
};

struct load_request {
    const struct message *message;
    uint64_t intended_ns;
};

/* Takes the next request that is due; false when none is due now. */
bool load_take(struct load_run *run, uint64_t now_ns, struct load_request *ret_request);
/* When the next one is due: at once (now_ns) in a closed loop, UINT64_MAX when the run has none left. */
uint64_t load_next_due(const struct load_run *run, uint64_t now_ns);
void load_answered(struct load_run *run, const struct load_request *request, uint64_t now_ns, enum outcome outcome, const char *text);

struct load_conn {
    const struct load_protocol *protocol;
    struct load_run *run;
    int fd;
    uint16_t port;
    unsigned in_flight_max, in_flight;
    bool broken; /* to be closed: the peer ended it or broke the protocol */
    char fault[96];
};

struct load_protocol {
    const char *name;
    size_t prefix_len; /* of each body */
    struct load_conn *(*open)(struct load_run *run, uint16_t port, unsigned in_flight_max); /* NULL: nobody listens */
    void (*progress)(struct load_conn *conn); /* reads what has come, starts what is due, writes what it can */
    void (*close)(struct load_conn *conn);    /* what is in flight counts as failed */
};

extern const struct load_protocol load_grpc, load_http;

/* Marks the connection as broken, for this reason. */
void load_conn_fail(struct load_conn *conn, const char *fault);

#endif
