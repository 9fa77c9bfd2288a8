/* Refuses batches while the process uses more memory than it may, so that senders hold back before the kernel's OOM killer comes. */
#include <malloc.h>
#include <stdio.h>

#include "base/clock.h"
#include "memory_usage.h"
#include "pipeline/component.h"
#include "pipeline/service.h"

#define MIB (1ull << 20)
#define LIMIT_MIB_MAX (1 << 24)
/* Spike allowance where none is configured, as the Collector's: a fifth of the limit. */
#define SPIKE_DIVISOR 5u
/* Giving freed memory back to the kernel walks the heap: at most this often. */
#define TRIM_INTERVAL_MS 1000u

struct memory_limiter_config {
    int64_t check_interval;
    int64_t limit_mib, spike_limit_mib;
    int64_t limit_percentage, spike_limit_percentage;
};

static const struct pp_field memory_limiter_fields[] = {
    PP_ROW_DURATION(struct memory_limiter_config, check_interval, PP_FIELD_REQUIRED, 0.001, 3600,
                    "How old the last look at the memory may be; 1s is a good value."),
    PP_ROW_INT(struct memory_limiter_config, limit_mib, 0, 0, LIMIT_MIB_MAX, "Hard limit of resident memory in MiB."),
    PP_ROW_INT(struct memory_limiter_config, spike_limit_mib, 0, 0, LIMIT_MIB_MAX,
               "Room below the hard limit; from there on batches are refused. 0: a fifth of the limit."),
    PP_ROW_INT(struct memory_limiter_config, limit_percentage, 0, 0, 100,
               "Hard limit as a share of the memory of the container or machine; used when limit_mib is 0."),
    PP_ROW_INT(struct memory_limiter_config, spike_limit_percentage, 0, 0, 100, "The same for the room below it."),
    PP_ROW_IGNORED("min_gc_interval_when_soft_limited", "There is no garbage collector here."),
    PP_ROW_IGNORED("min_gc_interval_when_hard_limited", "There is no garbage collector here."),
    PP_ROW_IGNORED("max_gc_interval_when_soft_limited", "There is no garbage collector here."),
    PP_ROW_IGNORED("max_gc_interval_when_hard_limited", "There is no garbage collector here."),
    PP_ROW_END,
};

static const struct pp_group memory_limiter_group = {
    .name = "memory_limiter", .size = sizeof(struct memory_limiter_config), .fields = memory_limiter_fields};

static const struct pp_metric refused_metric = {
    .name = "profpipe_processor_memory_limiter_refused_samples",
    .help = "Samples refused because the process used too much memory.",
    .unit = "{samples}",
};

struct memory_limiter {
    struct pp_component component;
    uint64_t limit_bytes, soft_limit_bytes;
    struct pp_counter *refused;
    _Atomic uint64_t checked_mono_ms; /* when the memory was last looked at */
    _Atomic uint64_t trimmed_mono_ms;
    _Atomic bool limited;
    char message[128]; /* the refusal, made once */
};

static void memory_limiter_validate(const void *config_, struct pp_check *check)
{
    const struct memory_limiter_config *config = config_;

    if (!config->limit_mib && !config->limit_percentage)
        pp_check_error(check, "", "needs limit_mib or limit_percentage");
    if (config->limit_mib && config->spike_limit_mib >= config->limit_mib)
        pp_check_error(check, "spike_limit_mib", "%lld is not below limit_mib, %lld", (long long)config->spike_limit_mib,
                       (long long)config->limit_mib);
    if (!config->limit_mib && config->limit_percentage && config->spike_limit_percentage >= config->limit_percentage)
        pp_check_error(check, "spike_limit_percentage", "%lld is not below limit_percentage, %lld",
                       (long long)config->spike_limit_percentage, (long long)config->limit_percentage);
}

static bool set_limits(struct memory_limiter *self, struct pp_error *err)
{
    const struct memory_limiter_config *config = self->component.config;
    uint64_t spike = (uint64_t)config->spike_limit_mib * MIB, total;

    self->limit_bytes = (uint64_t)config->limit_mib * MIB;
    if (!self->limit_bytes) {
        total = pp_memory_total();
        if (!total)
            return pp_error_set(err, PP_ERR_IO, "limit_percentage: cannot tell how much memory there is; use limit_mib");
        self->limit_bytes = total / 100 * (uint64_t)config->limit_percentage;
        spike = total / 100 * (uint64_t)config->spike_limit_percentage;
    }
    self->soft_limit_bytes = self->limit_bytes - (spike ? spike : self->limit_bytes / SPIKE_DIVISOR);
    snprintf(self->message, sizeof(self->message), "memory usage is above the soft limit of %llu MiB",
             (unsigned long long)(self->soft_limit_bytes / MIB));
    return true;
}

static bool memory_limiter_create(struct pp_component *component, struct pp_error *err)
{
    struct memory_limiter *self = (struct memory_limiter *)component;

    self->refused = pp_telemetry_counter(pp_service_telemetry(component->service), &refused_metric,
                                         (struct pp_label[]){{"processor", component->id}}, 1);
    return set_limits(self, err);
}

static bool memory_limiter_start(struct pp_component *component, struct pp_error *err)
{
    struct memory_limiter *self = (struct memory_limiter *)component;

    (void)err;
    pp_log(PP_LOG_INFO, component->log_id, "limit %llu MiB, refusing from %llu MiB",
           (unsigned long long)(self->limit_bytes / MIB), (unsigned long long)(self->soft_limit_bytes / MIB));
    return true;
}

/* Memory that was freed but is still the allocator's counts as used for the kernel: give it back before refusing. */
static uint64_t usage_after_trim(struct memory_limiter *self, uint64_t used, uint64_t now_ms)
{
    uint64_t trimmed = atomic_load(&self->trimmed_mono_ms);

    /* Another thread may have trimmed later than our `now_ms`. */
    if ((trimmed && now_ms < trimmed + TRIM_INTERVAL_MS) || !atomic_compare_exchange_strong(&self->trimmed_mono_ms, &trimmed, now_ms))
        return used;
    malloc_trim(0);
    return pp_memory_resident();
}

static void look(struct memory_limiter *self, uint64_t now_ms)
{
    uint64_t used = pp_memory_resident();
    bool limited;

    if (used > self->soft_limit_bytes)
        used = usage_after_trim(self, used, now_ms);
    limited = used > self->soft_limit_bytes;
    if (atomic_exchange(&self->limited, limited) == limited)
        return;
    if (limited)
        pp_log(PP_LOG_WARN, self->component.log_id, "memory usage of %llu MiB is above the soft limit of %llu MiB: refusing data",
               (unsigned long long)(used / MIB), (unsigned long long)(self->soft_limit_bytes / MIB));
    else
        pp_log(PP_LOG_INFO, self->component.log_id, "memory usage of %llu MiB is back under the soft limit: taking data again",
               (unsigned long long)(used / MIB));
}

/* No timer: the memory is looked at when a batch comes and the last look is too old, so that an idle daemon sleeps. */
static bool over_limit(struct memory_limiter *self)
{
    const struct memory_limiter_config *config = self->component.config;
    uint64_t now_ms = pp_clock_mono_ms(), checked = atomic_load(&self->checked_mono_ms);

    /* 0: never looked. Another thread may have looked later than our `now_ms`. */
    if ((!checked || now_ms >= checked + (uint64_t)config->check_interval / PP_NS_PER_MS) &&
        atomic_compare_exchange_strong(&self->checked_mono_ms, &checked, now_ms))
        look(self, now_ms);
    return atomic_load(&self->limited);
}

static void memory_limiter_consume(struct pp_component *component, struct pp_batch *batch, struct pp_done *done)
{
    struct memory_limiter *self = (struct memory_limiter *)component;

    if (!over_limit(self)) {
        pp_emit(component, batch, done);
        return;
    }
    pp_counter_add(self->refused, pp_batch_samples(batch));
    pp_batch_unref(batch);
    pp_done_call(done, &PP_RESULT_RETRY(self->message));
}

const struct pp_factory pp_memory_limiter_processor_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_PROCESSOR,
    .type = "memory_limiter",
    .stability = PP_BETA,
    .summary = "Refuses data while the process uses too much memory.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct memory_limiter),
    .config = &memory_limiter_group,
    .readme = "processors/memory_limiter",
    .validate = memory_limiter_validate,
    .create = memory_limiter_create,
    .start = memory_limiter_start,
    .consume = memory_limiter_consume,
};
