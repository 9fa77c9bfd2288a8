#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/fanout.h"
#include "pipeline/testing/testing.h"

/* Answers with what it was told, or keeps the batch until told. */
struct sink {
    struct pp_component component; /* first */
    struct pp_result result;
    bool hold;
    struct pp_done *held;
    _Atomic unsigned batches;
};

static void sink_consume(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    struct sink *sink = (struct sink *)self;

    sink->batches++;
    pp_batch_unref(batch);
    if (sink->hold)
        sink->held = done;
    else
        pp_done_call(done, &sink->result);
}

static const struct pp_factory sink_factory = {PP_FACTORY_DEFAULTS, .kind = PP_EXPORTER, .type = "sink", .consume = sink_consume};

static struct sink make_sink(struct pp_result result)
{
    return (struct sink){.component = {.factory = &sink_factory}, .result = result};
}

struct source {
    struct pp_downstream downstream;
    struct pp_component component;
    struct pp_testing_done done;
};

static void source_init(struct source *source)
{
    *source = (struct source){.component = {.id = "source"}};
    pp_downstream_init(&source->downstream);
    source->component.downstream = &source->downstream;
    pp_testing_done_init(&source->done);
}

static void source_done(struct source *source)
{
    pp_downstream_done(&source->downstream);
    pp_testing_done_free(&source->done);
}

static void feed(struct source *source, struct sink **sinks, const char *const *pipelines, size_t n)
{
    struct pp_target targets[4];

    for (size_t i = 0; i < n; i++)
        targets[i] = (struct pp_target){.component = &sinks[i]->component, .pipeline = pipelines[i]};
    pp_downstream_set(&source->downstream, pp_targets_new(targets, n));
}

static const char *const ab[] = {"profiles/a", "profiles/b", "profiles/b"};

static void the_worst_answer_counts(void **state)
{
    const struct {
        enum pp_outcome first, second, expected;
    } cases[] = {
        {PP_ACCEPTED, PP_ACCEPTED, PP_ACCEPTED},   {PP_ACCEPTED, PP_RETRY, PP_RETRY}, {PP_RETRY, PP_ACCEPTED, PP_RETRY},
        {PP_PERMANENT, PP_RETRY, PP_PERMANENT}, {PP_RETRY, PP_PERMANENT, PP_PERMANENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sink a = make_sink((struct pp_result){cases[i].first, PP_STATUS_NONE, -1, "first"});
        struct sink b = make_sink((struct pp_result){cases[i].second, PP_STATUS_NONE, -1, "second"});
        struct sink *sinks[] = {&a, &b};
        struct source source;

        source_init(&source);
        feed(&source, sinks, ab, 2);
        pp_emit(&source.component, pp_testing_batch(3, 1), &source.done.done);
        assert_int_equal(source.done.calls, 1);
        assert_int_equal(source.done.result.outcome, cases[i].expected);
        assert_int_equal(a.batches + b.batches, 2);
        source_done(&source);
    }
}

static void the_longest_wait_counts_and_the_answer_comes_last(void **state)
{
    struct sink a = make_sink((struct pp_result){PP_RETRY, PP_STATUS_UNAVAILABLE, 700, "a"});
    struct sink b = make_sink((struct pp_result){PP_RETRY, PP_STATUS_UNAVAILABLE, 90, "b"});
    struct sink *sinks[] = {&a, &b};
    struct source source;

    (void)state;
    b.hold = true;
    source_init(&source);
    feed(&source, sinks, ab, 2);
    pp_emit(&source.component, pp_testing_batch(3, 1), &source.done.done);
    assert_int_equal(source.done.calls, 0);
    pp_done_call(b.held, &b.result);
    assert_int_equal(source.done.calls, 1);
    assert_int_equal(source.done.result.retry_after_ms, 700);
    assert_int_equal(source.done.result.status, PP_STATUS_UNAVAILABLE);
    source_done(&source);
}

static void emit_to_chooses_the_pipeline(void **state)
{
    struct sink a = make_sink(PP_RESULT_ACCEPTED), b = make_sink(PP_RESULT_ACCEPTED), c = make_sink(PP_RESULT_ACCEPTED);
    struct sink *sinks[] = {&a, &b, &c};
    struct pp_batch *batch = pp_testing_batch(3, 1);
    struct source source;

    (void)state;
    source_init(&source);
    feed(&source, sinks, ab, 3);
    assert_false(pp_emit_to(&source.component, "profiles/x", batch, &source.done.done));
    assert_true(pp_emit_to(&source.component, "profiles/b", batch, &source.done.done));
    assert_int_equal(source.done.calls, 1);
    assert_int_equal(a.batches, 0);
    assert_int_equal(b.batches, 1);
    assert_int_equal(c.batches, 1);
    source_done(&source);
}

static void without_targets_the_sender_retries(void **state)
{
    struct source source;

    (void)state;
    source_init(&source);
    pp_emit(&source.component, pp_testing_batch(3, 1), &source.done.done);
    assert_int_equal(source.done.result.outcome, PP_RETRY);
    source_done(&source);
}

static void out_of_memory_is_a_retry(void **state)
{
    struct sink a = make_sink(PP_RESULT_ACCEPTED), b = make_sink(PP_RESULT_ACCEPTED);
    struct sink *sinks[] = {&a, &b};
    struct pp_batch *batch = pp_testing_batch(3, 1);
    struct source source;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    source_init(&source);
    feed(&source, sinks, ab, 2);
    pp_alloc_fail_at(1);
    pp_receiver_emit(&source.component, "grpc", pp_batch_ref(batch), &source.done.done);
    assert_int_equal(source.done.result.outcome, PP_RETRY);
    pp_alloc_fail_at(1);
    pp_emit(&source.component, batch, &source.done.done);
    pp_alloc_fail_at(0);
    assert_int_equal(source.done.calls, 2);
    assert_int_equal(source.done.result.outcome, PP_RETRY);
    assert_int_equal(a.batches + b.batches, 0);
    source_done(&source);
}

struct emitter {
    struct source *source;
    _Atomic bool *stop;
    uint64_t sent;
};

static void forget_answer(struct pp_done *done, const struct pp_result *result)
{
    (void)result;
    pp_free(done);
}

static void *emit_many(void *arg)
{
    struct emitter *emitter = arg;

    while (!*emitter->stop) {
        struct pp_done *done = pp_malloc(sizeof(*done));

        done->fn = forget_answer;
        pp_emit(&emitter->source->component, pp_testing_batch(1, 1), done);
        emitter->sent++;
    }
    return NULL;
}

/* A target that is gone after the swap must not be entered: its memory is poisoned by freeing it. */
static void targets_are_swapped_under_load(void **state)
{
    _Atomic bool stop = false;
    struct source source;
    struct emitter emitters[2] = {{&source, &stop, 0}, {&source, &stop, 0}};
    pthread_t threads[2];
    uint64_t taken = 0;
    struct sink *old = NULL;

    (void)state;
    source_init(&source);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, emit_many, &emitters[i]), 0);
    for (int i = 0; i < 200; i++) {
        struct sink *sink = pp_malloc(sizeof(*sink));

        *sink = make_sink(PP_RESULT_ACCEPTED);
        feed(&source, &sink, ab, 1);
        if (old)
            taken += old->batches;
        pp_free(old);
        old = sink;
        /* Every tenth target sees at least one batch. */
        for (unsigned ms = 0; i % 10 == 0 && sink->batches == 0 && ms < PP_TESTING_WAIT_MS; ms++)
            usleep(1000);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    taken += old->batches;
    pp_free(old);
    assert_true(taken >= 20 && taken <= emitters[0].sent + emitters[1].sent);
    source_done(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_answer_counts),
        cmocka_unit_test(the_longest_wait_counts_and_the_answer_comes_last),
        cmocka_unit_test(emit_to_chooses_the_pipeline),
        cmocka_unit_test(without_targets_the_sender_retries),
        cmocka_unit_test(out_of_memory_is_a_retry),
        cmocka_unit_test(targets_are_swapped_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
