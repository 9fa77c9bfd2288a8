#include "pipeline/slab_trim.h"

#include "base/slab.h"

/* A slab is given back after one to two of these without use. */
#define TRIM_INTERVAL_MS 5000u

static void on_timer(void *arg)
{
    struct pp_slab_trim *trim = arg;

    if (pp_slabs_trim() > 0)
        pp_timer_start(trim->timer, TRIM_INTERVAL_MS);
}

static void start(void *arg)
{
    struct pp_slab_trim *trim = arg;

    if (trim->timer)
        pp_timer_start(trim->timer, TRIM_INTERVAL_MS);
}

static void wake(void *arg)
{
    struct pp_slab_trim *trim = arg;

    pp_loop_post(trim->loop, &trim->start);
}

static void make_timer(void *arg)
{
    struct pp_slab_trim *trim = arg;

    trim->timer = pp_timer_new(trim->loop, on_timer, trim);
}

static void free_timer(void *arg)
{
    struct pp_slab_trim *trim = arg;

    pp_timer_free(trim->timer);
    trim->timer = NULL;
}

bool pp_slab_trim_init(struct pp_slab_trim *trim, struct pp_loop *loop)
{
    *trim = (struct pp_slab_trim){.loop = loop, .start = {.run = start, .arg = trim}};
    pp_loop_call(loop, make_timer, trim);
    if (!trim->timer)
        return false;
    pp_slabs_on_kept(wake, trim);
    return true;
}

void pp_slab_trim_done(struct pp_slab_trim *trim)
{
    pp_slabs_on_kept(NULL, NULL);
    pp_loop_call(trim->loop, free_timer, trim);
    pp_slabs_trim();
    pp_slabs_trim(); /* all that is left */
}
