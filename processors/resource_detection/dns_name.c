#include "dns_name.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Whoever of the two lets go last frees it. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    pp_dns_resolve_fn *resolve;
    unsigned holders;
    bool done, found;
    char host[PP_DNS_NAME_BYTES_MAX], name[PP_DNS_NAME_BYTES_MAX];
};

bool pp_dns_resolve(const char *host, char ret_name[PP_DNS_NAME_BYTES_MAX])
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;
    bool ok;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    ok = found->ai_canonname && strcmp(found->ai_canonname, "localhost") != 0;
    if (ok)
        snprintf(ret_name, PP_DNS_NAME_BYTES_MAX, "%s", found->ai_canonname);
    freeaddrinfo(found);
    return ok;
}

static struct lookup *lookup_new(pp_dns_resolve_fn *resolve, const char *host)
{
    struct lookup *lookup = pp_calloc(1, sizeof(*lookup));
    pthread_condattr_t attr;

    if (!lookup)
        return NULL;
    lookup->resolve = resolve;
    lookup->holders = 1;
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->answered, &attr);
    pthread_condattr_destroy(&attr);
    return lookup;
}

/* With the lock held; gives it up. */
static void lookup_leave(struct lookup *lookup)
{
    bool last = --lookup->holders == 0;

    pthread_mutex_unlock(&lookup->lock);
    if (!last)
        return;
    pthread_cond_destroy(&lookup->answered);
    pthread_mutex_destroy(&lookup->lock);
    pp_free(lookup);
}

static void *look_up(void *arg)
{
    struct lookup *lookup = arg;
    char name[PP_DNS_NAME_BYTES_MAX] = "";
    bool found = lookup->resolve(lookup->host, name);

    pthread_mutex_lock(&lookup->lock);
    lookup->done = true;
    lookup->found = found;
    memcpy(lookup->name, name, sizeof(name));
    pthread_cond_signal(&lookup->answered);
    lookup_leave(lookup);
    return NULL;
}

static bool start(struct lookup *lookup)
{
    pthread_t thread;

    lookup->holders = 2;
    if (pthread_create(&thread, NULL, look_up, lookup) == 0)
        return pthread_detach(thread) == 0;
    lookup->holders = 1;
    return false;
}

bool pp_dns_name(pp_dns_resolve_fn *resolve, const char *host, int64_t timeout_ns, char ret_name[PP_DNS_NAME_BYTES_MAX])
{
    uint64_t until_ns = pp_clock_mono_ns() + (uint64_t)timeout_ns;
    struct timespec until = {(time_t)(until_ns / PP_NS_PER_S), (long)(until_ns % PP_NS_PER_S)};
    struct lookup *lookup;
    bool found, in_time;

    if (timeout_ns == 0)
        return resolve(host, ret_name);
    lookup = lookup_new(resolve, host);
    if (!lookup)
        return false;
    in_time = start(lookup);
    pthread_mutex_lock(&lookup->lock);
    while (in_time && !lookup->done)
        in_time = pthread_cond_timedwait(&lookup->answered, &lookup->lock, &until) == 0;
    found = lookup->done && lookup->found;
    if (found)
        memcpy(ret_name, lookup->name, PP_DNS_NAME_BYTES_MAX);
    lookup_leave(lookup);
    return found;
}
