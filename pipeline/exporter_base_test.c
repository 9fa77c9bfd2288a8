#include "pipeline/exporter_fake.h"

#include <unistd.h>

#include "base/clock.h"

static void accepted_at_once_and_drained_at_shutdown(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance = fake_start(&config);

    (void)state;
    fake_set_closed(true);
    for (int i = 0; i < 20; i++)
        fake_expect(instance, 7, PP_ACCEPTED);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 20);
    assert_int_equal(fake_metric("otelcol_exporter_queue_capacity"), 1000);
    fake_set_closed(false);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 140);
    assert_int_equal(fake_metric("otelcol_exporter_sent_profile_samples"), 140);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
    assert_int_equal(fake_metric("otelcol_exporter_in_flight_requests"), 0);
}

static void full_queue_refuses(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.queue_size = 2;
    instance = fake_start(&config);
    fake_set_closed(true);
    fake_expect(instance, 5, PP_ACCEPTED);
    fake_expect(instance, 5, PP_ACCEPTED);
    fake_expect(instance, 5, PP_RETRY);
    assert_int_equal(fake_metric("otelcol_exporter_enqueue_failed_profile_samples"), 5);
    fake_set_closed(false);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 10);
    assert_int_equal(fake_metric("otelcol_exporter_enqueue_failed_profile_samples"), 5);
}

static void memory_limit_refuses_before_queue_size(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    unsigned accepted = 0;

    (void)state;
    config.queue.max_bytes_mib = 1;
    instance = fake_start(&config);
    fake_set_closed(true);
    for (unsigned i = 0; i < 1000; i++) {
        struct pp_testing_done done;

        pp_testing_done_init(&done);
        fake_hand_in(instance, 2000, &done);
        assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
        accepted += done.result.outcome == PP_ACCEPTED;
        pp_testing_done_free(&done);
        if (done.result.outcome == PP_RETRY)
            break;
    }
    assert_in_range(accepted, 1, 200);
    fake_set_closed(false);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.delivered, accepted);
}

static void too_large_for_the_queue_is_permanent(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    struct pp_testing_done done;

    (void)state;
    config.queue.sizer = PP_SIZER_ITEMS;
    config.queue.queue_size = 10;
    instance = fake_start(&config);
    pp_testing_done_init(&done);
    fake_hand_in(instance, 11, &done);
    assert_int_equal(done.result.outcome, PP_PERMANENT);
    assert_int_equal(done.result.status, PP_STATUS_RESOURCE_EXHAUSTED);
    pp_testing_done_free(&done);
    fake_expect(instance, 10, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void block_on_overflow_holds_the_answer(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    struct pp_testing_done second, third;

    (void)state;
    config.queue.queue_size = 1;
    config.queue.block_on_overflow = true;
    instance = fake_start(&config);
    fake_set_closed(true);
    fake_expect(instance, 1, PP_ACCEPTED);
    pp_testing_done_init(&second);
    pp_testing_done_init(&third);
    fake_hand_in(instance, 2, &second);
    fake_hand_in(instance, 3, &third);
    assert_false(pp_testing_done_wait(&second, 30));
    fake_set_closed(false);
    assert_true(pp_testing_done_wait(&second, PP_TESTING_WAIT_MS));
    assert_true(pp_testing_done_wait(&third, PP_TESTING_WAIT_MS));
    assert_int_equal(second.result.outcome, PP_ACCEPTED);
    assert_int_equal(third.result.outcome, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 6);
    pp_testing_done_free(&second);
    pp_testing_done_free(&third);
}

static void those_who_wait_are_refused_at_shutdown(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    struct pp_testing_done waiting;

    (void)state;
    config.queue.queue_size = 1;
    config.queue.block_on_overflow = true;
    instance = fake_start(&config);
    fake_set_closed(true);
    fake_expect(instance, 1, PP_ACCEPTED);
    pp_testing_done_init(&waiting);
    fake_hand_in(instance, 2, &waiting);
    fake_stop(instance, 50);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(waiting.result.outcome, PP_RETRY);
    pp_testing_done_free(&waiting);
    assert_int_equal(fake_sink.samples, 0);
}

static void wait_for_result_passes_the_answer_on(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;
    struct pp_testing_done done;

    (void)state;
    config.queue.wait_for_result = true;
    instance = fake_start(&config);
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_PERMANENT("no such tenant");
    fake_sink.failure.status = PP_STATUS_NOT_FOUND;
    pp_testing_done_init(&done);
    fake_hand_in(instance, 4, &done);
    assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
    assert_int_equal(done.result.outcome, PP_PERMANENT);
    assert_int_equal(done.result.status, PP_STATUS_NOT_FOUND);
    assert_string_equal(done.result.message, "no such tenant");
    assert_int_equal(fake_failed_metric("true", "NOT_FOUND"), 4);
    pp_testing_done_free(&done);
    fake_expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(fake_sink.samples, 4);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void without_a_queue_the_sender_waits(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.has_queue = false;
    config.retry.enabled = false;
    instance = fake_start(&config);
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_RETRY("busy");
    fake_expect(instance, 4, PP_RETRY);
    fake_expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(fake_sink.attempts, 2);
    assert_int_equal(fake_failed_metric("false", "_OTHER"), 4);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void retries_back_off_and_honour_the_server(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.wait_for_result = true;
    instance = fake_start(&config);
    fake_sink.failures = 2;
    fake_sink.failure = PP_RESULT_RETRY("slow down");
    fake_sink.failure.retry_after_ms = 120;
    fake_expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(fake_sink.attempts, 3);
    assert_true(fake_sink.attempt_ms[1] - fake_sink.attempt_ms[0] >= 120);
    assert_true(fake_sink.attempt_ms[2] - fake_sink.attempt_ms[1] >= 120);
    assert_int_equal(fake_metric("otelcol_exporter_sent_profile_samples"), 4);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void gives_up_after_max_elapsed_time(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.wait_for_result = true;
    config.retry.max_elapsed_time = 100 * MS;
    instance = fake_start(&config);
    fake_sink.failures = 1000;
    fake_sink.failure = PP_RESULT_RETRY("busy");
    fake_expect(instance, 4, PP_RETRY);
    assert_in_range(fake_sink.attempts, 2, 20);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void deadline_cuts_off_and_counts(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance = fake_start(&config);
    uint64_t began_ms;

    (void)state;
    fake_set_closed(true);
    for (int i = 0; i < 30; i++)
        fake_expect(instance, 3, PP_ACCEPTED);
    began_ms = pp_clock_mono_ms();
    fake_stop(instance, 100);
    assert_true(pp_clock_mono_ms() - began_ms < 5000);
    assert_int_equal(fake_failed_metric("false", "_OTHER"), 90);
    assert_int_equal(fake_metric("otelcol_exporter_sent_profile_samples"), 0);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
}

static void retries_go_on_while_shutting_down(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance;

    (void)state;
    config.retry.initial_interval = config.retry.max_interval = 60000 * MS;
    config.retry.max_elapsed_time = 0;
    instance = fake_start(&config);
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_RETRY("busy");
    fake_expect(instance, 9, PP_ACCEPTED);
    fake_wait_for_attempt();
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 9);
}

static void batches_are_merged_to_min_size(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = 100;
    batch.flush_timeout = 60000 * MS;
    config.queue.batch = &batch;
    config.queue.num_consumers = 1;
    instance = fake_start(&config);
    for (int i = 0; i < 30; i++)
        fake_expect(instance, 10, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 300);
    assert_int_equal(fake_sink.delivered, 3);
    assert_int_equal(fake_metric("otelcol_exporter_queue_batch_send_size"), 3);
}

static void flush_timeout_sends_what_there_is(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = 1000000;
    batch.flush_timeout = 20 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    instance = fake_start(&config);
    fake_expect(instance, 10, PP_ACCEPTED);
    assert_int_equal(fake_sink.samples, 10);
    fake_stop(instance, PP_TESTING_WAIT_MS);
}

static void flush_timeout_holds_while_a_worker_waits_for_a_retry(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;
    uint64_t samples = 0;

    (void)state;
    batch.min_size = 20;
    batch.flush_timeout = 20 * MS;
    config.queue.batch = &batch;
    config.retry.initial_interval = config.retry.max_interval = 60000 * MS;
    config.retry.max_elapsed_time = 0;
    instance = fake_start(&config);
    /* The first worker is idle by then, so that the push below needs no second one. */
    usleep(50000);
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_RETRY("busy");
    fake_expect(instance, 20, PP_ACCEPTED);
    fake_wait_for_attempt();
    fake_expect(instance, 7, PP_ACCEPTED);
    for (unsigned ms = 0; ms < PP_TESTING_WAIT_MS && samples != 7; ms++) {
        usleep(1000);
        pthread_mutex_lock(&fake_sink.lock);
        samples = fake_sink.samples;
        pthread_mutex_unlock(&fake_sink.lock);
    }
    assert_int_equal(samples, 7);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 27);
}

static void max_size_cuts_and_every_part_counts(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_testing_done done[12];
    struct pp_instance *instance;
    uint64_t sent = 0;

    (void)state;
    batch.min_size = 50;
    batch.max_size = 64;
    batch.flush_timeout = 20 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    config.queue.num_consumers = 3;
    instance = fake_start(&config);
    for (unsigned i = 0; i < 12; i++) {
        pp_testing_done_init(&done[i]);
        fake_hand_in(instance, 10 + i * 37, &done[i]);
        sent += 10 + i * 37;
    }
    for (unsigned i = 0; i < 12; i++) {
        assert_true(pp_testing_done_wait(&done[i], PP_TESTING_WAIT_MS));
        assert_int_equal(done[i].result.outcome, PP_ACCEPTED);
    }
    fake_stop(instance, PP_TESTING_WAIT_MS);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(done[i].calls, 1);
        pp_testing_done_free(&done[i]);
    }
    assert_int_equal(fake_sink.samples, sent);
    assert_true(fake_sink.largest <= 64);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
}

static void one_failed_part_fails_its_request_only(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_testing_done large;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = batch.max_size = 50;
    batch.flush_timeout = 5 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    config.queue.num_consumers = 1;
    instance = fake_start(&config);
    fake_sink.failures = 1;
    fake_sink.failure = PP_RESULT_PERMANENT("no");
    pp_testing_done_init(&large);
    fake_hand_in(instance, 120, &large);
    assert_true(pp_testing_done_wait(&large, PP_TESTING_WAIT_MS));
    assert_int_equal(large.result.outcome, PP_PERMANENT);
    assert_int_equal(fake_sink.samples, 70);
    fake_expect(instance, 50, PP_ACCEPTED);
    fake_stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(large.calls, 1);
    pp_testing_done_free(&large);
}

/* A sink that fails at random, temporarily and for good: every request is answered once, and what was delivered is what was answered "accepted". */
static void random_failures_account_for_every_sample(void **state)
{
    enum { N = 400 };
    static struct pp_testing_done done[N];
    struct fake_config config = fake_default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;
    uint64_t sent = 0, accepted = 0;

    (void)state;
    batch.min_size = 20;
    batch.max_size = 30;
    batch.flush_timeout = 2 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    config.retry.initial_interval = config.retry.max_interval = 1 * MS;
    config.retry.max_elapsed_time = 4 * MS;
    instance = fake_start(&config);
    fake_sink.random = true;
    for (unsigned i = 0; i < N; i++) {
        pp_testing_done_init(&done[i]);
        fake_hand_in(instance, 1 + i % 45, &done[i]);
        sent += 1 + i % 45;
    }
    for (unsigned i = 0; i < N; i++)
        assert_true(pp_testing_done_wait(&done[i], PP_TESTING_WAIT_MS));
    fake_stop(instance, PP_TESTING_WAIT_MS);
    fake_sink.random = false;
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(done[i].calls, 1);
        if (done[i].result.outcome == PP_ACCEPTED)
            accepted += 1 + i % 45;
        pp_testing_done_free(&done[i]);
    }
    assert_int_equal(fake_sink.samples, fake_metric("otelcol_exporter_sent_profile_samples"));
    assert_int_equal(fake_sink.samples + fake_failed_metric("true", "_OTHER") + fake_failed_metric("false", "_OTHER"), sent);
    assert_true(accepted > 0 && accepted <= fake_sink.samples && fake_sink.samples < sent);
    assert_int_equal(fake_metric("otelcol_exporter_queue_size"), 0);
}

static void can_be_started_again(void **state)
{
    struct fake_config config = fake_default_config();
    struct pp_instance *instance = fake_start(&config);
    struct pp_error err;

    (void)state;
    pp_instance_shutdown(instance, pp_clock_mono_ms() + 1000);
    fake_expect(instance, 1, PP_RETRY);
    assert_true(pp_instance_start(instance, &err));
    fake_expect(instance, 1, PP_ACCEPTED);
    pp_instance_shutdown(instance, pp_clock_mono_ms() + PP_TESTING_WAIT_MS);
    assert_int_equal(fake_sink.samples, 1);
    fake_stop(instance, 0);
}

int main(void)
{
/* Every guarantee holds for both ways to send. */
#define TEST(f) {#f " (blocking)", f, fake_setup_blocking, fake_teardown, NULL}, {#f " (on lanes)", f, fake_setup_lanes, fake_teardown, NULL}
    const struct CMUnitTest tests[] = {
        TEST(accepted_at_once_and_drained_at_shutdown),
        TEST(full_queue_refuses),
        TEST(memory_limit_refuses_before_queue_size),
        TEST(too_large_for_the_queue_is_permanent),
        TEST(block_on_overflow_holds_the_answer),
        TEST(those_who_wait_are_refused_at_shutdown),
        TEST(wait_for_result_passes_the_answer_on),
        TEST(without_a_queue_the_sender_waits),
        TEST(retries_back_off_and_honour_the_server),
        TEST(gives_up_after_max_elapsed_time),
        TEST(deadline_cuts_off_and_counts),
        TEST(retries_go_on_while_shutting_down),
        TEST(batches_are_merged_to_min_size),
        TEST(flush_timeout_sends_what_there_is),
        TEST(flush_timeout_holds_while_a_worker_waits_for_a_retry),
        TEST(max_size_cuts_and_every_part_counts),
        TEST(one_failed_part_fails_its_request_only),
        TEST(random_failures_account_for_every_sample),
        TEST(can_be_started_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
