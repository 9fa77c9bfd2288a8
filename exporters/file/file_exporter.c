/* The file exporter: OTLP messages added to a file, or one document of everything so far. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "file_encode.h"
#include "file_groups.h"
#include "file_path.h"
#include "file_seen.h"
#include "file_snapshot.h"
#include "pipeline/exporter_base.h"
#include "pipeline/service.h"
#include "pipeline/telemetry.h"

/* A document that takes long to write is written less often: at most a tenth of the time goes into it. */
#define SNAPSHOT_REST_FACTOR 10u

struct file_exporter {
    struct pp_exporter base; /* first */
    pthread_mutex_t lock;    /* over all below */
    pthread_cond_t wake;
    pthread_t flusher;
    bool flusher_runs, stop, open, failing;
    struct pp_file_stream stream;
    struct pp_file_groups groups;
    struct pp_file_snapshot snapshot;
    struct pp_counter *lost_bytes;
    struct pp_error send_error; /* what the last result's message points into */
};

static const struct pp_metric lost_metric = {
    .name = "profpipe_exporter_file_lost_bytes",
    .help = "Bytes of accepted data that were still buffered when the exporter ended and could not be written.",
    .unit = "By",
};

static struct file_exporter *exporter_of(struct pp_component *self)
{
    return (struct file_exporter *)self;
}

static const struct pp_file_config *config_of(const struct file_exporter *x)
{
    return x->base.component.config;
}

static bool put_part(void *arg, struct pp_file_stream *stream, struct pp_batch *part, struct pp_error *err)
{
    struct pp_bytes *message;
    bool ok;

    (void)arg;
    if (!pp_file_encode(stream->config, part, &message, err))
        return false;
    ok = pp_file_stream_add(stream, pp_bytes_str(message), err);
    pp_bytes_unref(message);
    return ok;
}

static bool write_batch(struct file_exporter *x, struct pp_batch *batch, struct pp_error *err)
{
    const struct pp_file_config *config = config_of(x);

    if (!pp_file_is_snapshot(config))
        return pp_file_is_grouped(config) ? pp_file_groups_write(&x->groups, batch, put_part, NULL, err)
                                          : put_part(NULL, &x->stream, batch, err);
    return pp_file_snapshot_add(&x->snapshot, batch, err) &&
           (config->flush_interval != 0 || pp_file_snapshot_write(&x->snapshot, err));
}

/* A full disk or a lost folder may come right again; data that cannot be encoded will not. */
static struct pp_result result_of(const struct pp_error *err)
{
    if (err->kind == PP_ERR_IO || err->kind == PP_ERR_NOMEM)
        return PP_RESULT_RETRY(err->message);
    return PP_RESULT_PERMANENT(err->message);
}

/* Says once that writing fails, and once that it works again. */
static void note_write(struct file_exporter *x, bool ok, const struct pp_error *err)
{
    struct pp_component *self = &x->base.component;

    if (!ok && !x->failing) {
        pp_log(PP_LOG_ERROR, self->log_id, "%s; %s", err->message,
               config_of(x)->flush_interval ? "keeps what it has and tries again" : "senders are asked to come back");
        pp_component_report(self, PP_COMPONENT_RECOVERABLE_ERROR, "%s", err->message);
    } else if (ok && x->failing) {
        pp_log(PP_LOG_INFO, self->log_id, "writes to %s again", config_of(x)->path);
        pp_component_report(self, PP_COMPONENT_OK, "%s", "");
    }
    x->failing = !ok;
}

static void file_send(struct pp_component *self, void *worker, struct pp_batch *batch, uint64_t deadline_mono_ms, struct pp_result *ret)
{
    struct file_exporter *x = exporter_of(self);
    bool ok;

    (void)worker;
    (void)deadline_mono_ms;
    pthread_mutex_lock(&x->lock);
    ok = write_batch(x, batch, &x->send_error);
    *ret = ok ? PP_RESULT_ACCEPTED : result_of(&x->send_error);
    /* With a buffer the flusher meets the same fault. */
    if (config_of(x)->flush_interval == 0 && ret->outcome != PP_PERMANENT)
        note_write(x, ok, &x->send_error);
    pthread_mutex_unlock(&x->lock);
}

static bool flush(struct file_exporter *x, struct pp_error *err)
{
    const struct pp_file_config *config = config_of(x);

    if (pp_file_is_snapshot(config))
        return !x->snapshot.dirty || pp_file_snapshot_write(&x->snapshot, err);
    return pp_file_is_grouped(config) ? pp_file_groups_flush(&x->groups, err) : pp_file_stream_flush(&x->stream, err);
}

static void wait_until(struct file_exporter *x, uint64_t mono_ns)
{
    struct timespec until = {.tv_sec = (time_t)(mono_ns / PP_NS_PER_S), .tv_nsec = (long)(mono_ns % PP_NS_PER_S)};

    while (!x->stop && pp_clock_mono_ns() < mono_ns)
        pthread_cond_timedwait(&x->wake, &x->lock, &until);
}

static void *flusher_main(void *arg)
{
    struct file_exporter *x = arg;
    uint64_t rest_ns = (uint64_t)config_of(x)->flush_interval;

    pthread_mutex_lock(&x->lock);
    while (!x->stop) {
        struct pp_error err = {0};
        uint64_t began;

        wait_until(x, pp_clock_mono_ns() + rest_ns);
        if (x->stop)
            break;
        began = pp_clock_mono_ns();
        note_write(x, flush(x, &err), &err);
        rest_ns = (pp_clock_mono_ns() - began) * SNAPSHOT_REST_FACTOR;
        if (rest_ns < (uint64_t)config_of(x)->flush_interval)
            rest_ns = (uint64_t)config_of(x)->flush_interval;
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static bool start_flusher(struct file_exporter *x, struct pp_error *err)
{
    if (config_of(x)->flush_interval == 0)
        return true;
    x->stop = false;
    if (pthread_create(&x->flusher, NULL, flusher_main, x) != 0)
        return pp_error_set(err, PP_ERR_IO, "cannot start a thread");
    x->flusher_runs = true;
    return true;
}

static void stop_flusher(struct file_exporter *x)
{
    if (!x->flusher_runs)
        return;
    pthread_mutex_lock(&x->lock);
    x->stop = true;
    pthread_cond_signal(&x->wake);
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->flusher, NULL);
    x->flusher_runs = false;
}

/* Finds out now whether the path can be written. */
static bool open_output(struct file_exporter *x, struct pp_error *err)
{
    const struct pp_file_config *config = config_of(x);

    if (config->create_directory && !pp_file_make_parents(config->path, pp_file_directory_mode(config), err))
        return false;
    if (pp_file_is_snapshot(config)) {
        pp_file_snapshot_init(&x->snapshot, config, x->base.component.id);
        if (pp_file_snapshot_begin(&x->snapshot, err))
            return true;
        pp_file_snapshot_done(&x->snapshot);
        return false;
    }
    x->groups = (struct pp_file_groups){.config = config};
    if (pp_file_is_grouped(config))
        return pp_file_groups_check(&x->groups, err);
    return pp_file_stream_open(&x->stream, config, config->path, pp_file_seen_before(config->path) || config->append || config->rotation, err);
}

static bool close_output(struct file_exporter *x, uint64_t *lost_bytes, struct pp_error *err)
{
    const struct pp_file_config *config = config_of(x);
    bool ok;

    if (!pp_file_is_snapshot(config))
        return pp_file_is_grouped(config) ? pp_file_groups_close(&x->groups, lost_bytes, err)
                                          : pp_file_stream_close(&x->stream, lost_bytes, err);
    ok = flush(x, err);
    pp_file_snapshot_done(&x->snapshot);
    return ok;
}

static bool file_create(struct pp_component *self, struct pp_error *err)
{
    static const struct pp_exporter_ops ops = {.send = file_send};
    struct file_exporter *x = exporter_of(self);
    pthread_condattr_t attr;

    if (!pp_exporter_create(&x->base, &ops, NULL, NULL, 0, err))
        return false;
    x->lost_bytes = pp_telemetry_counter(self->service ? pp_service_telemetry(self->service) : NULL, &lost_metric,
                                         &(const struct pp_label){"exporter", self->id}, 1);
    pthread_mutex_init(&x->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&x->wake, &attr);
    pthread_condattr_destroy(&attr);
    return true;
}

static void close_and_say(struct file_exporter *x)
{
    struct pp_error err = {0};
    uint64_t lost_bytes = 0;

    if (x->open && !close_output(x, &lost_bytes, &err))
        pp_log(PP_LOG_ERROR, x->base.component.log_id, "%s; what was not yet written is lost (%llu bytes)", err.message,
               (unsigned long long)lost_bytes);
    pp_counter_add(x->lost_bytes, lost_bytes);
    x->open = false;
}

static bool file_start(struct pp_component *self, struct pp_error *err)
{
    struct file_exporter *x = exporter_of(self);

    if (!open_output(x, err))
        return false;
    x->open = true;
    x->failing = false;
    if (start_flusher(x, err) && pp_exporter_start(self, err))
        return true;
    stop_flusher(x);
    close_and_say(x);
    return false;
}

static void file_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    struct file_exporter *x = exporter_of(self);

    pp_exporter_shutdown(self, deadline_mono_ms);
    stop_flusher(x);
    close_and_say(x);
}

static void file_destroy(struct pp_component *self)
{
    struct file_exporter *x = exporter_of(self);

    pp_exporter_destroy(self);
    pthread_cond_destroy(&x->wake);
    pthread_mutex_destroy(&x->lock);
}

const struct pp_factory pp_file_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "file",
    .stability = PP_ALPHA,
    .summary = "Writes profiles to files: OTLP as JSON lines or protobuf, pprof, folded stacks, or a flame graph page.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct file_exporter),
    .config = &pp_file_config_group,
    .readme = "exporters/file",
    .validate = pp_file_config_validate,
    .create = file_create,
    .start = file_start,
    .consume = pp_exporter_consume,
    .shutdown = file_shutdown,
    .destroy = file_destroy,
};
