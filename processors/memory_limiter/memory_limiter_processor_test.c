/* Batches through the processor below and above its limit, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pipeline/testing/chain.h"
#include "pipeline/testing/testing.h"

#define THREADS 4u
#define BATCHES 200u

extern const struct pp_factory pp_memory_limiter_processor_factory;

static const char *const pipelines[] = {"profiles", NULL};

static void test_below_the_limit(void **state)
{
    struct pp_testing_chain chain;

    (void)state;
    pp_testing_chain_open(&chain, &pp_memory_limiter_processor_factory, "{check_interval: 1ms, limit_mib: 1000000}", pipelines);
    assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch(3, 1), NULL), PP_ACCEPTED);
    assert_int_equal(chain.sinks[0]->samples, 3);
    pp_testing_chain_close(&chain);
}

/* The very first batch is refused, whatever the interval, and with an answer by which the sender comes again. */
static void test_above_the_limit(void **state)
{
    struct pp_testing_chain chain;
    const char *message;

    (void)state;
    pp_testing_chain_open(&chain, &pp_memory_limiter_processor_factory, "{check_interval: 1h, limit_mib: 1}", pipelines);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pp_testing_chain_consume(&chain, pp_testing_batch(3, 1), &message), PP_RETRY);
        assert_non_null(strstr(message, "memory usage is above the soft limit"));
    }
    assert_int_equal(chain.sinks[0]->calls, 0);
    pp_testing_chain_close(&chain);
}

static void *send_batches(void *arg)
{
    for (unsigned i = 0; i < BATCHES; i++)
        if (pp_testing_chain_consume(arg, pp_testing_batch(1, i), NULL) != PP_ACCEPTED)
            return arg;
    return NULL;
}

static void test_threads(void **state)
{
    struct pp_testing_chain chain;
    pthread_t threads[THREADS];

    (void)state;
    pp_testing_chain_open(&chain, &pp_memory_limiter_processor_factory, "{check_interval: 1ms, limit_mib: 1000000}", pipelines);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_batches, &chain), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(chain.sinks[0]->samples, THREADS * BATCHES);
    pp_testing_chain_close(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below_the_limit),
        cmocka_unit_test(test_above_the_limit),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
