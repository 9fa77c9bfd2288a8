/* Credentials whose slow check is behind us: keyed digests of user, password and hash, each for a while. Bounded: a new one takes the place of the oldest
 * near it. Any thread. */
#ifndef PP_BASICAUTH_CREDENTIAL_CACHE_H
#define PP_BASICAUTH_CREDENTIAL_CACHE_H

#include <pthread.h>

#include "pipeline/secret_digest.h"

#define PP_CREDENTIAL_CACHE_SETS 256u
#define PP_CREDENTIAL_CACHE_WAYS 4u

struct pp_credential_cache {
    pthread_mutex_t lock;
    uint64_t life_ms; /* of one entry */
    struct pp_credential_slot {
        struct pp_secret_digest digest;
        uint64_t until_ms; /* monotonic; 0: free */
    } slots[PP_CREDENTIAL_CACHE_SETS][PP_CREDENTIAL_CACHE_WAYS];
};

void pp_credential_cache_init(struct pp_credential_cache *cache, uint64_t life_ms);
void pp_credential_cache_done(struct pp_credential_cache *cache);
bool pp_credential_cache_has(struct pp_credential_cache *cache, const struct pp_secret_digest *digest, uint64_t now_ms);
void pp_credential_cache_add(struct pp_credential_cache *cache, const struct pp_secret_digest *digest, uint64_t now_ms);

#endif
