#include "pipeline/stopwatch.h"

#include <stddef.h>

#include "base/clock.h"

static _Thread_local struct pp_stopwatch *running;

void pp_stopwatch_start(struct pp_stopwatch *watch)
{
    *watch = (struct pp_stopwatch){.outer = running, .started_ns = pp_clock_mono_ns()};
    running = watch;
}

void pp_stopwatch_stop(struct pp_stopwatch *watch, struct pp_histogram *histogram)
{
    uint64_t spent_ns = pp_clock_mono_ns() - watch->started_ns - watch->below_ns;

    running = watch->outer;
    pp_histogram_record(histogram, (double)spent_ns / (double)PP_NS_PER_S);
}

uint64_t pp_stopwatch_leave(void)
{
    return running ? pp_clock_mono_ns() : 0;
}

void pp_stopwatch_return(uint64_t left_ns)
{
    if (running && left_ns)
        running->below_ns += pp_clock_mono_ns() - left_ns;
}
