/* The otlp_json_file receiver: reads files of OTLP JSON, one message a line, as the file exporter writes them, and goes on as they grow. */
#include <fnmatch.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "json_file_config.h"
#include "json_file_tail.h"
#include "pipeline/component.h"
#include "pipeline/service.h"
#include "pipeline/telemetry.h"
#include "pipeline/wait.h"
#include "profiles/otlp_json.h"

#define FILES_MAX 1000u /* open at a time; files beyond wait until others are gone */
#define TRANSPORT "file"

static const struct pp_metric lost_metric = {
    .name = "profpipe_receiver_otlp_json_file_lost_lines",
    .help = "Lines left out: too long, not a message, or refused for good by what follows.",
    .unit = "{lines}",
};

struct json_file_receiver {
    struct pp_component component; /* first */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
    bool running, started_before, refused;
    struct pp_counter *lost_lines;
    PP_VEC(struct pp_json_file_tail) tails;
};

static struct json_file_receiver *receiver_of(struct pp_component *self)
{
    return (struct json_file_receiver *)self;
}

static const struct pp_json_file_config *config_of(const struct json_file_receiver *r)
{
    return r->component.config;
}

static bool excluded(const struct json_file_receiver *r, const char *path)
{
    const struct pp_string_list *exclude = &config_of(r)->exclude;

    for (size_t i = 0; i < exclude->n; i++)
        if (fnmatch(exclude->v[i], path, FNM_PATHNAME) == 0)
            return true;
    return false;
}

/* By identity, not by name: a rotated file keeps its place. */
static struct pp_json_file_tail *tail_of(struct json_file_receiver *r, const struct stat *st)
{
    for (size_t i = 0; i < r->tails.n; i++)
        if (r->tails.v[i].device == st->st_dev && r->tails.v[i].inode == st->st_ino)
            return &r->tails.v[i];
    return NULL;
}

static void look_at(struct json_file_receiver *r, const char *path)
{
    bool from_end = !r->started_before && config_of(r)->start_at == PP_START_END && !config_of(r)->replay_file;
    struct pp_json_file_tail *known, made;
    struct pp_error err;
    struct stat st;

    if (excluded(r, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    known = tail_of(r, &st);
    if (known) {
        known->present = true;
        return;
    }
    if (r->tails.n >= FILES_MAX)
        return;
    if (!pp_json_file_tail_open(&made, path, from_end, (size_t)config_of(r)->max_log_size, &err)) {
        pp_log(PP_LOG_WARN, r->component.log_id, "%s", err.message);
        return;
    }
    made.present = true;
    if (!pp_vec_push(&r->tails, made))
        pp_json_file_tail_close(&made);
}

static void find_files(struct json_file_receiver *r)
{
    for (size_t i = 0; i < r->tails.n; i++)
        r->tails.v[i].present = false;
    for (size_t i = 0; i < config_of(r)->include.n; i++) {
        glob_t found = {0};

        if (glob(config_of(r)->include.v[i], 0, NULL, &found) == 0)
            for (size_t j = 0; j < found.gl_pathc; j++)
                look_at(r, found.gl_pathv[j]);
        globfree(&found);
    }
    r->started_before = true;
}

static void lose_line(struct json_file_receiver *r, const struct pp_json_file_tail *tail, const char *what, const char *reason)
{
    pp_counter_add(r->lost_lines, 1);
    pp_log(PP_LOG_WARN, r->component.log_id, "%s: %s: %s", tail->path, what, reason);
}

/* For the next poll; said once. False, as take_line. */
static bool keep_line(struct json_file_receiver *r, const struct pp_json_file_tail *tail, const char *reason)
{
    if (!r->refused)
        pp_log(PP_LOG_WARN, r->component.log_id, "%s: not taken: %s; tried again", tail->path, reason);
    r->refused = true;
    return false;
}

/* Whether the line is done with. One that the pipeline refuses for now stays, and is offered again at the next poll. */
static bool take_line(struct json_file_receiver *r, const struct pp_json_file_tail *tail, struct pp_str line)
{
    char reason[PP_WAIT_MESSAGE_BYTES];
    struct pp_error err = {0};
    struct pp_batch *batch;
    enum pp_outcome outcome;

    line = pp_str_trim(line);
    if (line.n == 0)
        return true;
    if (!pp_batch_from_json(line, NULL, &batch, &err)) {
        if (err.kind == PP_ERR_NOMEM)
            return keep_line(r, tail, "out of memory");
        lose_line(r, tail, "a line is left out", err.message);
        return true;
    }
    if (pp_batch_samples(batch) == 0) {
        pp_batch_unref(batch);
        return true;
    }
    outcome = pp_emit_and_wait(&r->component, TRANSPORT, batch, &r->stop, reason);
    if (outcome == PP_PERMANENT)
        lose_line(r, tail, "a line is lost", reason);
    else if (outcome == PP_RETRY)
        return keep_line(r, tail, reason);
    r->refused = false;
    return true;
}

static void read_lines(struct json_file_receiver *r, struct pp_json_file_tail *tail)
{
    struct pp_error err;
    struct pp_str line;

    pp_json_file_tail_check(tail);
    while (!atomic_load(&r->stop)) {
        switch (pp_json_file_tail_next(tail, &line, &err)) {
        case PP_TAIL_LINE:
            if (!take_line(r, tail, line))
                return;
            pp_json_file_tail_take(tail);
            break;
        case PP_TAIL_TOO_LONG:
            lose_line(r, tail, "a line is left out", "it is longer than max_log_size");
            break;
        case PP_TAIL_ERROR:
            pp_log(PP_LOG_WARN, r->component.log_id, "%s", err.message);
            return;
        default:
            if (config_of(r)->replay_file)
                pp_json_file_tail_rewind(tail);
            return;
        }
    }
}

/* A file whose name is gone has been read to its end once more by then. */
static void close_gone(struct json_file_receiver *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->tails.n; i++) {
        if (r->tails.v[i].present || r->refused)
            r->tails.v[kept++] = r->tails.v[i];
        else
            pp_json_file_tail_close(&r->tails.v[i]);
    }
    r->tails.n = kept;
}

static void poll_once(struct json_file_receiver *r)
{
    find_files(r);
    for (size_t i = 0; i < r->tails.n && !atomic_load(&r->stop); i++)
        read_lines(r, &r->tails.v[i]);
    if (!atomic_load(&r->stop))
        close_gone(r);
}

static void sleep_interval(struct json_file_receiver *r)
{
    uint64_t until_ns = pp_clock_mono_ns() + (uint64_t)config_of(r)->poll_interval;
    struct timespec until = {.tv_sec = (time_t)(until_ns / PP_NS_PER_S), .tv_nsec = (long)(until_ns % PP_NS_PER_S)};

    pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->stop) && pp_clock_mono_ns() < until_ns)
        pthread_cond_timedwait(&r->wake, &r->lock, &until);
    pthread_mutex_unlock(&r->lock);
}

static void *json_file_main(void *arg)
{
    struct json_file_receiver *r = arg;

    while (!atomic_load(&r->stop)) {
        poll_once(r);
        sleep_interval(r);
    }
    return NULL;
}

static bool json_file_create(struct pp_component *self, struct pp_error *err)
{
    struct json_file_receiver *r = receiver_of(self);
    pthread_condattr_t attr;

    (void)err;
    r->lost_lines = pp_telemetry_counter(self->service ? pp_service_telemetry(self->service) : NULL, &lost_metric,
                                         &(const struct pp_label){"receiver", self->id}, 1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    return true;
}

static bool json_file_start(struct pp_component *self, struct pp_error *err)
{
    struct json_file_receiver *r = receiver_of(self);

    atomic_store(&r->stop, false);
    if (pthread_create(&r->thread, NULL, json_file_main, r) != 0)
        return pp_error_set(err, PP_ERR_IO, "cannot start a thread");
    r->running = true;
    return true;
}

static void json_file_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    struct json_file_receiver *r = receiver_of(self);

    (void)deadline_mono_ms;
    if (!r->running)
        return;
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->stop, true);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    r->running = false;
}

static void json_file_destroy(struct pp_component *self)
{
    struct json_file_receiver *r = receiver_of(self);

    for (size_t i = 0; i < r->tails.n; i++)
        pp_json_file_tail_close(&r->tails.v[i]);
    pp_vec_done(&r->tails);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
}

static const char *const aliases[] = {"otlpjsonfile", NULL};

const struct pp_factory pp_otlp_json_file_receiver_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_RECEIVER,
    .type = "otlp_json_file",
    .aliases = aliases,
    .stability = PP_ALPHA,
    .summary = "Reads files of OTLP JSON lines, as the file exporter writes them, and goes on as they grow.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct json_file_receiver),
    .config = &pp_json_file_config_group,
    .readme = "receivers/otlp_json_file",
    .create = json_file_create,
    .start = json_file_start,
    .shutdown = json_file_shutdown,
    .destroy = json_file_destroy,
};
