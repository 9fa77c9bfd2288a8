/* Reloads of whole services made of toy components: what keeps running, what is replaced, what comes back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/yaml.h"
#include "pipeline/run.h"
#include "pipeline/service_state.h"
#include "pipeline/testing/testing.h"

#define SLOTS 8

/* `slot` is what only one instance can have at a time, like a port; 0: none. */
struct toy_config {
    int64_t slot;
    bool fails;
    bool holds; /* its shutdown waits for `released` */
    const char *note;
    const char *uses; /* an extension */
};

static const struct pp_field toy_fields[] = {
    PP_ROW_INT(struct toy_config, slot, 0, 0, SLOTS - 1, "The slot it takes."),
    PP_ROW_BOOL(struct toy_config, fails, 0, "Does not start."),
    PP_ROW_BOOL(struct toy_config, holds, 0, "Ends when it is told to."),
    PP_ROW_STRING(struct toy_config, note, 0, "To tell configurations apart."),
    PP_ROW_EXTENSION(struct toy_config, uses, 0, PP_OFFERS_STORAGE, "An extension that it uses."),
    PP_ROW_END,
};
static const struct pp_group toy_group = {.name = "toy", .size = sizeof(struct toy_config), .fields = toy_fields};

static struct pp_component *_Atomic slots[SLOTS];
static atomic_bool released;
static atomic_uint held, orphaned; /* shutdowns that waited; that came after their extension's */
static unsigned starts;
static _Atomic uint64_t taken; /* samples */
static struct pp_component *_Atomic source; /* the receiver that runs */

static bool toy_start(struct pp_component *self, struct pp_error *err)
{
    const struct toy_config *config = self->config;

    if (config->uses) {
        struct pp_component *extension = pp_component_extension(self, config->uses, PP_OFFERS_STORAGE);

        assert_non_null(extension);
        assert_true(extension->instance->started);
    }
    if (config->fails)
        return pp_error_set(err, PP_ERR_IO, "told to fail");
    if (config->slot && slots[config->slot])
        return pp_error_set(err, PP_ERR_IO, "slot %d is in use", (int)config->slot);
    if (config->slot)
        slots[config->slot] = self;
    starts++;
    if (self->factory->kind == PP_RECEIVER)
        source = self;
    return true;
}

/* On the main thread, or the one that drains what a reload has replaced. */
static void toy_shutdown(struct pp_component *self, uint64_t deadline_ms)
{
    const struct toy_config *config = self->config;

    (void)deadline_ms;
    for (unsigned ms = 0; config->holds && !released && ms < PP_TESTING_WAIT_MS; ms++)
        usleep(1000);
    if (config->holds)
        held++;
    if (config->uses && !((struct pp_component *)pp_component_extension(self, config->uses, PP_OFFERS_STORAGE))->instance->started)
        orphaned++;
    if (config->slot && slots[config->slot] == self)
        slots[config->slot] = NULL;
    if (source == self)
        source = NULL;
}

static void toy_take(struct pp_component *self, struct pp_batch *batch, struct pp_done *done)
{
    (void)self;
    taken += pp_batch_samples(batch);
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_ACCEPTED);
}

#define TOY(kind_, type_, consume_, beside_)                                                                           \
    {                                                                                                                  \
        PP_FACTORY_DEFAULTS, .kind = kind_, .type = type_, .signals = PP_PROFILES, .config = &toy_group,               \
        .instance_size = sizeof(struct pp_component), .start = toy_start, .consume = consume_,                         \
        .shutdown = toy_shutdown, .starts_beside_old = beside_                                                         \
    }

static const struct pp_factory toy_receiver = TOY(PP_RECEIVER, "r", pp_default_consume, false);
static const struct pp_factory toy_processor = TOY(PP_PROCESSOR, "p", pp_emit, false);
static const struct pp_factory beside_exporter = TOY(PP_EXPORTER, "e", toy_take, true);
static const struct pp_factory alone_exporter = TOY(PP_EXPORTER, "alone", toy_take, false);

static unsigned toy_offers(const void *config)
{
    (void)config;
    return PP_OFFERS_STORAGE;
}

static void *toy_interface(struct pp_component *self, enum pp_capability capability)
{
    assert_int_equal(capability, PP_OFFERS_STORAGE);
    return self;
}

#define TOY_EXTENSION(type_, beside_)                                                                                  \
    {                                                                                                                  \
        PP_FACTORY_DEFAULTS, .kind = PP_EXTENSION, .type = type_, .config = &toy_group,                                \
        .instance_size = sizeof(struct pp_component), .start = toy_start, .shutdown = toy_shutdown,                    \
        .starts_beside_old = beside_, .offers = toy_offers, .interface = toy_interface                                 \
    }

static const struct pp_factory alone_extension = TOY_EXTENSION("x", false);
static const struct pp_factory beside_extension = TOY_EXTENSION("y", true);

static const struct pp_factory *const receivers[] = {&toy_receiver, NULL};
static const struct pp_factory *const processors[] = {&toy_processor, NULL};
static const struct pp_factory *const exporters[] = {&beside_exporter, &alone_exporter, NULL};
static const struct pp_factory *const extensions[] = {&alone_extension, &beside_extension, NULL};
static const struct pp_factory *const none[] = {NULL};
static const struct pp_factories factories = {{receivers, processors, exporters, none, extensions}};

static struct pp_service *service;

/* `text` without the telemetry, which would take a port. */
static struct pp_plan *plan_of(const char *text)
{
    static const char *const no_metrics = "  telemetry: {metrics: {level: none}}\n";
    const struct pp_plan_options options = {&factories, {0}};
    struct pp_arena arena = {0};
    struct pp_diags diags = {0};
    struct pp_yaml_source yaml = {.mark = {.file = "c.yaml"}};
    struct pp_plan *plan;
    struct pp_buf buf;

    pp_buf_init(&buf, 1 << 16);
    pp_buf_printf(&buf, "%s%s", text, no_metrics);
    yaml.text = (struct pp_str){pp_arena_strdup(&arena, pp_buf_str(&buf)), buf.len};
    plan = pp_plan_new(&arena, pp_yaml_read(&arena, &yaml, &diags), &options, &diags);
    pp_buf_reset(&buf);
    pp_diags_print(&diags, &buf);
    if (!plan)
        fail_msg("%.*s", (int)buf.len, buf.data);
    pp_buf_done(&buf);
    pp_diags_done(&diags);
    pp_arena_done(&arena);
    return plan;
}

static struct pp_component *component(const char *id)
{
    for (size_t i = 0; i < service->graph.plan->nodes.n; i++)
        if (strcmp(service->graph.plan->nodes.v[i].spec.id, id) == 0)
            return service->graph.instances[i]->component;
    fail_msg("no %s", id);
    return NULL;
}

static void begin(const char *text)
{
    const struct pp_service_options options = {.loops_n = 1, .shutdown_timeout_ms = PP_TESTING_WAIT_MS};
    struct pp_plan *plan = plan_of(text);
    struct pp_error err;

    for (int i = 0; i < SLOTS; i++)
        slots[i] = NULL;
    released = false;
    held = orphaned = 0;
    starts = 0;
    taken = 0;
    assert_true(pp_service_new(&options, &service, &err));
    assert_true(pp_service_start(service, plan, &err));
    pp_plan_unref(plan);
}

static bool reload(const char *text, struct pp_error *err)
{
    struct pp_plan *plan = plan_of(text);
    bool ok = pp_service_reload(service, plan, err);

    pp_plan_unref(plan);
    return ok;
}

static void end(void)
{
    pp_service_shutdown(service);
    pp_service_shutdown(service);
    for (int i = 0; i < SLOTS; i++)
        assert_null(slots[i]);
    assert_int_equal(orphaned, 0);
    pp_service_free(service);
}

/* Whether a batch emitted by the receiver arrives. */
static bool flows(void)
{
    struct pp_testing_done done;
    uint64_t before = taken;

    pp_testing_done_init(&done);
    pp_receiver_emit(source, "test", pp_testing_batch(5, 1), &done.done);
    pp_testing_done_free(&done);
    return done.result.outcome == PP_ACCEPTED && taken > before;
}

#define CONFIG(r, p, e)                                                                                                \
    "receivers: {r: {" r "}}\nprocessors: {p: {" p "}}\nexporters: {e: {" e "}}\nservice:\n"                           \
    "  pipelines: {profiles: {receivers: [r], processors: [p], exporters: [e]}}\n"

static void unchanged_instances_keep_running(void **state)
{
    struct pp_component *r, *p, *e;
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "note: a", "slot: 2"));
    r = component("r");
    p = component("p");
    e = component("e");
    assert_true(reload(CONFIG("slot: 1", "note: b", "slot: 2"), &err));
    assert_ptr_equal(component("r"), r);
    assert_ptr_equal(component("e"), e);
    assert_ptr_not_equal(component("p"), p);
    assert_int_equal(starts, 4);
    assert_true(flows());
    assert_true(reload(CONFIG("slot: 1", "note: b", "slot: 2"), &err));
    assert_int_equal(starts, 4);
    assert_true(flows());
    end();
}

static void changed_receiver_on_the_same_slot(void **state)
{
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "note: a", "slot: 2"));
    assert_true(reload(CONFIG("slot: 1, note: other", "note: a", "slot: 2"), &err));
    assert_ptr_equal(slots[1], component("r"));
    assert_true(flows());
    end();
}

static void renamed_exporter_on_the_same_slot(void **state)
{
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "note: a", "slot: 2"));
    assert_true(reload("receivers: {r: {slot: 1}}\nexporters: {e/new: {slot: 2}}\nservice:\n"
                       "  pipelines: {profiles: {receivers: [r], exporters: [e/new]}}\n",
                       &err));
    assert_ptr_equal(slots[2], component("e/new"));
    assert_true(flows());
    end();
}

static void failure_beside_the_old_graph_leaves_it_alone(void **state)
{
    struct pp_component *p, *e;
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "note: a", "slot: 2"));
    p = component("p");
    e = component("e");
    assert_false(reload(CONFIG("slot: 1", "fails: true", "slot: 2"), &err));
    assert_string_equal(err.message, "processor p: told to fail");
    assert_ptr_equal(component("p"), p);
    assert_ptr_equal(component("e"), e);
    assert_true(flows());
    end();
}

static void failure_after_making_way_puts_the_old_one_back(void **state)
{
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "note: a", "slot: 2"));
    assert_false(reload(CONFIG("slot: 1, fails: true", "note: b", "slot: 2, note: new"), &err));
    assert_string_equal(err.message, "receiver r: told to fail");
    assert_ptr_equal(slots[1], component("r"));
    assert_ptr_equal(slots[2], component("e"));
    assert_string_equal(((const struct toy_config *)component("p")->config)->note, "a");
    assert_true(flows());
    end();
}

static void exclusive_exporter_is_drained_first(void **state)
{
    struct pp_error err;

    (void)state;
    begin("receivers: {r: {}}\nexporters: {alone: {slot: 3}, e: {}}\nservice:\n"
          "  pipelines: {profiles: {receivers: [r], exporters: [alone, e]}}\n");
    assert_true(reload("receivers: {r: {}}\nexporters: {alone: {slot: 3, note: x}, e: {}}\nservice:\n"
                       "  pipelines: {profiles: {receivers: [r], exporters: [alone, e]}}\n",
                       &err));
    assert_ptr_equal(slots[3], component("alone"));
    assert_true(flows());
    assert_int_equal(taken, 10);
    end();
}

static void what_is_replaced_drains_beside_the_new_graph(void **state)
{
    struct pp_error err;

    (void)state;
    begin(CONFIG("slot: 1", "", "holds: true"));
    assert_true(reload(CONFIG("slot: 1", "", "note: new"), &err));
    assert_int_equal(held, 0);
    assert_true(flows());
    pp_service_request(service, PP_REQUEST_RELOAD);
    assert_int_equal(pp_service_wait(service, 20, NULL), PP_REQUEST_NONE);
    pp_service_request(service, PP_REQUEST_STOP);
    assert_int_equal(pp_service_wait(service, PP_TESTING_WAIT_MS, NULL), PP_REQUEST_STOP);
    pp_service_request(service, PP_REQUEST_RELOAD);
    released = true;
    assert_int_equal(pp_service_wait(service, PP_TESTING_WAIT_MS, NULL), PP_REQUEST_RELOAD);
    assert_int_equal(held, 1);
    end();
}

static void *release_soon(void *arg)
{
    usleep(50000);
    released = true;
    return arg;
}

#define HELD(note)                                                                                                     \
    "extensions: {x: }\nreceivers: {r: {}}\nexporters: {e: {uses: x, " note "}}\nservice:\n"                            \
    "  extensions: [x]\n  pipelines: {profiles: {receivers: [r], exporters: [e]}}\n"

static void an_end_waits_for_what_was_replaced(void **state)
{
    struct pp_error err;
    pthread_t thread;

    (void)state;
    begin(HELD("holds: true"));
    assert_true(reload(HELD("note: new"), &err));
    assert_int_equal(pthread_create(&thread, NULL, release_soon, NULL), 0);
    pp_service_shutdown(service);
    assert_int_equal(held, 1);
    pthread_join(thread, NULL);
    end();
}

static void a_start_that_fails_ends_what_had_started(void **state)
{
    const struct pp_service_options options = {.loops_n = 1};
    struct pp_plan *plan = plan_of(CONFIG("fails: true", "", "slot: 2"));
    struct pp_error err;

    (void)state;
    assert_true(pp_service_new(&options, &service, &err));
    assert_false(pp_service_start(service, plan, &err));
    assert_string_equal(err.message, "receiver r: told to fail");
    assert_null(slots[2]);
    pp_plan_unref(plan);
    pp_service_shutdown(service);
    pp_service_free(service);
}

static void fatal_report_reaches_the_main_thread(void **state)
{
    const char *reason;

    (void)state;
    begin(CONFIG("", "", ""));
    pp_component_report(component("e"), PP_COMPONENT_FATAL_ERROR, "disk %s", "gone");
    assert_int_equal(pp_service_wait(service, PP_TESTING_WAIT_MS, &reason), PP_REQUEST_FATAL);
    assert_string_equal(reason, "exporter e: disk gone");
    assert_int_equal(pp_service_wait(service, 1, &reason), PP_REQUEST_NONE);
    end();
}

struct load {
    _Atomic bool stop;
    _Atomic uint64_t accepted, asked_to_retry, other;
};

static struct load load;

struct waiter {
    struct pp_done done;
    uint64_t samples;
};

static void count(struct pp_done *done, const struct pp_result *result)
{
    struct waiter *waiter = pp_container_of(done, struct waiter, done);

    if (result->outcome == PP_ACCEPTED)
        load.accepted += waiter->samples;
    else if (result->outcome == PP_RETRY)
        load.asked_to_retry++;
    else
        load.other++;
    pp_free(waiter);
}

static void *emit_all_the_time(void *arg)
{
    while (!load.stop) {
        struct waiter *waiter = pp_malloc(sizeof(*waiter));

        *waiter = (struct waiter){{count}, 3};
        pp_receiver_emit(arg, "test", pp_testing_batch(3, 1), &waiter->done);
    }
    return NULL;
}

/* Until some more have been accepted. */
static void wait_for_batches(void)
{
    uint64_t before = load.accepted;

    for (unsigned ms = 0; load.accepted == before && ms < PP_TESTING_WAIT_MS; ms++)
        usleep(1000);
}

static void nothing_accepted_is_lost_under_load(void **state)
{
    static const char *const configs[] = {
        CONFIG("slot: 1", "note: a", "slot: 2"),
        CONFIG("slot: 1", "note: b", "slot: 2"),
        CONFIG("slot: 1", "note: b", "slot: 2, note: c"),
        "receivers: {r: {slot: 1}}\nexporters: {e: {}, alone: {slot: 4}}\nservice:\n"
        "  pipelines: {profiles: {receivers: [r], exporters: [e]}}\n",
        "receivers: {r: {slot: 1}}\nexporters: {alone: {slot: 2}}\nservice:\n"
        "  pipelines: {profiles: {receivers: [r], exporters: [alone]}}\n",
        "receivers: {r: {slot: 1}}\nexporters: {alone: {slot: 2, note: d}}\nservice:\n"
        "  pipelines: {profiles: {receivers: [r], exporters: [alone]}}\n",
    };
    pthread_t threads[2];
    struct pp_error err;

    (void)state;
    load = (struct load){0};
    begin(configs[0]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, emit_all_the_time, component("r")), 0);
    for (int round = 0; round < 30; round++) {
        wait_for_batches();
        if (!reload(configs[round % 6], &err))
            fail_msg("round %d: %s", round, err.message);
    }
    wait_for_batches();
    load.stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(load.accepted > 0);
    assert_int_equal(load.accepted, taken);
    assert_int_equal(load.other, 0);
    end();
}

/* Whichever allocation of a reload fails, one of the two graphs runs whole afterwards. */
static void no_allocation_failure_breaks_a_reload(void **state)
{
    static const char *const configs[] = {CONFIG("slot: 1", "note: a", "slot: 2"),
                                          CONFIG("slot: 1, note: b", "note: b", "slot: 2, note: b")};
    bool failed = true;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    begin(configs[0]);
    for (size_t n = 1, at = 0; failed && n < 10000; n++) {
        struct pp_plan *plan = plan_of(configs[!at]);
        struct pp_error err = {0};
        bool ok;

        pp_alloc_fail_at(n);
        ok = pp_service_reload(service, plan, &err);
        failed = pp_alloc_count() >= n;
        pp_alloc_fail_at(0);
        pp_plan_unref(plan);
        if (ok)
            at = !at;
        else
            assert_true(failed && err.message[0]);
        assert_ptr_equal(slots[1], component("r"));
        assert_ptr_equal(slots[2], component("e"));
        assert_true(flows());
    }
    assert_false(failed);
    end();
}

#define USING(id, x, e)                                                                                                \
    "extensions: {" id ": {" x "}}\nreceivers: {r: {}}\nexporters: {e: {uses: " id "" e "}}\nservice:\n"               \
    "  extensions: [" id "]\n  pipelines: {profiles: {receivers: [r], exporters: [e]}}\n"

/* What uses an extension is replaced with it, in either way that the extension can be replaced, and only then. */
static void users_go_with_their_extension(void **state)
{
    static const char *const configs[][3] = {
        {USING("x", "slot: 1", ""), USING("x", "slot: 1, note: b", ""), USING("x", "slot: 1, note: b, fails: true", "")},
        {USING("y", "note: a", ""), USING("y", "note: b", ""), USING("y", "note: c, fails: true", "")},
    };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pp_component *r, *e;
        struct pp_error err;

        begin(configs[i][0]);
        r = component("r");
        e = component("e");
        assert_true(reload(configs[i][0], &err));
        assert_ptr_equal(component("e"), e);
        assert_true(reload(configs[i][1], &err));
        assert_ptr_equal(component("r"), r);
        assert_int_equal(starts, 5); /* the receiver once, the other two twice */
        assert_true(flows());
        assert_false(reload(configs[i][2], &err));
        assert_non_null(strstr(err.message, "told to fail"));
        assert_ptr_equal(component("r"), r);
        assert_true(flows());
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged_instances_keep_running),
        cmocka_unit_test(changed_receiver_on_the_same_slot),
        cmocka_unit_test(renamed_exporter_on_the_same_slot),
        cmocka_unit_test(failure_beside_the_old_graph_leaves_it_alone),
        cmocka_unit_test(failure_after_making_way_puts_the_old_one_back),
        cmocka_unit_test(exclusive_exporter_is_drained_first),
        cmocka_unit_test(what_is_replaced_drains_beside_the_new_graph),
        cmocka_unit_test(an_end_waits_for_what_was_replaced),
        cmocka_unit_test(a_start_that_fails_ends_what_had_started),
        cmocka_unit_test(fatal_report_reaches_the_main_thread),
        cmocka_unit_test(no_allocation_failure_breaks_a_reload),
        cmocka_unit_test(nothing_accepted_is_lost_under_load),
        cmocka_unit_test(users_go_with_their_extension),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
