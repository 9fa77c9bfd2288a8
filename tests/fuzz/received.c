#include "received.h"

#include <stdlib.h>

#include "profiles/batch.h"

static struct pp_component component = {.id = "otlp", .log_id = "receiver otlp"};
static struct pp_result result;
static unsigned count;

void received_fill(struct pp_otlp_server *server)
{
    static const struct pp_metric metric = {.name = "counted"};
    static struct pp_counter *counter;

    if (!counter)
        counter = pp_telemetry_counter(NULL, &metric, NULL, 0);
    server->component = &component;
    server->rejected = counter;
    for (int p = 0; p < PP_HTTP_PROTECTIONS; p++)
        server->protections[p] = counter;
}

void received_answer(enum pp_outcome outcome)
{
    result = outcome == PP_ACCEPTED ? PP_RESULT_ACCEPTED : outcome == PP_RETRY ? PP_RESULT_RETRY("full") : PP_RESULT_PERMANENT("broken");
}

unsigned received_count(void)
{
    unsigned n = count;

    count = 0;
    return n;
}

/* Every sample that was counted when it came must be there when it is read. */
void pp_receiver_emit(struct pp_component *self, const char *transport, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_error err;

    (void)self;
    (void)transport;
    count++;
    if (pp_batch_samples(batch) == 0 || !pp_batch_tables(batch, &err))
        abort();
    pp_batch_unref(batch);
    pp_done_call(done, &result);
}
