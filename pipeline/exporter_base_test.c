#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "pipeline/exporter_base.h"
#include "pipeline/instance.h"
#include "pipeline/run.h"
#include "pipeline/testing/testing.h"

#define MS 1000000ll

struct fake_config {
    struct pp_sending_queue_config queue;
    bool has_queue;
    struct pp_retry_config retry;
    int64_t timeout_ns;
};

/* What the exporter under test does; one test at a time. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;                 /* sends wait until it is false */
    bool random;                 /* some sends fail, some for good */
    unsigned failures;           /* so many attempts fail first */
    struct pp_result failure;
    unsigned attempts, delivered;
    uint64_t samples, largest;
    uint64_t attempt_ms[16];
    size_t open;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *fake_open(struct pp_component *self, struct pp_error *err)
{
    (void)self;
    (void)err;
    pthread_mutex_lock(&sink.lock);
    sink.open++;
    pthread_mutex_unlock(&sink.lock);
    return &sink;
}

static void fake_close(struct pp_component *self, void *worker)
{
    (void)self;
    assert_ptr_equal(worker, &sink);
    pthread_mutex_lock(&sink.lock);
    sink.open--;
    pthread_mutex_unlock(&sink.lock);
}

static void fake_send(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_ms, struct pp_result *ret)
{
    (void)worker;
    pthread_mutex_lock(&sink.lock);
    while (sink.closed) {
        pthread_mutex_unlock(&sink.lock);
        if (pp_clock_mono_ms() >= pp_exporter_deadline(self, deadline_ms)) {
            *ret = PP_RESULT_RETRY("sink does not answer");
            return;
        }
        usleep(1000);
        pthread_mutex_lock(&sink.lock);
    }
    if (sink.attempts < 16)
        sink.attempt_ms[sink.attempts] = pp_clock_mono_ms();
    sink.attempts++;
    if (sink.failures) {
        sink.failures--;
        *ret = sink.failure;
    } else if (sink.random && pp_random_unit() < 0.4) {
        *ret = pp_random_unit() < 0.7 ? PP_RESULT_RETRY("busy") : PP_RESULT_PERMANENT("no");
    } else {
        sink.delivered++;
        sink.samples += pp_batch_samples(batch);
        if (pp_batch_samples(batch) > sink.largest)
            sink.largest = pp_batch_samples(batch);
    }
    pthread_mutex_unlock(&sink.lock);
}

static const struct pp_exporter_ops fake_ops = {fake_open, fake_send, fake_close};

static bool fake_create(struct pp_component *self, struct pp_error *err)
{
    const struct fake_config *config = self->config;

    return pp_exporter_create((struct pp_exporter *)self, &fake_ops, config->has_queue ? &config->queue : NULL, &config->retry,
                              config->timeout_ns, err);
}

static const struct pp_factory fake_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "fake",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct pp_exporter),
    .create = fake_create,
    .start = pp_exporter_start,
    .consume = pp_exporter_consume,
    .shutdown = pp_exporter_shutdown,
    .destroy = pp_exporter_destroy,
};

static struct pp_service *service;

static struct fake_config default_config(void)
{
    return (struct fake_config){
        .queue = PP_SENDING_QUEUE_DEFAULTS,
        .has_queue = true,
        .retry = {.enabled = true, .initial_interval = 10 * MS, .multiplier = 1.5, .max_interval = 50 * MS,
                  .max_elapsed_time = 5000 * MS},
    };
}

static struct pp_instance *start(const struct fake_config *config)
{
    const struct pp_instance_spec spec = {.factory = &fake_factory, .id = "fake", .config = config};
    struct pp_instance *instance;
    struct pp_error err;

    assert_true(pp_instance_new(service, &spec, &instance, &err));
    assert_true(pp_instance_start(instance, &err));
    return instance;
}

static void stop(struct pp_instance *instance, uint64_t timeout_ms)
{
    pp_instance_shutdown(instance, pp_clock_mono_ms() + timeout_ms);
    pp_instance_free(instance);
    assert_int_equal(sink.open, 0);
}

static void send(struct pp_instance *instance, unsigned samples, struct pp_testing_done *done)
{
    pp_exporter_consume(instance->component, pp_testing_batch(samples, samples), &done->done);
}

/* Sends and expects this answer. */
static void expect(struct pp_instance *instance, unsigned samples, enum pp_outcome outcome)
{
    struct pp_testing_done done;

    pp_testing_done_init(&done);
    send(instance, samples, &done);
    assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
    assert_int_equal(done.result.outcome, outcome);
    pp_testing_done_free(&done);
}

static uint64_t metric(const char *name)
{
    const struct pp_label labels[] = {{"exporter", "fake"}, {"data_type", "profiles"}};
    uint64_t one = pp_telemetry_value(pp_service_telemetry(service), name, labels, 1);

    return one ? one : pp_telemetry_value(pp_service_telemetry(service), name, labels, 2);
}

static uint64_t failed_metric(const char *permanent, const char *type)
{
    const struct pp_label labels[] = {{"exporter", "fake"}, {"error_permanent", permanent}, {"error_type", type}};

    return pp_telemetry_value(pp_service_telemetry(service), "otelcol_exporter_send_failed_profile_samples", labels, 3);
}

static void set_closed(bool closed)
{
    pthread_mutex_lock(&sink.lock);
    sink.closed = closed;
    pthread_mutex_unlock(&sink.lock);
}

static void wait_for_attempt(void)
{
    unsigned attempts = 0;

    for (unsigned i = 0; i < PP_TESTING_WAIT_MS && !attempts; i++) {
        usleep(1000);
        pthread_mutex_lock(&sink.lock);
        attempts = sink.attempts;
        pthread_mutex_unlock(&sink.lock);
    }
    assert_true(attempts > 0);
}

static int setup(void **state)
{
    const struct pp_service_options options = {.loops_n = 1};
    struct pp_error err;

    (void)state;
    sink.closed = false;
    sink.failures = sink.attempts = sink.delivered = 0;
    sink.samples = sink.largest = 0;
    return pp_service_new(&options, &service, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pp_service_free(service);
    return 0;
}

static void accepted_at_once_and_drained_at_shutdown(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance = start(&config);

    (void)state;
    set_closed(true);
    for (int i = 0; i < 20; i++)
        expect(instance, 7, PP_ACCEPTED);
    assert_int_equal(metric("otelcol_exporter_queue_size"), 20);
    assert_int_equal(metric("otelcol_exporter_queue_capacity"), 1000);
    set_closed(false);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 140);
    assert_int_equal(metric("otelcol_exporter_sent_profile_samples"), 140);
    assert_int_equal(metric("otelcol_exporter_queue_size"), 0);
    assert_int_equal(metric("otelcol_exporter_in_flight_requests"), 0);
}

static void full_queue_refuses(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.queue_size = 2;
    instance = start(&config);
    set_closed(true);
    expect(instance, 5, PP_ACCEPTED);
    expect(instance, 5, PP_ACCEPTED);
    expect(instance, 5, PP_RETRY);
    assert_int_equal(metric("otelcol_exporter_enqueue_failed_profile_samples"), 5);
    set_closed(false);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 10);
    assert_int_equal(metric("otelcol_exporter_enqueue_failed_profile_samples"), 5);
}

static void memory_limit_refuses_before_queue_size(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;
    unsigned accepted = 0;

    (void)state;
    config.queue.max_bytes_mib = 1;
    instance = start(&config);
    set_closed(true);
    for (unsigned i = 0; i < 1000; i++) {
        struct pp_testing_done done;

        pp_testing_done_init(&done);
        send(instance, 2000, &done);
        assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
        accepted += done.result.outcome == PP_ACCEPTED;
        pp_testing_done_free(&done);
        if (done.result.outcome == PP_RETRY)
            break;
    }
    assert_in_range(accepted, 1, 200);
    set_closed(false);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.delivered, accepted);
}

static void too_large_for_the_queue_is_permanent(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;
    struct pp_testing_done done;

    (void)state;
    config.queue.sizer = PP_SIZER_ITEMS;
    config.queue.queue_size = 10;
    instance = start(&config);
    pp_testing_done_init(&done);
    send(instance, 11, &done);
    assert_int_equal(done.result.outcome, PP_PERMANENT);
    assert_int_equal(done.result.status, PP_STATUS_RESOURCE_EXHAUSTED);
    pp_testing_done_free(&done);
    expect(instance, 10, PP_ACCEPTED);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void block_on_overflow_holds_the_answer(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;
    struct pp_testing_done second, third;

    (void)state;
    config.queue.queue_size = 1;
    config.queue.block_on_overflow = true;
    instance = start(&config);
    set_closed(true);
    expect(instance, 1, PP_ACCEPTED);
    pp_testing_done_init(&second);
    pp_testing_done_init(&third);
    send(instance, 2, &second);
    send(instance, 3, &third);
    assert_false(pp_testing_done_wait(&second, 30));
    set_closed(false);
    assert_true(pp_testing_done_wait(&second, PP_TESTING_WAIT_MS));
    assert_true(pp_testing_done_wait(&third, PP_TESTING_WAIT_MS));
    assert_int_equal(second.result.outcome, PP_ACCEPTED);
    assert_int_equal(third.result.outcome, PP_ACCEPTED);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 6);
    pp_testing_done_free(&second);
    pp_testing_done_free(&third);
}

static void those_who_wait_are_refused_at_shutdown(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;
    struct pp_testing_done waiting;

    (void)state;
    config.queue.queue_size = 1;
    config.queue.block_on_overflow = true;
    instance = start(&config);
    set_closed(true);
    expect(instance, 1, PP_ACCEPTED);
    pp_testing_done_init(&waiting);
    send(instance, 2, &waiting);
    stop(instance, 50);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(waiting.result.outcome, PP_RETRY);
    pp_testing_done_free(&waiting);
    assert_int_equal(sink.samples, 0);
}

static void wait_for_result_passes_the_answer_on(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;
    struct pp_testing_done done;

    (void)state;
    config.queue.wait_for_result = true;
    instance = start(&config);
    sink.failures = 1;
    sink.failure = PP_RESULT_PERMANENT("no such tenant");
    sink.failure.status = PP_STATUS_NOT_FOUND;
    pp_testing_done_init(&done);
    send(instance, 4, &done);
    assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
    assert_int_equal(done.result.outcome, PP_PERMANENT);
    assert_int_equal(done.result.status, PP_STATUS_NOT_FOUND);
    assert_string_equal(done.result.message, "no such tenant");
    assert_int_equal(failed_metric("true", "NOT_FOUND"), 4);
    pp_testing_done_free(&done);
    expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(sink.samples, 4);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void without_a_queue_the_sender_waits(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;

    (void)state;
    config.has_queue = false;
    config.retry.enabled = false;
    instance = start(&config);
    sink.failures = 1;
    sink.failure = PP_RESULT_RETRY("busy");
    expect(instance, 4, PP_RETRY);
    expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(sink.attempts, 2);
    assert_int_equal(failed_metric("false", "_OTHER"), 4);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void retries_back_off_and_honour_the_server(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.wait_for_result = true;
    instance = start(&config);
    sink.failures = 2;
    sink.failure = PP_RESULT_RETRY("slow down");
    sink.failure.retry_after_ms = 120;
    expect(instance, 4, PP_ACCEPTED);
    assert_int_equal(sink.attempts, 3);
    assert_true(sink.attempt_ms[1] - sink.attempt_ms[0] >= 120);
    assert_true(sink.attempt_ms[2] - sink.attempt_ms[1] >= 120);
    assert_int_equal(metric("otelcol_exporter_sent_profile_samples"), 4);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void gives_up_after_max_elapsed_time(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;

    (void)state;
    config.queue.wait_for_result = true;
    config.retry.max_elapsed_time = 100 * MS;
    instance = start(&config);
    sink.failures = 1000;
    sink.failure = PP_RESULT_RETRY("busy");
    expect(instance, 4, PP_RETRY);
    assert_in_range(sink.attempts, 2, 20);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void deadline_cuts_off_and_counts(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance = start(&config);
    uint64_t began_ms;

    (void)state;
    set_closed(true);
    for (int i = 0; i < 30; i++)
        expect(instance, 3, PP_ACCEPTED);
    began_ms = pp_clock_mono_ms();
    stop(instance, 100);
    assert_true(pp_clock_mono_ms() - began_ms < 5000);
    assert_int_equal(failed_metric("false", "_OTHER"), 90);
    assert_int_equal(metric("otelcol_exporter_sent_profile_samples"), 0);
    assert_int_equal(metric("otelcol_exporter_queue_size"), 0);
}

static void retries_go_on_while_shutting_down(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance;

    (void)state;
    config.retry.initial_interval = config.retry.max_interval = 60000 * MS;
    config.retry.max_elapsed_time = 0;
    instance = start(&config);
    sink.failures = 1;
    sink.failure = PP_RESULT_RETRY("busy");
    expect(instance, 9, PP_ACCEPTED);
    wait_for_attempt();
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 9);
}

static void batches_are_merged_to_min_size(void **state)
{
    struct fake_config config = default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = 100;
    batch.flush_timeout = 60000 * MS;
    config.queue.batch = &batch;
    config.queue.num_consumers = 1;
    instance = start(&config);
    for (int i = 0; i < 30; i++)
        expect(instance, 10, PP_ACCEPTED);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 300);
    assert_int_equal(sink.delivered, 3);
    assert_int_equal(metric("otelcol_exporter_queue_batch_send_size"), 3);
}

static void flush_timeout_sends_what_there_is(void **state)
{
    struct fake_config config = default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = 1000000;
    batch.flush_timeout = 20 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    instance = start(&config);
    expect(instance, 10, PP_ACCEPTED);
    assert_int_equal(sink.samples, 10);
    stop(instance, PP_TESTING_WAIT_MS);
}

static void flush_timeout_holds_while_a_worker_waits_for_a_retry(void **state)
{
    struct fake_config config = default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_instance *instance;
    uint64_t samples = 0;

    (void)state;
    batch.min_size = 20;
    batch.flush_timeout = 20 * MS;
    config.queue.batch = &batch;
    config.retry.initial_interval = config.retry.max_interval = 60000 * MS;
    config.retry.max_elapsed_time = 0;
    instance = start(&config);
    /* The first worker is idle by then, so that the push below needs no second one. */
    usleep(50000);
    sink.failures = 1;
    sink.failure = PP_RESULT_RETRY("busy");
    expect(instance, 20, PP_ACCEPTED);
    wait_for_attempt();
    expect(instance, 7, PP_ACCEPTED);
    for (unsigned ms = 0; ms < PP_TESTING_WAIT_MS && samples != 7; ms++) {
        usleep(1000);
        pthread_mutex_lock(&sink.lock);
        samples = sink.samples;
        pthread_mutex_unlock(&sink.lock);
    }
    assert_int_equal(samples, 7);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 27);
}

static void max_size_cuts_and_every_part_counts(void **state)
{
    struct fake_config config = default_config();
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
    instance = start(&config);
    for (unsigned i = 0; i < 12; i++) {
        pp_testing_done_init(&done[i]);
        send(instance, 10 + i * 37, &done[i]);
        sent += 10 + i * 37;
    }
    for (unsigned i = 0; i < 12; i++) {
        assert_true(pp_testing_done_wait(&done[i], PP_TESTING_WAIT_MS));
        assert_int_equal(done[i].result.outcome, PP_ACCEPTED);
    }
    stop(instance, PP_TESTING_WAIT_MS);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(done[i].calls, 1);
        pp_testing_done_free(&done[i]);
    }
    assert_int_equal(sink.samples, sent);
    assert_true(sink.largest <= 64);
    assert_int_equal(metric("otelcol_exporter_queue_size"), 0);
}

static void one_failed_part_fails_its_request_only(void **state)
{
    struct fake_config config = default_config();
    struct pp_batch_config batch = PP_BATCH_DEFAULTS;
    struct pp_testing_done large;
    struct pp_instance *instance;

    (void)state;
    batch.min_size = batch.max_size = 50;
    batch.flush_timeout = 5 * MS;
    config.queue.batch = &batch;
    config.queue.wait_for_result = true;
    config.queue.num_consumers = 1;
    instance = start(&config);
    sink.failures = 1;
    sink.failure = PP_RESULT_PERMANENT("no");
    pp_testing_done_init(&large);
    send(instance, 120, &large);
    assert_true(pp_testing_done_wait(&large, PP_TESTING_WAIT_MS));
    assert_int_equal(large.result.outcome, PP_PERMANENT);
    assert_int_equal(sink.samples, 70);
    expect(instance, 50, PP_ACCEPTED);
    stop(instance, PP_TESTING_WAIT_MS);
    assert_int_equal(large.calls, 1);
    pp_testing_done_free(&large);
}

/* A sink that fails at random, temporarily and for good: every request is answered once, and what was delivered is what was answered "accepted". */
static void random_failures_account_for_every_sample(void **state)
{
    enum { N = 400 };
    static struct pp_testing_done done[N];
    struct fake_config config = default_config();
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
    instance = start(&config);
    sink.random = true;
    for (unsigned i = 0; i < N; i++) {
        pp_testing_done_init(&done[i]);
        send(instance, 1 + i % 45, &done[i]);
        sent += 1 + i % 45;
    }
    for (unsigned i = 0; i < N; i++)
        assert_true(pp_testing_done_wait(&done[i], PP_TESTING_WAIT_MS));
    stop(instance, PP_TESTING_WAIT_MS);
    sink.random = false;
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(done[i].calls, 1);
        if (done[i].result.outcome == PP_ACCEPTED)
            accepted += 1 + i % 45;
        pp_testing_done_free(&done[i]);
    }
    assert_int_equal(sink.samples, metric("otelcol_exporter_sent_profile_samples"));
    assert_int_equal(sink.samples + failed_metric("true", "_OTHER") + failed_metric("false", "_OTHER"), sent);
    assert_true(accepted > 0 && accepted <= sink.samples && sink.samples < sent);
    assert_int_equal(metric("otelcol_exporter_queue_size"), 0);
}

static void can_be_started_again(void **state)
{
    struct fake_config config = default_config();
    struct pp_instance *instance = start(&config);
    struct pp_error err;

    (void)state;
    pp_instance_shutdown(instance, pp_clock_mono_ms() + 1000);
    expect(instance, 1, PP_RETRY);
    assert_true(pp_instance_start(instance, &err));
    expect(instance, 1, PP_ACCEPTED);
    pp_instance_shutdown(instance, pp_clock_mono_ms() + PP_TESTING_WAIT_MS);
    assert_int_equal(sink.samples, 1);
    stop(instance, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
