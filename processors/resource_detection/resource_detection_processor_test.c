/* Whole batches through the processor, with what the environment variable says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pipeline/testing/chain.h"

extern const struct pp_factory pp_resource_detection_processor_factory;

static const char *const pipelines[] = {"profiles", NULL};
static const char *const services[] = {"shop", NULL, "env"};

static void consume_with(const char *environment, const char *yaml, const char *expected)
{
    struct pp_testing_chain chain;

    setenv("OTEL_RESOURCE_ATTRIBUTES", environment, 1);
    pp_testing_chain_open(&chain, &pp_resource_detection_processor_factory, yaml, pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch_of(services, 3, NULL), NULL), PP_ACCEPTED);
    assert_string_equal(chain.sinks[0]->resources, expected);
    assert_int_equal(chain.sinks[0]->samples, 3);
    pp_testing_chain_close(&chain);
}

static void test_detected_is_added(void **state)
{
    (void)state;
    consume_with("service.name=env,zone=z%201", "override: true",
                 "service.name=env zone=z 1|service.name=env zone=z 1|service.name=env zone=z 1|");
    consume_with("service.name=env,zone=z", "override: false",
                 "service.name=shop zone=z|service.name=env zone=z|service.name=env zone=z|");
    consume_with("", "override: true", "service.name=shop||service.name=env|");
}

/* A detector that fails in the middle adds nothing; the next one still does. */
static void test_failed_detector_adds_nothing(void **state)
{
    (void)state;
    consume_with("zone=z,broken", "{detectors: [env, system], system: {resource_attributes: {host.name: {enabled: false}}}}",
                 "service.name=shop os.type=linux|os.type=linux|service.name=env os.type=linux|");
}

/* What has all attributes already goes on as the very object it is. */
static void test_nothing_due_is_not_edited(void **state)
{
    const char *const same[] = {"env"};
    struct pp_batch *batch = pp_testing_batch_of(same, 1, NULL);
    struct pp_encode_options options = {0};
    struct pp_bytes *before = NULL, *after = NULL;
    struct pp_testing_chain chain;

    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=env", 1);
    pp_testing_chain_open(&chain, &pp_resource_detection_processor_factory, "override: true", pipelines);
    assert_true(pp_batch_encode(batch, &options, &before, NULL));
    assert_int_equal(pp_testing_chain_consume(&chain, pp_batch_ref(batch), NULL), PP_ACCEPTED);
    assert_true(pp_batch_encode(batch, &options, &after, NULL));
    assert_ptr_equal(before, after);
    pp_bytes_unref(before);
    pp_bytes_unref(after);
    pp_batch_unref(batch);
    pp_testing_chain_close(&chain);
}

static void test_every_allocation_fails_once(void **state)
{
    struct pp_testing_chain chain;
    enum pp_outcome outcome = PP_RETRY;
    size_t fail_at = 0;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    setenv("OTEL_RESOURCE_ATTRIBUTES", "zone=z,rack=r", 1);
    pp_testing_chain_open(&chain, &pp_resource_detection_processor_factory, "override: true", pipelines);
    while (outcome != PP_ACCEPTED) {
        struct pp_batch *batch = pp_testing_batch_of(services, 3, NULL);

        assert_int_equal(chain.sinks[0]->calls, 0);
        pp_alloc_fail_at(++fail_at);
        outcome = pp_testing_chain_consume(&chain, batch, NULL);
        assert_true(outcome == PP_RETRY || outcome == PP_ACCEPTED);
        assert_true(fail_at < 1000);
    }
    pp_alloc_fail_at(0);
    assert_true(fail_at > 5);
    assert_string_equal(chain.sinks[0]->resources, "service.name=shop zone=z rack=r|zone=z rack=r|service.name=env zone=z rack=r|");
    pp_testing_chain_close(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detected_is_added),
        cmocka_unit_test(test_failed_detector_adds_nothing),
        cmocka_unit_test(test_nothing_due_is_not_edited),
        cmocka_unit_test(test_every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
