/* Keeps one noisy message from filling the log: some lines in each period, then a few of the rest, with the number left out. */
#ifndef PP_PIPELINE_LOG_SAMPLER_H
#define PP_PIPELINE_LOG_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

/* The Collector's logger: 10 lines in 10 s, then every hundredth. */
#define PP_LOG_SAMPLER_TICK_MS 10000u
#define PP_LOG_SAMPLER_INITIAL 10u
#define PP_LOG_SAMPLER_THEREAFTER 100u

/* All zero is a fresh one. Not thread-safe. */
struct pp_log_sampler {
    uint64_t tick_ms;
    uint64_t seen;
    uint64_t left_out;
};

/* Whether to log now; *ret_left_out is how many were not logged since the last one that was. */
static inline bool pp_log_sampler_pass(struct pp_log_sampler *sampler, uint64_t now_ms, uint64_t *ret_left_out)
{
    if (!sampler->tick_ms || now_ms - sampler->tick_ms >= PP_LOG_SAMPLER_TICK_MS) {
        sampler->tick_ms = now_ms;
        sampler->seen = 0;
    }
    sampler->seen++;
    if (sampler->seen > PP_LOG_SAMPLER_INITIAL && (sampler->seen - PP_LOG_SAMPLER_INITIAL) % PP_LOG_SAMPLER_THEREAFTER) {
        sampler->left_out++;
        return false;
    }
    *ret_left_out = sampler->left_out;
    sampler->left_out = 0;
    return true;
}

#endif
