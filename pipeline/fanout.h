/* The connections of the graph: from a component to those that take what it emits. They can be replaced while other threads emit; after
 * pp_downstream_set returns, no thread is inside one of the old targets by way of this connection. */
#ifndef PP_PIPELINE_FANOUT_H
#define PP_PIPELINE_FANOUT_H

#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/component.h"
#include "pipeline/telemetry.h"

struct pp_target {
    struct pp_component *component;
    const char *pipeline;        /* the pipeline by which it is reached; lives as long as the target is set */
    struct pp_counter *incoming; /* items, when the target is a processor; else NULL */
    struct pp_histogram *duration; /* with it: the seconds it works on a batch */
};

struct pp_targets; /* a set of targets, immutable */
struct pp_transport_counters;

struct pp_downstream {
    pthread_mutex_t lock;
    pthread_cond_t left; /* the last user of a replaced set has gone */
    struct pp_targets *targets;
    struct pp_counter *outgoing; /* items, of a processor; else NULL */
    _Atomic(struct pp_transport_counters *) transports; /* of a receiver; only ever grows */
    atomic_size_t awaited; /* answers that a receiver still waits for */
};

/* Empty: what is emitted gets the answer "retry". */
void pp_downstream_init(struct pp_downstream *downstream);
/* Nobody emits any more. */
void pp_downstream_done(struct pp_downstream *downstream);

/* A prepared set, so that replacing cannot fail; `targets` is copied. NULL when memory is out. */
struct pp_targets *pp_targets_new(const struct pp_target *targets, size_t n);
void pp_targets_free(struct pp_targets *targets);
/* Takes over `targets` (NULL: none) and waits until nobody uses the old ones. Not from within an emit. */
void pp_downstream_set(struct pp_downstream *downstream, struct pp_targets *targets);

/* Frees a receiver's counters; pp_downstream_done calls it. */
void pp_receiver_forget(struct pp_downstream *downstream);

/* The i-th target's pipeline; NULL past the last. */
const char *pp_downstream_pipeline(struct pp_downstream *downstream, size_t i);

#endif
