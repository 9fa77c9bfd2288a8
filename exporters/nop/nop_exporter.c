/* Takes every batch and forgets it: for measuring what stands before it. */
#include "pipeline/component.h"

static void nop_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    (void)self;
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_ACCEPTED);
}

const struct pp_factory pp_nop_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "nop",
    .stability = PP_BETA,
    .summary = "Takes every batch and forgets it.",
    .signals = PP_TRACES | PP_METRICS | PP_LOGS | PP_PROFILES,
    .instance_size = sizeof(struct pp_component),
    .consume = nop_consume,
    .readme = "exporters/nop",
    .starts_beside_old = true,
};
