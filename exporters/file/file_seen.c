#include "file_seen.h"

#include <pthread.h>
#include <string.h>
#include <xxhash.h>

#include "base/index.h"
#include "base/vec.h"

/* By 128-bit hash: two paths that agree in it do not occur. */
struct seen {
    PP_VEC(XXH128_hash_t) paths;
    struct pp_index index;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct seen seen;

static bool hash_equal(const void *context, uint32_t id)
{
    return XXH128_isEqual(seen.paths.v[id], *(const XXH128_hash_t *)context);
}

static bool seen_or_added(XXH128_hash_t hash)
{
    if (pp_index_find(&seen.index, hash.low64, hash_equal, &hash) != PP_INDEX_NONE)
        return true;
    if (seen.paths.n >= PP_FILE_SEEN_MAX || !pp_vec_push(&seen.paths, hash))
        return true;
    if (pp_index_add(&seen.index, hash.low64, (uint32_t)seen.paths.n - 1))
        return false;
    seen.paths.n--;
    return true;
}

bool pp_file_seen_before(const char *path)
{
    bool answer;

    pthread_mutex_lock(&lock);
    answer = seen_or_added(XXH3_128bits(path, strlen(path)));
    pthread_mutex_unlock(&lock);
    return answer;
}
