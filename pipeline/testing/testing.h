/* For tests of the engine and of components: an answer that can be waited for, an exporter that does as it is told. */
#ifndef PP_PIPELINE_TESTING_H
#define PP_PIPELINE_TESTING_H

#include <pthread.h>

#include "pipeline/component.h"

/* No test waits longer than this for anything. */
#define PP_TESTING_WAIT_MS 10000u

/* A pp_done that remembers its answer. */
struct pp_testing_done {
    struct pp_done done;
    pthread_mutex_t lock;
    pthread_cond_t called;
    unsigned calls;
    struct pp_result result; /* message points into `message` */
    char message[256];
};

void pp_testing_done_init(struct pp_testing_done *done);
/* Whether it has been called, waiting up to `timeout_ms`. */
bool pp_testing_done_wait(struct pp_testing_done *done, uint64_t timeout_ms);
void pp_testing_done_free(struct pp_testing_done *done);

/* One resource, scope and profile with that many samples. NULL never: aborts when memory is out. */
struct pp_batch *pp_testing_batch(unsigned samples, uint64_t seed);
/* The same with a request context, of which the batch takes its own reference. */
struct pp_batch *pp_testing_batch_from(unsigned samples, uint64_t seed, struct pp_context *context);

#endif
