#include "pipeline/service.h"

#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/metrics_server.h"
#include "pipeline/service_retire.h"
#include "pipeline/service_state.h"

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* The processors that this process may run on: a container may have been given fewer than there are. */
static size_t default_loops(void)
{
    cpu_set_t usable;
    long n = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > (long)PP_LOOPS_DEFAULT_MAX ? PP_LOOPS_DEFAULT_MAX : (size_t)n;
}

/* A version 4 UUID (RFC 9562). */
static void make_instance_id(char ret[37])
{
    uint8_t b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        memset(b, 0, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
             b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

bool pp_service_new(const struct pp_service_options *options, struct pp_service **ret, struct pp_error *err)
{
    struct pp_service *service = pp_calloc(1, sizeof(*service));

    if (!service)
        return pp_error_nomem(err);
    service->telemetry = pp_telemetry_new();
    if (!service->telemetry) {
        pp_free(service);
        return pp_error_nomem(err);
    }
    if (!pp_loop_pool_init(&service->loops, options->loops_n ? options->loops_n : default_loops(), "pp-loop", err)) {
        pp_telemetry_free(service->telemetry);
        pp_free(service);
        return false;
    }
    if (!pp_slab_trim_init(&service->slab_trim, service->loops.loops[0])) {
        pp_loop_pool_done(&service->loops);
        pp_telemetry_free(service->telemetry);
        pp_free(service);
        return pp_error_nomem(err);
    }
    service->shutdown_timeout_ms = options->shutdown_timeout_ms ? options->shutdown_timeout_ms : PP_SHUTDOWN_TIMEOUT_MS_DEFAULT;
    make_instance_id(service->instance_id);
    service->started_unix_ns = pp_clock_unix_ns();
    atomic_init(&service->state, PP_SERVICE_STARTING);
    pthread_mutex_init(&service->lock, NULL);
    init_cond(&service->requested);
    *ret = service;
    return true;
}

void pp_service_free(struct pp_service *service)
{
    if (!service)
        return;
    pp_metrics_server_stop(service->metrics_server);
    pp_slab_trim_done(&service->slab_trim);
    pp_loop_pool_done(&service->loops);
    pp_telemetry_free(service->telemetry);
    pthread_cond_destroy(&service->requested);
    pthread_mutex_destroy(&service->lock);
    pp_free(service);
}

const struct pp_loop_pool *pp_service_loops(struct pp_service *service)
{
    return &service->loops;
}

struct pp_telemetry *pp_service_telemetry(struct pp_service *service)
{
    return service->telemetry;
}

enum pp_service_state pp_service_state(const struct pp_service *service)
{
    return (enum pp_service_state)atomic_load(&service->state);
}

uint64_t pp_service_started_unix_ns(const struct pp_service *service)
{
    return service->started_unix_ns;
}

void pp_service_lock_status(struct pp_service *service)
{
    pthread_mutex_lock(&service->lock);
}

void pp_service_unlock_status(struct pp_service *service)
{
    pthread_mutex_unlock(&service->lock);
}

void pp_service_request(struct pp_service *service, enum pp_service_request request)
{
    pthread_mutex_lock(&service->lock);
    if (request == PP_REQUEST_STOP && !service->stop_asked_ms)
        service->stop_asked_ms = pp_clock_mono_ms();
    if (request > service->request)
        service->request = request;
    pthread_cond_broadcast(&service->requested);
    pthread_mutex_unlock(&service->lock);
}

void pp_service_stop_fatal(struct pp_service *service, const char *log_id, const char *message)
{
    pthread_mutex_lock(&service->lock);
    if (service->request != PP_REQUEST_FATAL)
        snprintf(service->fatal, sizeof(service->fatal), "%s: %s", log_id, message);
    service->request = PP_REQUEST_FATAL;
    pthread_cond_broadcast(&service->requested);
    pthread_mutex_unlock(&service->lock);
}

/* A reload waits till what the last one replaced is gone. With the lock held. */
static bool has_request(const struct pp_service *service)
{
    return service->request != PP_REQUEST_NONE && !(service->request == PP_REQUEST_RELOAD && service->retired.running);
}

/* With the lock held; false when the time has passed. */
static bool wait_for_request(struct pp_service *service, uint64_t until_mono_ms)
{
    struct timespec until = {(time_t)(until_mono_ms / PP_MS_PER_S), (long)(until_mono_ms % PP_MS_PER_S * PP_NS_PER_MS)};

    if (until_mono_ms == UINT64_MAX)
        return pthread_cond_wait(&service->requested, &service->lock) == 0;
    return pthread_cond_timedwait(&service->requested, &service->lock, &until) == 0;
}

enum pp_service_request pp_service_wait(struct pp_service *service, uint64_t timeout_ms, const char **ret_reason)
{
    uint64_t until_ms = timeout_ms == UINT64_MAX ? UINT64_MAX : pp_clock_mono_ms() + timeout_ms;
    enum pp_service_request request = PP_REQUEST_NONE;
    bool in_time = true;

    pthread_mutex_lock(&service->lock);
    while (!has_request(service) && in_time) {
        if (pp_service_has_drained(service)) {
            pthread_mutex_unlock(&service->lock);
            pp_service_settle(service);
            pthread_mutex_lock(&service->lock);
        } else {
            in_time = wait_for_request(service, until_ms);
        }
    }
    if (has_request(service)) {
        request = service->request;
        service->request = PP_REQUEST_NONE;
    }
    pthread_mutex_unlock(&service->lock);
    if (ret_reason)
        *ret_reason = service->fatal;
    return request;
}

const char *pp_component_kind_name(enum pp_component_kind kind)
{
    static const char *const names[] = {"receiver", "processor", "exporter", "connector", "extension"};

    return names[kind];
}

const char *pp_component_status_name(enum pp_component_status status)
{
    static const char *const names[] = {"StatusStarting",   "StatusOK",       "StatusRecoverableError", "StatusPermanentError",
                                        "StatusFatalError", "StatusStopping", "StatusStopped"};

    return names[status];
}

const char *pp_stability_name(enum pp_stability stability)
{
    static const char *const names[] = {"development", "alpha", "beta", "stable"};

    return names[stability];
}

void pp_service_each_component(struct pp_service *service, void (*fn)(void *arg, const struct pp_component_state *state), void *arg)
{
    static const enum pp_component_kind order[] = {PP_EXTENSION, PP_RECEIVER, PP_PROCESSOR, PP_CONNECTOR, PP_EXPORTER};

    pthread_mutex_lock(&service->lock);
    for (size_t k = 0; service->graph.plan && k < PP_KIND_COUNT; k++) {
        for (size_t i = 0; i < service->graph.plan->nodes.n; i++) {
            const struct pp_instance *instance = service->graph.instances[i];
            struct pp_component_state state;

            if (!instance || instance->factory->kind != order[k])
                continue;
            state = (struct pp_component_state){
                .kind = order[k],
                .id = instance->id,
                .pipeline = instance->pipeline,
                .factory = instance->factory,
                .status = instance->status,
                .message = instance->message,
                .since_unix_ns = instance->since_unix_ns,
            };
            fn(arg, &state);
        }
    }
    pthread_mutex_unlock(&service->lock);
}

void pp_service_each_pipeline(struct pp_service *service, void (*fn)(void *arg, const struct pp_pipeline_state *state), void *arg)
{
    pthread_mutex_lock(&service->lock);
    for (size_t i = 0; service->graph.plan && i < service->graph.plan->pipelines.n; i++) {
        const struct pp_plan_pipeline *pipeline = &service->graph.plan->pipelines.v[i];
        struct pp_pipeline_state state = {
            pipeline->id, pipeline->signal, pipeline->receivers, pipeline->processors, pipeline->exporters,
        };

        fn(arg, &state);
    }
    pthread_mutex_unlock(&service->lock);
}
