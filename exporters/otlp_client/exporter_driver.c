#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/check.h"
#include "config/decode.h"
#include "config/yaml.h"
#include "exporter_driver.h"
#include "pipeline/service.h"

#define RESULT_S 30 /* far more than any send of a test takes */
#define DRIVER_LOOPS 2
#define PROBLEMS_BYTES_MAX (1 << 20)

/* The engine's: a driver has no service, only what exporters ask of one. The loops run till the process ends. */
const struct pp_loop_pool *pp_service_loops(struct pp_service *service)
{
    static struct pp_loop_pool loops;
    struct pp_error err;

    (void)service;
    if (!loops.n) {
        assert_true(pp_loop_pool_init(&loops, DRIVER_LOOPS, "driver", &err));
    }
    return &loops;
}

struct pp_telemetry *pp_service_telemetry(struct pp_service *service)
{
    (void)service;
    return exporter_telemetry();
}

/* A driver has no extensions, and shows nobody how its exporter is. */
void *pp_component_extension(const struct pp_component *self, const char *id,
                             enum pp_capability capability)
{
    (void)self, (void)id, (void)capability;
    return NULL;
}

void pp_component_report(struct pp_component *self, enum pp_component_status status,
                         const char *fmt, ...)
{
    (void)self, (void)status, (void)fmt;
}

struct pp_telemetry *exporter_telemetry(void)
{
    static struct pp_telemetry *telemetry;

    if (!telemetry) {
        telemetry = pp_telemetry_new();
    }
    return telemetry;
}

static const void *decode(struct exporter_driver *driver, const struct pp_factory *factory,
                          const char *yaml)
{
    struct pp_yaml_source source = {pp_str_c(yaml), {.file = "t.yaml"}};
    const struct pp_node *node = pp_yaml_read(&driver->arena, &source, &driver->diags);
    struct pp_path path = {.name = factory->type};
    const void *config = pp_decode(&driver->arena, factory->config, node, &path,
                                   (struct pp_mark){.file = "t.yaml"}, &driver->diags);
    struct pp_check check = {
        .diags = &driver->diags, .node = node, .mark = {.file = "t.yaml"}, .path = &path};

    if (config) {
        factory->validate(config, &check);
    }
    return config;
}

char *exporter_problems(const struct pp_factory *factory, const char *yaml)
{
    struct exporter_driver driver = {0};
    struct pp_buf text;
    char *copy;

    pp_buf_init(&text, PROBLEMS_BYTES_MAX);
    decode(&driver, factory, yaml);
    pp_diags_print(&driver.diags, &text);
    copy = pp_str_dup(pp_buf_str(&text));
    pp_buf_done(&text);
    pp_diags_done(&driver.diags);
    pp_arena_done(&driver.arena);
    return copy;
}

static void prepare(struct exporter_driver *driver, const struct pp_factory *factory,
                    const char *yaml)
{
    char *problems = exporter_problems(factory, yaml);

    *driver = (struct exporter_driver){0};
    if (problems[0]) {
        print_message("%s", problems);
    }
    pp_free(problems);
    pthread_mutex_init(&driver->lock, NULL);
    pthread_cond_init(&driver->answered, NULL);
    driver->self = pp_calloc(1, factory->instance_size);
    driver->self->factory = factory;
    driver->self->id = factory->type;
    driver->self->log_id = factory->type;
    driver->self->config = decode(driver, factory, yaml);
    assert_non_null(driver->self->config);
}

static bool create(struct exporter_driver *driver, const struct pp_factory *factory,
                   const char *yaml, struct pp_error *err)
{
    prepare(driver, factory, yaml);
    return factory->create(driver->self, err);
}

static void forget(struct exporter_driver *driver)
{
    pp_free(driver->self);
    pp_diags_done(&driver->diags);
    pp_arena_done(&driver->arena);
    pthread_mutex_destroy(&driver->lock);
    pthread_cond_destroy(&driver->answered);
}

/* Whether it started although the n-th allocation failed; false also when it had to fail. */
static bool start_without(struct exporter_driver *driver, const struct pp_factory *factory,
                          size_t n, bool *ret_reached)
{
    struct pp_error err = {0};
    bool created, started = false;

    pp_alloc_fail_at(n);
    created = factory->create(driver->self, &err);
    if (created) {
        started = factory->start(driver->self, &err);
    }
    *ret_reached = pp_alloc_count() >= n;
    pp_alloc_fail_at(0);
    if (started) {
        factory->shutdown(driver->self, pp_clock_mono_ms() + RESULT_S * PP_MS_PER_S);
    } else {
        assert_int_not_equal(err.kind, PP_ERR_NONE);
    }
    if (created) {
        factory->destroy(driver->self);
    }
    return started;
}

void exporter_sweep_allocations(const struct pp_factory *factory, const char *yaml)
{
    bool reached = true;
    size_t refused = 0;

    for (size_t n = 1; reached; n++) {
        struct exporter_driver driver;

        assert_in_range(n, 1, 10000);
        prepare(&driver, factory, yaml);
        refused += !start_without(&driver, factory, n, &reached);
        forget(&driver);
    }
#ifdef PP_ALLOC_FAULTS
    assert_true(refused > 0);
#else
    (void)refused; /* nothing fails in this build */
#endif
}

void exporter_open(struct exporter_driver *driver, const struct pp_factory *factory,
                   const char *yaml)
{
    struct pp_error err = {0};

    if (!create(driver, factory, yaml, &err) || !factory->start(driver->self, &err)) {
        fail_msg("%s: %s", factory->type, err.message);
    }
}

const char *exporter_start_error(struct exporter_driver *driver, const struct pp_factory *factory,
                                 const char *yaml)
{
    static struct pp_error err;

    err = (struct pp_error){0};
    assert_true(create(driver, factory, yaml, &err));
    factory->start(driver->self, &err);
    return err.message;
}

static void take_result(struct pp_done *done, const struct pp_result *result)
{
    struct exporter_driver *driver = pp_container_of(done, struct exporter_driver, done);

    pthread_mutex_lock(&driver->lock);
    driver->result = *result;
    snprintf(driver->message, sizeof(driver->message), "%s",
             result->message ? result->message : "");
    driver->result.message = driver->message;
    driver->has_result = true;
    pthread_cond_signal(&driver->answered);
    pthread_mutex_unlock(&driver->lock);
}

const struct pp_result *exporter_send(struct exporter_driver *driver, struct pp_batch *batch)
{
    struct timespec limit;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += RESULT_S;
    driver->has_result = false;
    driver->done.fn = take_result;
    driver->self->factory->consume(driver->self, batch, &driver->done);
    pthread_mutex_lock(&driver->lock);
    while (!driver->has_result && rc == 0) {
        rc = pthread_cond_timedwait(&driver->answered, &driver->lock, &limit);
    }
    pthread_mutex_unlock(&driver->lock);
    assert_true(driver->has_result);
    return &driver->result;
}

void exporter_close(struct exporter_driver *driver)
{
    driver->self->factory->shutdown(driver->self, pp_clock_mono_ms() + RESULT_S * PP_MS_PER_S);
    driver->self->factory->destroy(driver->self);
    forget(driver);
}
