#include "pprof_ingest.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "convert/pprof_open.h"
#include "convert/pprof_to_batch.h"
#include "convert/utf8_repair.h"
#include "profiles/any_value.h"

#define SCOPE_NAME "profpipe/receivers/pprof"
#define POLL_MS 100u
#define MESSAGE_BYTES_MAX 256u

/* "pprof/shop" -> "shop" */
static const char *service_name(const struct pp_component *self)
{
    const struct pp_pprof_config *config = self->config;
    const char *slash = strchr(self->id, '/');

    if (config->service_name && *config->service_name)
        return config->service_name;
    return slash ? slash + 1 : "unknown_service";
}

static bool add_attribute(struct pp_arena *arena, const char *key, struct pp_str text, struct pp_key_value *ret)
{
    struct pp_str repaired;

    ret->key = pp_str_c(key);
    return pp_utf8_repair(arena, text, &repaired) && pp_any_value_from_string(arena, repaired, &ret->value);
}

static bool convert(const struct pp_component *self, const struct pp_pprof_source *source, const struct pp_pprof *profile,
                    struct pp_batch **ret, struct pp_error *err)
{
    struct pp_arena arena = {0};
    struct pp_key_value resource[1 + PP_PPROF_ATTRIBUTES_MAX];
    struct pp_pprof_origin origin = {.resource = resource,
                                     .resource_n = 1 + source->attributes_n,
                                     .scope_name = PP_STR(SCOPE_NAME),
                                     .scope_version = PP_STR(PP_VERSION),
                                     .context = source->context};
    bool ok = add_attribute(&arena, "service.name", pp_str_c(service_name(self)), &resource[0]);

    for (size_t i = 0; ok && i < source->attributes_n; i++)
        ok = add_attribute(&arena, source->attributes[i].key, source->attributes[i].text, &resource[1 + i]);
    ok = ok ? pp_batch_from_pprof(profile, &origin, ret, err) : pp_error_nomem(err);
    pp_arena_done(&arena);
    return ok;
}

bool pp_pprof_ingest(const struct pp_component *self, const struct pp_pprof_source *source, struct pp_str content, struct pp_batch **ret,
                     struct pp_error *err)
{
    struct pp_pprof_file file;
    bool ok = true;

    if (!pp_pprof_file_open(content, &file, err))
        return false;
    if (file.profile.samples.n == 0)
        *ret = NULL;
    else
        ok = convert(self, source, &file.profile, ret, err);
    pp_pprof_file_done(&file);
    return ok;
}

/* One batch on its way; whoever lets go last frees it, so that a result may come after the waiter has left. */
struct flight {
    struct pp_done done;
    pthread_mutex_t lock;
    pthread_cond_t landed_cond;
    unsigned holders;
    bool landed;
    enum pp_outcome outcome;
    char message[MESSAGE_BYTES_MAX];
};

/* With the lock held; gives it up. */
static void flight_leave(struct flight *f)
{
    bool last = --f->holders == 0;

    pthread_mutex_unlock(&f->lock);
    if (!last)
        return;
    pthread_cond_destroy(&f->landed_cond);
    pthread_mutex_destroy(&f->lock);
    pp_free(f);
}

static void flight_land(struct pp_done *done, const struct pp_result *result)
{
    struct flight *f = pp_container_of(done, struct flight, done);

    pthread_mutex_lock(&f->lock);
    f->landed = true;
    f->outcome = result->outcome;
    snprintf(f->message, sizeof(f->message), "%s", result->message ? result->message : "");
    pthread_cond_signal(&f->landed_cond);
    flight_leave(f);
}

static struct flight *flight_new(void)
{
    struct flight *f = pp_calloc(1, sizeof(*f));
    pthread_condattr_t attr;

    if (!f)
        return NULL;
    f->done.fn = flight_land;
    f->holders = 2;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->landed_cond, &attr);
    pthread_condattr_destroy(&attr);
    return f;
}

static void wait_a_little(struct flight *f)
{
    uint64_t until_ns = pp_clock_mono_ns() + POLL_MS * PP_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / PP_NS_PER_S), .tv_nsec = (long)(until_ns % PP_NS_PER_S)};

    pthread_cond_timedwait(&f->landed_cond, &f->lock, &until);
}

enum pp_outcome pp_pprof_emit_and_wait(struct pp_component *self, const char *transport, struct pp_batch *batch, const atomic_bool *stop,
                                       char *ret_message, size_t message_bytes)
{
    struct flight *f = flight_new();
    uint64_t stop_seen_ms = 0;
    enum pp_outcome outcome;

    if (!f) {
        pp_batch_unref(batch);
        snprintf(ret_message, message_bytes, "out of memory");
        return PP_RETRY;
    }
    pp_receiver_emit(self, transport, batch, &f->done);
    pthread_mutex_lock(&f->lock);
    while (!f->landed) {
        if (atomic_load(stop) && stop_seen_ms == 0)
            stop_seen_ms = pp_clock_mono_ms();
        if (stop_seen_ms && pp_clock_mono_ms() - stop_seen_ms >= PP_PPROF_STOP_GRACE_MS)
            break;
        wait_a_little(f);
    }
    outcome = f->landed ? f->outcome : PP_RETRY;
    snprintf(ret_message, message_bytes, "%s", f->landed ? f->message : "no answer before the shutdown");
    flight_leave(f);
    return outcome;
}
