/* A receiver's way into the graph: counts what became of each batch, by transport. */
#include "base/mem.h"
#include "pipeline/fanout.h"
#include "pipeline/service.h"

static const struct pp_metric accepted = {"otelcol_receiver_accepted_profile_samples",
                                          "Number of profile samples successfully pushed into the pipeline.", "{samples}",
                                          NULL, 0};
static const struct pp_metric refused = {"otelcol_receiver_refused_profile_samples",
                                         "Number of profile samples that could not be pushed into the pipeline.", "{samples}",
                                         NULL, 0};

static const struct pp_metric failed = {"otelcol_receiver_failed_profile_samples",
                                        "The number of profile samples that failed to be processed by the receiver due to internal errors.",
                                        "{samples}", NULL, 0};

struct pp_transport_counters {
    const char *transport; /* static */
    struct pp_counter *accepted, *refused, *failed;
    struct pp_transport_counters *next;
};

/* Transports are few and constant: a list without a lock. Two threads that add the same one at once leave two entries with the same
 * counters, which does no harm. NULL when memory is out. */
static struct pp_transport_counters *counters_of(struct pp_component *self, const char *transport)
{
    struct pp_downstream *downstream = self->downstream;
    struct pp_transport_counters *head = atomic_load_explicit(&downstream->transports, memory_order_acquire), *c;
    const struct pp_label labels[] = {{"receiver", self->id}, {"transport", transport}};
    struct pp_telemetry *telemetry;

    for (c = head; c; c = c->next)
        if (strcmp(c->transport, transport) == 0)
            return c;
    c = pp_calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    telemetry = self->service ? pp_service_telemetry(self->service) : NULL;
    c->transport = transport;
    c->accepted = pp_telemetry_counter(telemetry, &accepted, labels, 2);
    c->refused = pp_telemetry_counter(telemetry, &refused, labels, 2);
    c->failed = pp_telemetry_counter(telemetry, &failed, labels, 2);
    c->next = head;
    while (!atomic_compare_exchange_weak_explicit(&downstream->transports, &c->next, c, memory_order_release,
                                                  memory_order_acquire))
        ;
    return c;
}

struct counted {
    struct pp_done done;
    struct pp_done *outer;
    struct pp_transport_counters *counters;
    struct pp_downstream *downstream;
    uint64_t samples;
};

static void counted_done(struct pp_done *done, const struct pp_result *result)
{
    struct counted *counted = pp_container_of(done, struct counted, done);
    struct pp_transport_counters *counters = counted->counters;
    struct pp_downstream *downstream = counted->downstream;

    pp_counter_add(result->outcome == PP_ACCEPTED ? counters->accepted : counters->refused, counted->samples);
    pp_done_call(counted->outer, result);
    pp_free(counted);
    /* Last: the receiver may be freed from here on. */
    atomic_fetch_sub_explicit(&downstream->awaited, 1, memory_order_release);
}

void pp_receiver_emit(struct pp_component *self, const char *transport, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_transport_counters *counters = counters_of(self, transport);
    struct counted *counted = counters ? pp_malloc(sizeof(*counted)) : NULL;

    if (!counted) {
        if (counters)
            pp_counter_add(counters->failed, pp_batch_samples(batch));
        pp_batch_unref(batch);
        pp_done_call(done, &PP_RESULT_RETRY("out of memory"));
        return;
    }
    *counted = (struct counted){{counted_done}, done, counters, self->downstream, pp_batch_samples(batch)};
    atomic_fetch_add_explicit(&self->downstream->awaited, 1, memory_order_relaxed);
    pp_emit(self, batch, &counted->done);
}

void pp_receiver_forget(struct pp_downstream *downstream)
{
    struct pp_transport_counters *c = atomic_load(&downstream->transports);

    while (c) {
        struct pp_transport_counters *next = c->next;

        pp_free(c);
        c = next;
    }
    atomic_store(&downstream->transports, NULL);
}
