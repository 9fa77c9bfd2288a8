#include "base/slab.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/mem.h"

#define KEPT_MAX 64u
/* Sizes are rounded up to an eighth of their power of two, so that messages of about one size share blocks. */
#define STEPS_PER_DOUBLING 8u

/* The sanitizer sees a use after free only if memory is really freed. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS false
#elif defined(__has_feature)
#define KEEPS (!__has_feature(address_sanitizer))
#else
#define KEEPS true
#endif

struct kept {
    void *block;
    size_t cap;
    unsigned round; /* of trimming, in which it was put here */
    const char *by; /* the thread that put it here, which has it in its processor's cache; see `me` */
};

static _Thread_local char me; /* its address tells threads apart */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[KEPT_MAX]; /* the latest last */
static size_t kept_n, kept_bytes;
static unsigned round_now;
static void (*wake_fn)(void *arg);
static void *wake_arg;
static bool woken; /* and somebody trims until nothing is left */

static size_t round_up(size_t size)
{
    size_t step = (size_t)sysconf(_SC_PAGESIZE);

    if (size > SIZE_MAX / 2)
        return 0; /* no machine has that much */
    if (size < PP_SLAB_BYTES_MIN)
        size = PP_SLAB_BYTES_MIN;
    while (size / step >= 2 * STEPS_PER_DOUBLING)
        step *= 2;
    return (size + step - 1) / step * step;
}

static void *new_block(size_t cap)
{
    return KEEPS ? pp_pages_new(cap) : pp_malloc(cap);
}

static void free_block(void *block, size_t cap)
{
    if (KEEPS)
        pp_pages_free(block, cap);
    else
        pp_free(block);
}

static struct kept take_at(size_t i)
{
    struct kept taken = kept[i];

    kept_n--;
    for (; i < kept_n; i++)
        kept[i] = kept[i + 1];
    kept_bytes -= taken.cap;
    return taken;
}

static bool is_better(const struct kept *a, const struct kept *b)
{
    bool mine = a->by == &me;

    return mine == (b->by == &me) ? a->cap < b->cap : mine;
}

/* Large enough and not twice as large as needed; of these rather one of this thread's, the smallest, the latest: what most likely is in
 * a cache. */
static struct kept take_fitting(size_t cap)
{
    struct kept found = {0};
    size_t best;

    pthread_mutex_lock(&lock);
    best = kept_n;
    for (size_t i = kept_n; i-- > 0;)
        if (kept[i].cap >= cap && kept[i].cap / 2 <= cap && (best == kept_n || is_better(&kept[i], &kept[best])))
            best = i;
    if (best < kept_n)
        found = take_at(best);
    pthread_mutex_unlock(&lock);
    return found;
}

void *pp_slab_new(size_t size, size_t *ret_cap)
{
    size_t cap = round_up(size);
    struct kept found = {0};

    if (cap == 0)
        return NULL;
    if (KEEPS)
        found = take_fitting(cap);
    if (!found.block)
        found = (struct kept){.block = new_block(cap), .cap = cap};
    if (found.block)
        *ret_cap = found.cap;
    return found.block;
}

/* Puts it into the store; false when there is no room. */
static bool keep(void *block, size_t cap)
{
    bool room;

    pthread_mutex_lock(&lock);
    room = kept_n < KEPT_MAX && cap <= PP_SLABS_KEPT_BYTES_MAX - kept_bytes;
    if (room) {
        kept[kept_n++] = (struct kept){block, cap, round_now, &me};
        kept_bytes += cap;
        if (wake_fn && !woken) {
            woken = true;
            wake_fn(wake_arg);
        }
    }
    pthread_mutex_unlock(&lock);
    return room;
}

void pp_slab_free(void *block, size_t cap)
{
    if (block && (!KEEPS || !keep(block, cap)))
        free_block(block, cap);
}

size_t pp_slabs_trim(void)
{
    struct kept old[KEPT_MAX];
    size_t n = 0, left;

    pthread_mutex_lock(&lock);
    for (size_t i = kept_n; i-- > 0;)
        if (kept[i].round != round_now)
            old[n++] = take_at(i);
    round_now++;
    left = kept_bytes;
    woken = woken && left > 0;
    pthread_mutex_unlock(&lock);
    while (n-- > 0)
        free_block(old[n].block, old[n].cap);
    return left;
}

void pp_slabs_on_kept(void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    wake_fn = wake;
    wake_arg = arg;
    woken = false;
    pthread_mutex_unlock(&lock);
}
