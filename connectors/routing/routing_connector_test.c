/* Batches through the connector: which resources reach which pipeline, and what the sender hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/testing/chain.h"

extern const struct pp_factory pp_routing_connector_factory;

static const char *const pipelines[] = {"profiles/a", "profiles/b", "profiles/rest", NULL};
enum { A, B, REST };

#define ROUTES                                                                                                                              \
    "table:\n"                                                                                                                              \
    "  - {context: request, condition: 'request[\"X-Tenant\"] == \"acme\"', pipelines: [profiles/a, profiles/b]}\n"                         \
    "  - {statement: 'route() where attributes[\"service.name\"] == \"copied\"', action: copy, pipelines: [profiles/b]}\n"                   \
    "  - {condition: 'IsMatch(attributes[\"service.name\"], \"^(a|copied)\")', pipelines: [profiles/a]}\n"                                  \
    "  - {condition: 'attributes[\"service.name\"] == \"only\"', action: copy, pipelines: [profiles/b]}\n"                                  \
    "  - {condition: 'attributes[\"service.name\"] == \"a1\"', pipelines: [profiles/b]}\n"
#define WITH_DEFAULT ROUTES "default_pipelines: [profiles/rest]\n"

static const char *const services[] = {"a1", "copied", "other", NULL, "only"};
#define SERVICES_N (sizeof(services) / sizeof(services[0]))

static void test_each_resource_goes_its_way(void **state)
{
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, WITH_DEFAULT, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, SERVICES_N, NULL), NULL), PP_ACCEPTED);
    assert_string_equal(chain.sinks[A]->resources, "service.name=a1|service.name=copied|");
    assert_int_equal(chain.sinks[B]->calls, 2);
    assert_int_equal(chain.sinks[B]->samples, 2);
    assert_string_equal(chain.sinks[B]->resources, "service.name=only|");
    /* What was only copied is still there for the default pipelines. */
    assert_string_equal(chain.sinks[REST]->resources, "service.name=other||service.name=only|");
    pp_testing_chain_close(&chain);
}

static void test_request_moves_the_whole_batch(void **state)
{
    struct pp_metadata metadata = {PP_STR("x-tenant"), PP_STR("acme")};
    struct pp_context *context = pp_context_new(PP_STR("10.0.0.1:1"), &metadata, 1);
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, WITH_DEFAULT, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, SERVICES_N, context), NULL), PP_ACCEPTED);
    assert_int_equal(chain.sinks[A]->samples, SERVICES_N);
    assert_int_equal(chain.sinks[B]->samples, SERVICES_N);
    assert_int_equal(chain.sinks[REST]->calls, 0);
    pp_context_unref(context);
    pp_testing_chain_close(&chain);
}

static void test_unrouted_is_dropped_without_default(void **state)
{
    const char *const other[] = {"other"};
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, ROUTES, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(other, 1, NULL), NULL), PP_ACCEPTED);
    for (size_t i = 0; i < chain.sinks_n; i++)
        assert_int_equal(chain.sinks[i]->calls, 0);
    pp_testing_chain_close(&chain);
}

static void test_worst_result_counts(void **state)
{
    struct pp_testing_chain chain;
    const char *message;

    (void)state;
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, WITH_DEFAULT, pipelines);
    chain.sinks[A]->result = PP_RESULT_RETRY("full");
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, SERVICES_N, NULL), &message), PP_RETRY);
    assert_string_equal(message, "full");
    chain.sinks[REST]->result = PP_RESULT_PERMANENT("never");
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, SERVICES_N, NULL), &message), PP_PERMANENT);
    assert_string_equal(message, "never");
    pp_testing_chain_close(&chain);
}

#define THREADS 4u
#define BATCHES 100u

struct sender {
    struct pp_testing_chain *chain;
    struct pp_batch *batch; /* the same for all, as behind a fan-out */
    pthread_t thread;
    unsigned accepted;
};

static void *send_batches(void *arg)
{
    struct sender *sender = arg;

    for (unsigned i = 0; i < BATCHES; i++)
        sender->accepted += pp_testing_chain_consume(sender->chain, pp_batch_ref(sender->batch), NULL) == PP_ACCEPTED;
    return NULL;
}

static void test_threads(void **state)
{
    struct pp_batch *batch = pp_testing_batch_of(services, SERVICES_N, NULL);
    struct sender senders[THREADS];
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, WITH_DEFAULT, pipelines);
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.chain = &chain, .batch = batch};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_batches, &senders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].accepted, BATCHES);
    }
    assert_int_equal(chain.sinks[A]->samples, 2 * THREADS * BATCHES);
    assert_int_equal(chain.sinks[REST]->samples, 3 * THREADS * BATCHES);
    pp_batch_unref(batch);
    pp_testing_chain_close(&chain);
}

/* Nothing leaks, the sender hears once, and "accepted" only when all of it arrived. */
static void test_every_allocation_fails_once(void **state)
{
    struct pp_testing_chain chain;
    enum pp_outcome outcome = PP_RETRY;
    size_t fail_at = 0;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    pp_testing_chain_open(&chain, &pp_routing_connector_factory, WITH_DEFAULT, pipelines);
    while (outcome != PP_ACCEPTED) {
        struct pp_batch *batch = pp_testing_batch_of(services, SERVICES_N, NULL);

        pp_testing_chain_reset(&chain);
        pp_alloc_fail_at(++fail_at);
        outcome = pp_testing_chain_consume(&chain, batch, NULL);
        assert_true(outcome == PP_RETRY || outcome == PP_ACCEPTED);
        assert_true(fail_at < 1000);
    }
    assert_true(pp_alloc_count() < fail_at); /* it was accepted because none failed */
    pp_alloc_fail_at(0);
    assert_true(fail_at > 5);
    assert_int_equal(chain.sinks[A]->samples + chain.sinks[B]->samples + chain.sinks[REST]->samples, 7);
    pp_testing_chain_close(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_resource_goes_its_way),   cmocka_unit_test(test_request_moves_the_whole_batch),
        cmocka_unit_test(test_unrouted_is_dropped_without_default), cmocka_unit_test(test_worst_result_counts),
        cmocka_unit_test(test_threads),                             cmocka_unit_test(test_every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
