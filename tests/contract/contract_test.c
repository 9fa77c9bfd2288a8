/* The rules of pipeline/component.h, for every component there is. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/decode.h"
#include "config/yaml.h"
#include "minimal.h"
#include "pipeline/instance.h"
#include "pipeline/run.h"
#include "pipeline/testing/testing.h"

#define BATCHES 200u
#define THREADS 2u
/* What exporters get to drain to a peer that is not there. */
#define DRAIN_MS 300u

static const struct pp_factory *const *const tables[] = {pp_receivers, pp_processors, pp_exporters, pp_connectors, pp_extensions};

static struct pp_service *service;

/* A component under test with what its configuration lives in. */
struct subject {
    const struct pp_factory *factory;
    struct pp_arena arena;
    struct pp_diags diags;
    const void *config;
    struct pp_instance *instance;
};

static const void *decode(struct subject *s, const char *yaml)
{
    const struct pp_yaml_source source = {pp_str_c(yaml), {.file = s->factory->type}};
    const struct pp_path path = {.name = s->factory->type};
    const struct pp_node *node = pp_yaml_read(&s->arena, &source, &s->diags);

    assert_non_null(node);
    return s->factory->config ? pp_decode(&s->arena, s->factory->config, node, &path, source.mark, &s->diags) : NULL;
}

static void subject_open(struct subject *s, const struct pp_factory *factory)
{
    *s = (struct subject){.factory = factory};
    s->config = decode(s, pp_minimal_config(factory));
    if (pp_diags_failed(&s->diags)) {
        struct pp_buf text;

        pp_buf_init(&text, 65536);
        pp_diags_print(&s->diags, &text);
        fail_msg("%s: its entry in minimal.c does not decode:\n%.*s", factory->type, (int)text.len, text.data);
    }
}

static void subject_make(struct subject *s)
{
    const struct pp_instance_spec spec = {.factory = s->factory, .id = s->factory->type, .config = s->config};
    struct pp_error err;

    if (!pp_instance_new(service, &spec, &s->instance, &err))
        fail_msg("create: %s", err.message);
}

/* What stands behind a processor or connector: answers at random, now or later from another thread. */
static struct {
    pthread_mutex_t lock;
    uint64_t accepted; /* samples */
    struct pp_done *later[BATCHES * THREADS];
    struct pp_result answers[BATCHES * THREADS];
    size_t later_n;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct pp_result random_answer(void)
{
    double r = pp_random_unit();

    return r < 0.6 ? PP_RESULT_ACCEPTED : r < 0.8 ? PP_RESULT_RETRY("later") : PP_RESULT_PERMANENT("never");
}

static void sink_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    struct pp_result answer = random_answer();
    bool later = pp_random_unit() < 0.3;

    (void)self;
    pthread_mutex_lock(&sink.lock);
    if (answer.outcome == PP_ACCEPTED)
        sink.accepted += pp_batch_samples(batch);
    if (later) {
        sink.answers[sink.later_n] = answer;
        sink.later[sink.later_n++] = done;
    }
    pthread_mutex_unlock(&sink.lock);
    pp_batch_unref(batch);
    if (!later)
        pp_done_call(done, &answer);
}

static const struct pp_factory sink_factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXPORTER, .type = "sink", .consume = sink_consume};
static struct pp_component sink_component = {.factory = &sink_factory, .id = "sink"};

static void subject_start(struct subject *s)
{
    const struct pp_target target = {.component = &sink_component, .pipeline = "profiles/down"};
    struct pp_error err;

    if (s->factory->kind == PP_PROCESSOR || s->factory->kind == PP_CONNECTOR)
        pp_downstream_set(&s->instance->downstream, pp_targets_new(&target, 1));
    if (!pp_instance_start(s->instance, &err))
        fail_msg("start: %s", err.message);
}

static void subject_close(struct subject *s)
{
    pp_diags_done(&s->diags);
    pp_arena_done(&s->arena);
}

static void each(void (*check)(const struct pp_factory *factory))
{
    for (size_t t = 0; t < PP_KIND_COUNT; t++)
        for (const struct pp_factory *const *f = tables[t]; *f; f++)
            check(*f);
}

static void check_row(const struct pp_factory *f)
{
    assert_non_null(f->type);
    assert_non_null(f->summary);
    assert_non_null(f->readme);
    assert_true(f->instance_size >= sizeof(struct pp_component));
    assert_true(f->validate && f->create && f->start && f->consume && f->shutdown && f->destroy);
    assert_int_equal(f->signals != 0, f->kind != PP_EXTENSION);
    assert_int_equal(f->signals_out != 0, f->kind == PP_CONNECTOR);
}

static void check_defaults(const struct pp_factory *f)
{
    struct subject s = {.factory = f};

    /* Either a struct, or errors that say what is missing. */
    const void *config = decode(&s, "{}");

    if (f->config && !config)
        assert_true(s.diags.errors > 0 && s.diags.list.n > 0 && !s.diags.nomem);
    subject_close(&s);
}

static void check_shutdown_without_start(const struct pp_factory *f)
{
    struct subject s;

    subject_open(&s, f);
    subject_make(&s);
    f->shutdown(s.instance->component, pp_clock_mono_ms());
    f->shutdown(s.instance->component, pp_clock_mono_ms());
    pp_instance_free(s.instance);
    subject_close(&s);
}

static void check_start_stop_twice(const struct pp_factory *f)
{
    struct subject s;

    subject_open(&s, f);
    for (int i = 0; i < 2; i++) {
        subject_make(&s);
        subject_start(&s);
        f->shutdown(s.instance->component, pp_clock_mono_ms() + PP_TESTING_WAIT_MS);
        f->shutdown(s.instance->component, pp_clock_mono_ms() + PP_TESTING_WAIT_MS);
        pp_instance_free(s.instance);
    }
    subject_close(&s);
}

struct answer {
    struct pp_done done; /* first */
    uint64_t samples;
    _Atomic unsigned calls;
    enum pp_outcome outcome;
};

struct sender {
    const struct subject *subject;
    struct answer answers[BATCHES];
};

static void answered(struct pp_done *done, const struct pp_result *result)
{
    struct answer *answer = (struct answer *)done;

    answer->outcome = result->outcome;
    if (result->outcome != PP_ACCEPTED && !result->message)
        abort(); /* the contract: never NULL unless accepted */
    answer->calls++;
}

static void *send_batches(void *arg)
{
    struct sender *sender = arg;

    for (unsigned i = 0; i < BATCHES; i++) {
        struct answer *answer = &sender->answers[i];

        *answer = (struct answer){.done = {answered}, .samples = 1 + i % 7};
        sender->subject->factory->consume(sender->subject->instance->component,
                                          pp_testing_batch((unsigned)answer->samples, i), &answer->done);
    }
    return NULL;
}

/* Sums what the threads sent, and of that what was accepted; every answer has come once. */
static void total(const struct sender *senders, uint64_t *ret_sent, uint64_t *ret_accepted)
{
    *ret_sent = *ret_accepted = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < BATCHES; i++) {
            const struct answer *answer = &senders[t].answers[i];

            if (answer->calls != 1)
                fail_msg("%s: batch %u was answered %u times", senders[t].subject->factory->type, i, answer->calls);
            *ret_sent += answer->samples;
            if (answer->outcome == PP_ACCEPTED)
                *ret_accepted += answer->samples;
        }
    }
}

static void send_all(const struct subject *subject, struct sender *senders)
{
    pthread_t threads[THREADS];

    for (unsigned t = 0; t < THREADS; t++) {
        senders[t].subject = subject;
        assert_int_equal(pthread_create(&threads[t], NULL, send_batches, &senders[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
}

static void check_passes_on(const struct pp_factory *f)
{
    static struct sender senders[THREADS];
    uint64_t sent, accepted;
    struct subject s;

    if (f->kind != PP_PROCESSOR && f->kind != PP_CONNECTOR)
        return;
    sink.accepted = 0;
    sink.later_n = 0;
    subject_open(&s, f);
    subject_make(&s);
    subject_start(&s);
    send_all(&s, senders);
    for (size_t i = 0; i < sink.later_n; i++)
        pp_done_call(sink.later[i], &sink.answers[i]);
    pp_instance_shutdown(s.instance, pp_clock_mono_ms() + PP_TESTING_WAIT_MS);
    total(senders, &sent, &accepted);
    if (accepted != sink.accepted)
        fail_msg("%s: says %llu samples were accepted, but %llu were", f->type, (unsigned long long)accepted,
                 (unsigned long long)sink.accepted);
    assert_true(accepted > 0 && accepted < sent);
    pp_instance_free(s.instance);
    subject_close(&s);
}

/* The sum of an exporter's series of one metric, whatever their other labels. */
static uint64_t sum_of(const char *metric, const char *exporter)
{
    const struct pp_telemetry_text_options options = {0};
    char start[256];
    struct pp_buf text;
    uint64_t sum = 0;

    snprintf(start, sizeof(start), "\n%s{exporter=\"%s\"", metric, exporter);
    pp_buf_init(&text, 1 << 24);
    assert_true(pp_telemetry_write(pp_service_telemetry(service), &options, &text));
    assert_true(pp_buf_add(&text, "", 1));
    for (const char *at = strstr(text.data, start); at; at = strstr(at + 1, start))
        sum += strtoull(strchr(at, '}') + 1, NULL, 10);
    pp_buf_done(&text);
    return sum;
}

static void check_exporter_accounts(const struct pp_factory *f)
{
    static struct sender senders[THREADS];
    uint64_t sent, accepted, counted;
    struct subject s;

    if (f->kind != PP_EXPORTER)
        return;
    subject_open(&s, f);
    subject_make(&s);
    subject_start(&s);
    send_all(&s, senders);
    pp_instance_shutdown(s.instance, pp_clock_mono_ms() + DRAIN_MS);
    total(senders, &sent, &accepted);
    counted = sum_of("otelcol_exporter_sent_profile_samples", f->type) +
              sum_of("otelcol_exporter_send_failed_profile_samples", f->type) +
              sum_of("otelcol_exporter_enqueue_failed_profile_samples", f->type);
    /* nop has no queue and nothing to count. */
    if (strcmp(f->type, "nop") != 0 && counted != sent)
        fail_msg("%s: %llu samples went in, its metrics account for %llu", f->type, (unsigned long long)sent,
                 (unsigned long long)counted);
    /* After the shutdown nothing is taken any more. */
    if (strcmp(f->type, "nop") != 0) {
        struct answer late = {.done = {answered}, .samples = 1};

        f->consume(s.instance->component, pp_testing_batch(1, 1), &late.done);
        assert_int_equal(late.calls, 1);
        assert_int_equal(late.outcome, PP_RETRY);
    }
    pp_instance_free(s.instance);
    subject_close(&s);
}

#define FOR_EACH(check_)                                                                                               \
    static void every_##check_(void **state)                                                                           \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        each(check_);                                                                                                  \
    }
FOR_EACH(check_row)
FOR_EACH(check_defaults)
FOR_EACH(check_shutdown_without_start)
FOR_EACH(check_start_stop_twice)
FOR_EACH(check_passes_on)
FOR_EACH(check_exporter_accounts)

static char folder[] = "/tmp/profpipe-contract-XXXXXX";

static int setup(void **state)
{
    const struct pp_service_options options = {.loops_n = 2};
    struct pp_error err;

    (void)state;
    pp_log_configure(&(struct pp_log_options){.level = PP_LOG_ERROR});
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    return pp_service_new(&options, &service, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pp_service_free(service);
    unlink("contract.json");
    rmdir("contract_storage");
    return chdir("/") || rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_row),
        cmocka_unit_test(every_check_defaults),
        cmocka_unit_test(every_check_shutdown_without_start),
        cmocka_unit_test(every_check_start_stop_twice),
        cmocka_unit_test(every_check_passes_on),
        cmocka_unit_test(every_check_exporter_accounts),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
