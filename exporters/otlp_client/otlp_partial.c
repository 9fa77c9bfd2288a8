#include "otlp_partial.h"

#include <inttypes.h>

#include "pipeline/service.h"

static const struct pp_metric rejected_metric = {
    .name = "profpipe_exporter_rejected_profiles",
    .help = "Profiles that servers accepted a request with but dropped (partial success)",
    .unit = "{profiles}",
};

struct pp_counter *pp_otlp_partial_counter(const struct pp_component *self)
{
    struct pp_label label = {"exporter", self->id};

    return pp_telemetry_counter(pp_service_telemetry(self->service), &rejected_metric, &label, 1);
}

void pp_otlp_partial_report(const struct pp_component *self, struct pp_counter *rejected,
                            const char *endpoint, const struct pp_otlp_answer *answer)
{
    if (!pp_otlp_answer_is_partial(answer)) {
        return;
    }
    if (answer->rejected_profiles > 0) {
        pp_counter_add(rejected, (uint64_t)answer->rejected_profiles);
    }
    pp_log(PP_LOG_WARN, self->log_id, "%s: partial success: %" PRId64 " profiles rejected: %s",
           endpoint, answer->rejected_profiles,
           answer->error_message[0] ? answer->error_message : "no reason given");
}
