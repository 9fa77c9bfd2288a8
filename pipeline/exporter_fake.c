#include "pipeline/exporter_fake.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define FAKE_SENDS_MAX 64

struct fake_sink fake_sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *fake_open(struct pp_component *self, struct pp_error *err)
{
    (void)self;
    (void)err;
    pthread_mutex_lock(&fake_sink.lock);
    fake_sink.open++;
    pthread_mutex_unlock(&fake_sink.lock);
    return &fake_sink;
}

static void fake_close(struct pp_component *self, void *worker)
{
    (void)self;
    assert_ptr_equal(worker, &fake_sink);
    pthread_mutex_lock(&fake_sink.lock);
    fake_sink.open--;
    pthread_mutex_unlock(&fake_sink.lock);
}

/* With the sink's lock held: what comes of an attempt. */
static struct pp_result try_to_deliver(struct pp_batch *batch)
{
    if (fake_sink.attempts < 16)
        fake_sink.attempt_ms[fake_sink.attempts] = pp_clock_mono_ms();
    fake_sink.attempts++;
    if (fake_sink.failures) {
        fake_sink.failures--;
        return fake_sink.failure;
    }
    if (fake_sink.random && pp_random_unit() < 0.4)
        return pp_random_unit() < 0.7 ? PP_RESULT_RETRY("busy") : PP_RESULT_PERMANENT("no");
    fake_sink.delivered++;
    fake_sink.samples += pp_batch_samples(batch);
    if (pp_batch_samples(batch) < FAKE_SEEN_MAX)
        fake_sink.seen[pp_batch_samples(batch)] = true;
    if (pp_batch_samples(batch) > fake_sink.largest)
        fake_sink.largest = pp_batch_samples(batch);
    return PP_RESULT_ACCEPTED;
}

static void fake_send(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_ms, struct pp_result *ret)
{
    (void)worker;
    pthread_mutex_lock(&fake_sink.lock);
    while (fake_sink.closed) {
        pthread_mutex_unlock(&fake_sink.lock);
        if (pp_clock_mono_ms() >= pp_exporter_deadline(self, deadline_ms)) {
            *ret = PP_RESULT_RETRY("sink does not answer");
            return;
        }
        usleep(1000);
        pthread_mutex_lock(&fake_sink.lock);
    }
    *ret = try_to_deliver(batch);
    pthread_mutex_unlock(&fake_sink.lock);
}

/* A lane looks every millisecond whether the sink is open. */
struct fake_lane {
    struct pp_loop *loop;
    struct pp_timer *timer;
    struct pp_exporter_send *sends[FAKE_SENDS_MAX];
    size_t n;
};

static void end_sends(void *lane_)
{
    struct fake_lane *lane = lane_;

    assert_true(pp_loop_is_current(lane->loop));
    while (lane->n > 0) {
        struct pp_exporter_send *send = lane->sends[lane->n - 1];
        struct pp_result result;

        pthread_mutex_lock(&fake_sink.lock);
        if (fake_sink.closed) {
            pthread_mutex_unlock(&fake_sink.lock);
            pp_timer_start(lane->timer, 1);
            return;
        }
        result = try_to_deliver(send->batch);
        fake_sink.in_flight--;
        pthread_mutex_unlock(&fake_sink.lock);
        lane->n--;
        pp_exporter_sent(send, &result);
    }
}

static void *fake_lane_open(struct pp_component *self, struct pp_loop *loop, struct pp_error *err)
{
    struct fake_lane *lane = pp_calloc(1, sizeof(*lane));

    assert_true(pp_loop_is_current(loop));
    assert_non_null(lane);
    fake_open(self, err);
    lane->loop = loop;
    lane->timer = pp_timer_new(loop, end_sends, lane);
    return lane;
}

static bool fake_is_light(struct pp_component *self, struct pp_batch *batch)
{
    (void)self;
    return pp_batch_samples(batch) % 2;
}

static struct pp_bytes *fake_prepare(struct pp_component *self, struct pp_batch *batch, struct pp_error *text, struct pp_result *ret)
{
    struct pp_bytes *body;

    (void)self;
    if (fake_sink.random && pp_random_unit() < 0.1) {
        pp_error_set(text, PP_ERR_NOMEM, "out of memory");
        *ret = PP_RESULT_RETRY(text->message);
        return NULL;
    }
    body = pp_bytes_new(sizeof(uint64_t));
    assert_non_null(body);
    memcpy(body->data, &(uint64_t){pp_batch_samples(batch)}, sizeof(uint64_t));
    return body;
}

static void fake_lane_send(void *lane_, struct pp_exporter_send *send)
{
    struct fake_lane *lane = lane_;
    uint64_t samples;

    assert_true(pp_loop_is_current(lane->loop));
    assert_null(send->state);
    send->state = lane;
    memcpy(&samples, send->body->data, sizeof(samples));
    assert_int_equal(samples, pp_batch_samples(send->batch));
    assert_true(lane->n < FAKE_SENDS_MAX);
    lane->sends[lane->n++] = send;
    pthread_mutex_lock(&fake_sink.lock);
    fake_sink.in_flight++;
    if (fake_sink.in_flight > fake_sink.in_flight_max)
        fake_sink.in_flight_max = fake_sink.in_flight;
    fake_sink.last_loop = lane->loop;
    pthread_mutex_unlock(&fake_sink.lock);
    /* Some answers come before this returns. */
    if (samples % 5 == 0)
        end_sends(lane);
    else
        pp_timer_start(lane->timer, 0);
}

static void fake_lane_cancel(void *lane_, struct pp_exporter_send *send, struct pp_result *ret)
{
    struct fake_lane *lane = lane_;
    size_t i = 0;

    assert_ptr_equal(send->state, lane);
    while (lane->sends[i] != send)
        assert_true(++i < lane->n);
    lane->sends[i] = lane->sends[--lane->n];
    *ret = PP_RESULT_RETRY("sink does not answer");
}

static void fake_lane_close(void *lane_)
{
    struct fake_lane *lane = lane_;

    assert_int_equal(lane->n, 0);
    pp_timer_free(lane->timer);
    pp_free(lane);
    fake_close(NULL, &fake_sink);
}

static const struct pp_exporter_ops blocking_ops = {.worker_open = fake_open, .send = fake_send, .worker_close = fake_close};
static const struct pp_exporter_ops lane_ops = {
    .lane_open = fake_lane_open,
    .is_light = fake_is_light,
    .prepare = fake_prepare,
    .lane_send = fake_lane_send,
    .lane_cancel = fake_lane_cancel,
    .lane_close = fake_lane_close,
};
static const struct pp_exporter_ops *ops;

static bool fake_create(struct pp_component *self, struct pp_error *err)
{
    const struct fake_config *config = self->config;

    return pp_exporter_create((struct pp_exporter *)self, ops, config->has_queue ? &config->queue : NULL, &config->retry,
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

struct pp_service *fake_service;
const struct pp_instance_use *fake_use;

struct fake_config fake_default_config(void)
{
    return (struct fake_config){
        .queue = PP_SENDING_QUEUE_DEFAULTS,
        .has_queue = true,
        .retry = {.enabled = true, .initial_interval = 10 * MS, .multiplier = 1.5, .max_interval = 50 * MS,
                  .max_elapsed_time = 5000 * MS},
    };
}

struct pp_instance *fake_start(const struct fake_config *config)
{
    const struct pp_instance_spec spec = {.factory = &fake_factory, .id = "fake", .config = config, .uses = fake_use, .uses_n = fake_use ? 1 : 0};
    struct pp_instance *instance;
    struct pp_error err;

    assert_true(pp_instance_new(fake_service, &spec, &instance, &err));
    assert_true(pp_instance_start(instance, &err));
    return instance;
}

void fake_stop(struct pp_instance *instance, uint64_t timeout_ms)
{
    pp_instance_shutdown(instance, pp_clock_mono_ms() + timeout_ms);
    pp_instance_free(instance);
    assert_int_equal(fake_sink.open, 0);
}

void fake_hand_in(struct pp_instance *instance, unsigned samples, struct pp_testing_done *done)
{
    pp_exporter_consume(instance->component, pp_testing_batch(samples, samples), &done->done);
}

void fake_expect(struct pp_instance *instance, unsigned samples, enum pp_outcome outcome)
{
    struct pp_testing_done done;

    pp_testing_done_init(&done);
    fake_hand_in(instance, samples, &done);
    assert_true(pp_testing_done_wait(&done, PP_TESTING_WAIT_MS));
    assert_int_equal(done.result.outcome, outcome);
    pp_testing_done_free(&done);
}

uint64_t fake_metric(const char *name)
{
    const struct pp_label labels[] = {{"exporter", "fake"}, {"data_type", "profiles"}};
    uint64_t one = pp_telemetry_value(pp_service_telemetry(fake_service), name, labels, 1);

    return one ? one : pp_telemetry_value(pp_service_telemetry(fake_service), name, labels, 2);
}

uint64_t fake_failed_metric(const char *permanent, const char *type)
{
    const struct pp_label labels[] = {{"exporter", "fake"}, {"error_permanent", permanent}, {"error_type", type}};

    return pp_telemetry_value(pp_service_telemetry(fake_service), "otelcol_exporter_send_failed_profile_samples", labels, 3);
}

void fake_set_closed(bool closed)
{
    pthread_mutex_lock(&fake_sink.lock);
    fake_sink.closed = closed;
    pthread_mutex_unlock(&fake_sink.lock);
}

void fake_wait_for_attempt(void)
{
    unsigned attempts = 0;

    for (unsigned i = 0; i < PP_TESTING_WAIT_MS && !attempts; i++) {
        usleep(1000);
        pthread_mutex_lock(&fake_sink.lock);
        attempts = fake_sink.attempts;
        pthread_mutex_unlock(&fake_sink.lock);
    }
    assert_true(attempts > 0);
}

static int setup_with(const struct pp_exporter_ops *way, size_t loops_n)
{
    const struct pp_service_options options = {.loops_n = loops_n};
    struct pp_error err;

    ops = way;
    fake_sink.closed = false;
    fake_sink.failures = fake_sink.attempts = fake_sink.delivered = 0;
    fake_sink.in_flight = fake_sink.in_flight_max = 0;
    fake_sink.samples = fake_sink.largest = 0;
    memset(fake_sink.seen, 0, sizeof(fake_sink.seen));
    return pp_service_new(&options, &fake_service, &err) ? 0 : -1;
}

int fake_setup_blocking(void **state)
{
    (void)state;
    return setup_with(&blocking_ops, 1);
}

int fake_setup_lanes(void **state)
{
    (void)state;
    return setup_with(&lane_ops, 3);
}

int fake_teardown(void **state)
{
    (void)state;
    pp_service_free(fake_service);
    return 0;
}
