/* What is particular to exporters that send on loops; what both ways share is in exporter_base_test.c. */
#include "pipeline/exporter_fake.h"

#include <unistd.h>

#include "base/clock.h"

/* A batch that is handed in on a loop's thread. */
struct from_loop {
    struct pp_component *component;
    unsigned samples, n;
    struct pp_testing_done *done;
};

static void consume_on_loop(void *from_)
{
    struct from_loop *from = from_;

    for (unsigned i = 0; i < from->n; i++)
        pp_exporter_consume(from->component, pp_testing_batch(from->samples, i), &from->done[i].done);
}

static void sends_on_the_loop_it_came_in_on(void **state)
{
    struct fake_config config = fake_default_config();
    const struct pp_loop_pool *loops = pp_service_loops(fake_service);
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    for (size_t i = 0; i < 3 * loops->n; i++) {
        struct pp_testing_done done;
        /* light and answered at once: odd, and a multiple of five; then one that is made by a worker and comes back */
        struct from_loop from = {instance->component, i < loops->n ? 15 : 16, 1, &done};

        pp_testing_done_init(&done);
        fake_sink.attempts = 0;
        assert_true(pp_loop_call(loops->loops[i % loops->n], consume_on_loop, &from));
        assert_int_equal(done.calls, 1);
        if (i < loops->n)
            assert_int_equal(fake_sink.attempts, 1);
        fake_wait_for_attempt();
        assert_ptr_equal(fake_sink.last_loop, loops->loops[i % loops->n]);
        pp_testing_done_free(&done);
    }
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.delivered, 3 * loops->n);
}

static unsigned in_flight(void)
{
    unsigned n;

    pthread_mutex_lock(&fake_sink.lock);
    n = fake_sink.in_flight;
    pthread_mutex_unlock(&fake_sink.lock);
    return n;
}

static void no_more_under_way_than_consumers(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.num_consumers = 3;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 0; i < 20; i++)
        fake_expect(instance, 1 + i, PP_ACCEPTED);
    for (unsigned ms = 0; ms < PP_TESTING_WAIT_MS && in_flight() < 3; ms++)
        usleep(1000);
    usleep(20000);
    assert_int_equal(in_flight(), 3);
    fake_set_closed(false);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.delivered, 20);
    assert_int_equal(fake_sink.in_flight_max, 3);
}

static void a_timeout_cancels_and_tries_again(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    struct pp_testing_done done;
    uint64_t began_ms = pp_clock_mono_ms();

    (void)state;
    config.timeout_ns = 20 * MS;
    config.queue.wait_for_result = true;
    config.retry.max_elapsed_time = 100 * MS;
    instance = fake_start(&config);
    fake_set_closed(true);
    pp_testing_done_init(&done);
    fake_hand_in(instance, 11, &done);
    assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
    assert_int_equal(done.result.outcome, PP_RETRY);
    assert_string_equal(done.result.message, "sink does not answer");
    assert_true(pp_clock_mono_ms() - began_ms >= 40);
    pp_testing_done_free(&done);
    fake_set_closed(false);
    fake_expect(instance, 12, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 12);
}

/* Loops and a thread of its own hand in at once while the sink fails at random: the locks between lanes hold (a test for TSan above all). */
static void accounts_for_what_all_loops_send_at_once(void **state)
{
    enum { EACH = 60, LOOPS = 3 };
    static struct pp_testing_done done[LOOPS][EACH];
    struct fake_config config = fake_default_config();
    const struct pp_loop_pool *loops = pp_service_loops(fake_service);
    struct pp_instance *instance;
    struct pp_task tasks[LOOPS];
    struct from_loop from[LOOPS];

    (void)state;
    config.queue.wait_for_result = true;
    config.retry.initial_interval = config.retry.max_interval = 1 * MS;
    config.retry.max_elapsed_time = 0;
    instance = fake_start(&config);
    fake_sink.failures = 40;
    fake_sink.failure = PP_RESULT_RETRY("busy");
    for (unsigned i = 0; i < LOOPS; i++) {
        for (unsigned k = 0; k < EACH; k++)
            pp_testing_done_init(&done[i][k]);
        from[i] = (struct from_loop){instance->component, 13 + i, EACH, done[i]};
        tasks[i] = (struct pp_task){.run = consume_on_loop, .arg = &from[i]};
        assert_true(pp_loop_post(loops->loops[i], &tasks[i]));
    }
    for (unsigned k = 0; k < EACH; k++)
        fake_expect(instance, 1 + k, PP_ACCEPTED);
    for (unsigned i = 0; i < LOOPS; i++) {
        for (unsigned k = 0; k < EACH; k++) {
            assert_true(pp_testing_done_wait(&done[i][k], PP_TESTING_WAIT_MS));
            assert_int_equal(done[i][k].result.outcome, PP_ACCEPTED);
            pp_testing_done_free(&done[i][k]);
        }
    }
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, EACH * (13 + 14 + 15) + EACH * (EACH + 1) / 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_setup_lanes, fake_teardown)
    const struct CMUnitTest tests[] = {
        TEST(sends_on_the_loop_it_came_in_on),
        TEST(no_more_under_way_than_consumers),
        TEST(a_timeout_cancels_and_tries_again),
        TEST(accounts_for_what_all_loops_send_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
