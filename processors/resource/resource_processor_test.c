/* Whole batches through the processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/testing/chain.h"

extern const struct pp_factory pp_resource_processor_factory;

static const char *const pipelines[] = {"profiles", NULL};
static const char *const services[] = {"shop", NULL, "bank"};

#define ACTIONS                                                                                                                             \
    "attributes:\n"                                                                                                                         \
    "  - {key: env, action: upsert, value: prod}\n"                                                                                         \
    "  - {key: name, action: insert, from_attribute: service.name}\n"                                                                       \
    "  - {key: tenant, action: upsert, from_context: metadata.X-Tenant}\n"                                                                  \
    "  - {key: name, pattern: '^(?P<first>.)', action: extract}\n"                                                                          \
    "  - {pattern: '^service', action: delete}\n"
#define EXPECTED "env=prod name=shop tenant=acme first=s|env=prod tenant=acme|env=prod name=bank tenant=acme first=b|"

static struct pp_context *make_context(void)
{
    struct pp_metadata metadata = {PP_STR("x-tenant"), PP_STR("acme")};
    struct pp_context *context = pp_context_new(PP_STR("10.0.0.1:1"), &metadata, 1);

    assert_non_null(context);
    return context;
}

static void test_every_resource_is_changed(void **state)
{
    struct pp_context *context = make_context();
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_resource_processor_factory, ACTIONS, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, 3, context), NULL), PP_ACCEPTED);
    assert_string_equal(chain.sinks[0]->resources, EXPECTED);
    assert_int_equal(chain.sinks[0]->samples, 3);
    pp_context_unref(context);
    pp_testing_chain_close(&chain);
}

/* Somebody else holds the batch: it stays as it is for him. */
static void test_shared_batch_is_not_written(void **state)
{
    struct pp_batch *batch = pp_testing_batch_of(services, 3, NULL);
    struct pp_testing_chain chain;
    const struct pp_tables *tables;

    (void)state;
    pp_testing_chain_open(&chain, &pp_resource_processor_factory, ACTIONS, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_batch_ref(batch), NULL), PP_ACCEPTED);
    assert_string_equal(chain.sinks[0]->resources, "env=prod name=shop first=s|env=prod|env=prod name=bank first=b|");
    tables = pp_batch_tables(batch, NULL);
    assert_non_null(tables);
    assert_int_equal(tables->key_values.n, 2);
    assert_int_equal(tables->resources.v[0].attributes.n, 1);
    assert_true(pp_str_eq_c(tables->key_values.v[0].key, "service.name"));
    pp_batch_unref(batch);
    pp_testing_chain_close(&chain);
}

static void test_result_travels_back(void **state)
{
    struct pp_testing_chain chain;
    const char *message;

    (void)state;
    pp_testing_chain_open(&chain, &pp_resource_processor_factory, ACTIONS, pipelines);
    chain.sinks[0]->result = PP_RESULT_PERMANENT("never");
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, 3, NULL), &message), PP_PERMANENT);
    assert_string_equal(message, "never");
    pp_testing_chain_close(&chain);
}

/* Nothing leaks, and no batch goes on half changed. */
static void test_every_allocation_fails_once(void **state)
{
    struct pp_context *context = make_context();
    struct pp_testing_chain chain;
    enum pp_outcome outcome = PP_RETRY;
    size_t fail_at = 0;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    pp_testing_chain_open(&chain, &pp_resource_processor_factory, ACTIONS, pipelines);
    while (outcome != PP_ACCEPTED) {
        struct pp_batch *batch = pp_testing_batch_of(services, 3, context);

        assert_int_equal(chain.sinks[0]->calls, 0);
        pp_alloc_fail_at(++fail_at);
        outcome = pp_testing_chain_consume(&chain, batch, NULL);
        assert_true(outcome == PP_RETRY || outcome == PP_ACCEPTED);
        assert_true(fail_at < 1000);
    }
    pp_alloc_fail_at(0);
    assert_true(fail_at > 5);
    assert_string_equal(chain.sinks[0]->resources, EXPECTED);
    pp_context_unref(context);
    pp_testing_chain_close(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_resource_is_changed),
        cmocka_unit_test(test_shared_batch_is_not_written),
        cmocka_unit_test(test_result_travels_back),
        cmocka_unit_test(test_every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
