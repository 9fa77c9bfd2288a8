#include "credential_cache.h"

void pp_credential_cache_init(struct pp_credential_cache *cache, uint64_t life_ms)
{
    memset(cache, 0, sizeof(*cache));
    cache->life_ms = life_ms;
    pthread_mutex_init(&cache->lock, NULL);
}

void pp_credential_cache_done(struct pp_credential_cache *cache)
{
    pthread_mutex_destroy(&cache->lock);
    pp_secret_wipe(cache->slots, sizeof(cache->slots));
}

/* Digests are as good as random, and nobody outside can make one for a set of his choice. */
static struct pp_credential_slot *set_of(struct pp_credential_cache *cache, const struct pp_secret_digest *digest)
{
    return cache->slots[digest->bytes[0] % PP_CREDENTIAL_CACHE_SETS];
}

bool pp_credential_cache_has(struct pp_credential_cache *cache, const struct pp_secret_digest *digest, uint64_t now_ms)
{
    struct pp_credential_slot *set = set_of(cache, digest);
    bool found = false;

    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < PP_CREDENTIAL_CACHE_WAYS; i++)
        found |= (now_ms < set[i].until_ms) & pp_secret_digest_equal(&set[i].digest, digest);
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void pp_credential_cache_add(struct pp_credential_cache *cache, const struct pp_secret_digest *digest, uint64_t now_ms)
{
    struct pp_credential_slot *set = set_of(cache, digest), *oldest = set;

    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 1; i < PP_CREDENTIAL_CACHE_WAYS; i++)
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    *oldest = (struct pp_credential_slot){*digest, now_ms + cache->life_ms};
    pthread_mutex_unlock(&cache->lock);
}
