#include "cli/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/load.h"
#include "cli/logging.h"
#include "pipeline/run.h"

struct signals {
    pthread_t thread;
    sigset_t set;
    struct pp_service *service;
};

/* A thread of its own, so that a second signal ends the process whatever the main thread is waiting for. */
static void *watch_signals(void *arg)
{
    struct signals *signals = arg;
    bool stopping = false;
    int number;

    while (sigwait(&signals->set, &number) == 0) {
        if (number == SIGHUP) {
            pp_service_request(signals->service, PP_REQUEST_RELOAD);
        } else if (number == SIGUSR2) {
            return NULL; /* ours: the daemon is done */
        } else if (stopping) {
            _exit(128 + number);
        } else {
            stopping = true;
            pp_service_request(signals->service, PP_REQUEST_STOP);
        }
    }
    return NULL;
}

/* Before any thread is started, so that all of them inherit the mask. */
static void block_signals(struct signals *signals)
{
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGTERM);
    sigaddset(&signals->set, SIGINT);
    sigaddset(&signals->set, SIGHUP);
    sigaddset(&signals->set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* A connection takes a file descriptor: as many as the system lets us have, as Go's runtime does for the Collector. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void reload(const struct pp_options *options, const struct pp_factories *factories, struct pp_service *service,
                   struct pp_logging *logging)
{
    struct pp_plan *plan = pp_load_plan(options, factories, true);
    struct pp_error err = {0};

    if (!plan) {
        pp_log(PP_LOG_ERROR, NULL, "reload: the new configuration is wrong; the old one goes on");
        return;
    }
    if (!pp_service_reload(service, plan, &err))
        pp_log(PP_LOG_ERROR, NULL, "reload: %s; the old configuration goes on", err.message);
    else if (!pp_logging_configure(logging, plan->document->telemetry, &err))
        pp_log(PP_LOG_ERROR, NULL, "reload: %s; the log stays as it is", err.message);
    else
        pp_log(PP_LOG_INFO, NULL, "reloaded: %zu component instances in %zu pipelines", plan->nodes.n, plan->pipelines.n);
    pp_plan_unref(plan);
}

static int serve(const struct pp_options *options, const struct pp_factories *factories, struct pp_service *service,
                 struct pp_logging *logging)
{
    const char *reason;

    for (;;) {
        switch (pp_service_wait(service, UINT64_MAX, &reason)) {
        case PP_REQUEST_RELOAD:
            reload(options, factories, service, logging);
            break;
        case PP_REQUEST_STOP:
            pp_log(PP_LOG_INFO, NULL, "stopping");
            return PP_EXIT_OK;
        case PP_REQUEST_FATAL:
            pp_log(PP_LOG_ERROR, NULL, "stopping: %s", reason);
            return PP_EXIT_FATAL;
        case PP_REQUEST_NONE:
            break;
        }
    }
}

static int run_service(const struct pp_options *options, const struct pp_factories *factories, struct pp_service *service,
                       struct pp_plan *plan, struct pp_logging *logging)
{
    struct pp_error err = {0};
    int code;

    if (!pp_service_start(service, plan, &err)) {
        pp_log(PP_LOG_ERROR, NULL, "does not start: %s", err.message);
        return PP_EXIT_START;
    }
    pp_log(PP_LOG_INFO, NULL, "profpipe " PP_VERSION " runs %zu component instances in %zu pipelines", plan->nodes.n,
           plan->pipelines.n);
    code = serve(options, factories, service, logging);
    pp_service_shutdown(service);
    pp_log(PP_LOG_INFO, NULL, "stopped");
    return code;
}

int pp_daemon_run(const struct pp_options *options, const struct pp_factories *factories)
{
    const struct pp_service_options service_options = {options->loops, options->shutdown_timeout_ms};
    struct pp_plan *plan = pp_load_plan(options, factories, false);
    struct pp_logging logging = {0};
    struct signals signals = {0};
    struct pp_error err = {0};
    int code = PP_EXIT_START;

    if (!plan)
        return PP_EXIT_CONFIG;
    raise_file_limit();
    block_signals(&signals);
    if (!pp_logging_configure(&logging, plan->document->telemetry, &err) ||
        !pp_service_new(&service_options, &signals.service, &err)) {
        pp_log(PP_LOG_ERROR, NULL, "does not start: %s", err.message);
        pp_plan_unref(plan);
        return PP_EXIT_START;
    }
    pp_gates_warn(&options->gates);
    if (pthread_create(&signals.thread, NULL, watch_signals, &signals) == 0) {
        code = run_service(options, factories, signals.service, plan, &logging);
        pthread_kill(signals.thread, SIGUSR2);
        pthread_join(signals.thread, NULL);
    } else {
        pp_log(PP_LOG_ERROR, NULL, "does not start: cannot start a thread");
    }
    pp_plan_unref(plan);
    pp_service_free(signals.service);
    return code;
}
