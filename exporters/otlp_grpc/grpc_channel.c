#include "grpc_channel.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "base/clock.h"
#include "base/mem.h"
#include "grpc_credentials.h"
#include "grpc_target.h"
#include "otlp_client/otlp_answer.h"

#define ARGS_MAX 20

/* Pause between two tries to connect, in milliseconds. The exporter base spaces the attempts of a
 * request out by its own rules, so that the channel needs no two minutes' pause (grpc core's
 * default) on top: a server that is back is found soon. */
#define RECONNECT_MS_MAX 5000

struct shared_channel {
    struct pp_grpc_channel channel; /* first */
    atomic_uint refs;
    struct pp_tls_material *material; /* what it was made with; NULL: plaintext */
};

struct pp_grpc_channels {
    const struct pp_grpc_client_config *config;
    struct pp_grpc_target target;
    struct pp_client_tls *tls; /* NULL: plaintext */
    pthread_mutex_t lock;
    struct shared_channel *current; /* NULL until the first call */
};

struct args {
    grpc_arg v[ARGS_MAX];
    size_t n;
};

static void add_int(struct args *args, const char *key, int64_t value)
{
    int clamped = value > INT_MAX ? INT_MAX : (int)value;

    args->v[args->n++] =
        (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = clamped};
}

static void add_string(struct args *args, const char *key, const char *value)
{
    if (value && *value) {
        args->v[args->n++] =
            (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)key, .value.string = (char *)value};
    }
}

static void add_keepalive(struct args *args, const struct pp_keepalive_client_config *keepalive)
{
    add_int(args, GRPC_ARG_KEEPALIVE_TIME_MS, keepalive->time / (int64_t)PP_NS_PER_MS);
    add_int(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive->timeout / (int64_t)PP_NS_PER_MS);
    add_int(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, keepalive->permit_without_stream);
    add_int(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* no limit: the user asked for them */
}

static void make_args(const struct pp_grpc_client_config *config, struct args *args)
{
    const char *override = config->tls.server_name_override;

    add_int(args, GRPC_ARG_ENABLE_RETRIES, 0); /* the exporter base retries */
    add_int(args, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
            1); /* no connection shared with another exporter */
    add_int(args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    /* An answer is inflated here, where the result is bounded: the library checks sizes only after
     * it has inflated. */
    add_int(args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    add_int(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, PP_ANSWER_BYTES_MAX);
    add_int(args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX);
    add_int(args, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
            1 << GRPC_COMPRESS_NONE | 1 << GRPC_COMPRESS_GZIP);
    if (config->compression == PP_COMPRESSION_GZIP) {
        /* Makes the library write grpc-encoding: gzip; the bytes are ours. */
        add_int(args, GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM, GRPC_COMPRESS_GZIP);
    }
    add_string(args, GRPC_ARG_LB_POLICY_NAME, config->balancer_name);
    add_string(args, GRPC_ARG_PRIMARY_USER_AGENT_STRING,
               config->user_agent ? config->user_agent : "profpipe/" PP_VERSION);
    add_string(args, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, override);
    add_string(args, GRPC_ARG_DEFAULT_AUTHORITY, config->authority ? config->authority : override);
    if (config->keepalive) {
        add_keepalive(args, config->keepalive);
    }
}

static void shared_unref(struct shared_channel *shared)
{
    if (!shared || atomic_fetch_sub(&shared->refs, 1) != 1) {
        return;
    }
    grpc_channel_destroy(shared->channel.core);
    pp_tls_material_unref(shared->material);
    pp_free(shared);
}

void pp_grpc_channel_unref(struct pp_grpc_channel *channel)
{
    shared_unref((struct shared_channel *)channel);
}

/* Takes the reference to `material`, on failure too. */
static struct shared_channel *shared_new(const struct pp_grpc_channels *channels,
                                         struct pp_tls_material *material)
{
    struct shared_channel *shared = pp_calloc(1, sizeof(*shared));
    grpc_channel_credentials *credentials;
    struct args args = {.n = 0};
    grpc_channel_args core_args;

    if (!shared) {
        pp_tls_material_unref(material);
        return NULL;
    }
    make_args(channels->config, &args);
    core_args = (grpc_channel_args){.num_args = args.n, .args = args.v};
    credentials = pp_grpc_credentials_new(&channels->config->tls, material);
    shared->channel.core = grpc_channel_create(channels->target.name, credentials, &core_args);
    grpc_channel_credentials_release(credentials);
    shared->material = material;
    atomic_init(&shared->refs, 1);
    return shared;
}

struct pp_grpc_channels *pp_grpc_channels_new(const struct pp_grpc_client_config *config,
                                              struct pp_error *err)
{
    struct pp_grpc_channels *channels = pp_calloc(1, sizeof(*channels));

    if (!channels) {
        pp_error_nomem(err);
        return NULL;
    }
    channels->config = config;
    if (!pp_grpc_target_parse(config->endpoint, &channels->target, err)) {
        pp_free(channels);
        return NULL;
    }
    if (channels->target.tls || pp_client_tls_wanted(&config->tls)) {
        channels->tls = pp_client_tls_new(&config->tls, err);
        if (!channels->tls) {
            pp_free(channels);
            return NULL;
        }
    }
    pthread_mutex_init(&channels->lock, NULL);
    return channels;
}

void pp_grpc_channels_free(struct pp_grpc_channels *channels)
{
    if (!channels) {
        return;
    }
    shared_unref(channels->current);
    pp_client_tls_free(channels->tls);
    pthread_mutex_destroy(&channels->lock);
    pp_free(channels);
}

struct pp_grpc_channel *pp_grpc_channels_get(struct pp_grpc_channels *channels,
                                             struct pp_error *ret_warning)
{
    struct pp_tls_material *material = NULL;
    struct shared_channel *shared;

    *ret_warning = (struct pp_error){0};
    if (channels->tls) {
        material = pp_client_tls_material(channels->tls, ret_warning);
    }
    pthread_mutex_lock(&channels->lock);
    if (channels->current && channels->current->material == material) {
        pp_tls_material_unref(material);
    } else {
        shared = shared_new(channels, material);
        if (shared) {
            shared_unref(channels->current);
            channels->current = shared;
        }
    }
    shared = channels->current;
    if (shared) {
        atomic_fetch_add(&shared->refs, 1);
    }
    pthread_mutex_unlock(&channels->lock);
    return shared ? &shared->channel : NULL;
}
