#include "pipeline/testing/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "profiles/builder.h"

static void called(struct pp_done *base, const struct pp_result *result)
{
    struct pp_testing_done *done = pp_container_of(base, struct pp_testing_done, done);

    pthread_mutex_lock(&done->lock);
    done->calls++;
    done->result = *result;
    snprintf(done->message, sizeof(done->message), "%s", result->message ? result->message : "");
    done->result.message = done->message;
    pthread_cond_broadcast(&done->called);
    pthread_mutex_unlock(&done->lock);
}

void pp_testing_done_init(struct pp_testing_done *done)
{
    pthread_condattr_t attr;

    *done = (struct pp_testing_done){.done = {called}};
    pthread_mutex_init(&done->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&done->called, &attr);
    pthread_condattr_destroy(&attr);
}

bool pp_testing_done_wait(struct pp_testing_done *done, uint64_t timeout_ms)
{
    uint64_t until_ms = pp_clock_mono_ms() + timeout_ms;
    struct timespec until = {(time_t)(until_ms / PP_MS_PER_S), (long)(until_ms % PP_MS_PER_S * PP_NS_PER_MS)};
    bool is_called;
    int rc = 0;

    pthread_mutex_lock(&done->lock);
    while (!done->calls && rc == 0)
        rc = pthread_cond_timedwait(&done->called, &done->lock, &until);
    is_called = done->calls > 0;
    pthread_mutex_unlock(&done->lock);
    return is_called;
}

void pp_testing_done_free(struct pp_testing_done *done)
{
    pthread_cond_destroy(&done->called);
    pthread_mutex_destroy(&done->lock);
}

struct pp_batch *pp_testing_batch(unsigned samples, uint64_t seed)
{
    return pp_testing_batch_from(samples, seed, NULL);
}

struct pp_batch *pp_testing_batch_from(unsigned samples, uint64_t seed, struct pp_context *context)
{
    struct pp_builder *builder = pp_builder_new(context);
    struct pp_builder_resource resource = {0};
    struct pp_builder_scope scope = {0};
    struct pp_profile profile = {0};
    struct pp_location location = {0};
    struct pp_batch *batch = NULL;
    struct pp_error err;
    char name[32];

    if (!builder)
        abort();
    snprintf(name, sizeof(name), "f%llu", (unsigned long long)seed);
    struct pp_function function = {.name = pp_builder_string(builder, pp_str_c(name))};
    struct pp_line line = {.function = pp_builder_function(builder, &function), .line = 1};
    int32_t at = pp_builder_location(builder, &location, &line, 1, NULL, 0);
    struct pp_builder_sample sample = {.stack = pp_builder_stack(builder, &at, 1), .values_n = 1};

    profile.sample_type.type = pp_builder_string(builder, PP_STR("samples"));
    profile.sample_type.unit = pp_builder_string(builder, PP_STR("count"));
    pp_builder_add_resource(builder, &resource);
    pp_builder_add_scope(builder, &scope);
    pp_builder_add_profile(builder, &profile, NULL, 0);
    for (unsigned i = 0; i < samples; i++) {
        int64_t value = i + 1;

        sample.values = &value;
        pp_builder_add_sample(builder, &sample);
    }
    if (!pp_builder_finish(builder, &batch, &err)) {
        fprintf(stderr, "test batch: %s\n", err.message);
        abort();
    }
    pp_builder_free(builder);
    return batch;
}
