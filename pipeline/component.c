/* What a factory's slots do when the component says nothing. */
#include "pipeline/component.h"

void pp_default_validate(const void *config, struct pp_check *check)
{
    (void)config;
    (void)check;
}

bool pp_default_create(struct pp_component *self, struct pp_error *err)
{
    (void)self;
    (void)err;
    return true;
}

bool pp_default_open(struct pp_component *self, struct pp_error *err)
{
    (void)self, (void)err;
    return true;
}

bool pp_default_start(struct pp_component *self, struct pp_error *err)
{
    (void)self;
    (void)err;
    return true;
}

void pp_default_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    (void)self;
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_PERMANENT("the component takes no batches"));
}

void pp_default_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    (void)self;
    (void)deadline_mono_ms;
}

void pp_default_destroy(struct pp_component *self)
{
    (void)self;
}
