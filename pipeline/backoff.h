/* When to try again: exponential back-off with jitter, as the Collector's configretry, never sooner than the peer asked. */
#ifndef PP_PIPELINE_BACKOFF_H
#define PP_PIPELINE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "config/groups/retry_on_failure.h"

struct pp_backoff {
    const struct pp_retry_config *config;
    uint64_t started_ms;
    double interval_ms; /* before jitter */
};

void pp_backoff_start(struct pp_backoff *backoff, const struct pp_retry_config *config, uint64_t now_ms);
/* The next wait: max(back-off, asked_ms); `asked_ms` -1: the peer said nothing. `unit` is a random number in [0, 1). False when max_elapsed_time
 * would be over by then, or retries are off. */
bool pp_backoff_next(struct pp_backoff *backoff, int64_t asked_ms, double unit, uint64_t now_ms, uint64_t *ret_wait_ms);
/* Starts the intervals again at `interval_ms` if they have grown past it: when a shutdown leaves little time. */
void pp_backoff_hurry(struct pp_backoff *backoff, double interval_ms);

#endif
