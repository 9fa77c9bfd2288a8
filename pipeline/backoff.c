#include "pipeline/backoff.h"

#include "base/clock.h"

void pp_backoff_start(struct pp_backoff *backoff, const struct pp_retry_config *config, uint64_t now_ms)
{
    *backoff = (struct pp_backoff){config, now_ms, 0};
    if (config)
        backoff->interval_ms = (double)config->initial_interval / (double)PP_NS_PER_MS;
}

bool pp_backoff_next(struct pp_backoff *backoff, int64_t asked_ms, double unit, uint64_t now_ms, uint64_t *ret_wait_ms)
{
    const struct pp_retry_config *config = backoff->config;
    double max_ms, spread, wait;

    if (!config || !config->enabled)
        return false;
    max_ms = (double)config->max_interval / (double)PP_NS_PER_MS;
    if (backoff->interval_ms > max_ms)
        backoff->interval_ms = max_ms;
    spread = backoff->interval_ms * config->randomization_factor;
    wait = backoff->interval_ms - spread + unit * 2 * spread;
    backoff->interval_ms *= config->multiplier;
    if (asked_ms >= 0 && wait < (double)asked_ms)
        wait = (double)asked_ms;
    if (config->max_elapsed_time &&
        (double)(now_ms - backoff->started_ms) + wait > (double)config->max_elapsed_time / (double)PP_NS_PER_MS)
        return false;
    *ret_wait_ms = (uint64_t)wait;
    return true;
}

void pp_backoff_hurry(struct pp_backoff *backoff, double interval_ms)
{
    if (backoff->interval_ms > interval_ms)
        backoff->interval_ms = interval_ms;
}
