/* Gives kept slabs (base/slab.h) back to the system a few seconds after their last use. Sleeps while nothing is kept. */
#ifndef PP_PIPELINE_SLAB_TRIM_H
#define PP_PIPELINE_SLAB_TRIM_H

#include "net/loop.h"

struct pp_slab_trim {
    struct pp_loop *loop;
    struct pp_timer *timer; /* loop thread */
    struct pp_task start;
};

/* One at a time in a process; `trim` must not move. False when memory is out. */
bool pp_slab_trim_init(struct pp_slab_trim *trim, struct pp_loop *loop);
/* Before the loop is stopped. */
void pp_slab_trim_done(struct pp_slab_trim *trim);

#endif
