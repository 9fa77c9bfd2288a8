/* How long a processor itself works on a batch: the time in its `consume` less the time in what it emits to from there. Work that it does later, on
 * another thread, is not seen. */
#ifndef PP_PIPELINE_STOPWATCH_H
#define PP_PIPELINE_STOPWATCH_H

#include "pipeline/telemetry.h"

/* Lives on the stack of whoever calls `consume`; those of one thread form a chain. */
struct pp_stopwatch {
    struct pp_stopwatch *outer;
    uint64_t started_ns;
    uint64_t below_ns; /* spent further down */
};

void pp_stopwatch_start(struct pp_stopwatch *watch);
/* Records the seconds. */
void pp_stopwatch_stop(struct pp_stopwatch *watch, struct pp_histogram *histogram);

/* Around an emit of the processor whose watch runs on this thread, if any. */
uint64_t pp_stopwatch_leave(void);
void pp_stopwatch_return(uint64_t left_ns);

#endif
