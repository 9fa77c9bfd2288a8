#include "verify_pool.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 5


void pp_verify_pool_init(struct pp_verify_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->stopping = true;
}

void pp_verify_pool_restart(struct pp_verify_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = false;
    pthread_mutex_unlock(&pool->lock);
}

/* The address without the port: one peer is one machine. Never 0. */
static uint64_t hash_of(struct pp_str peer)
{
    uint64_t hash = 0xcbf29ce484222325u;

    while (peer.n > 0 && peer.p[peer.n - 1] != ':')
        peer.n--;
    for (size_t i = 0; i < peer.n; i++)
        hash = (hash ^ (unsigned char)peer.p[i]) * 0x100000001b3u;
    return hash | 1;
}

static struct pp_verify_job *take(struct pp_verify_pool *pool)
{
    struct pp_verify_job *job = pool->first;

    pool->first = job->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->waiting_n--;
    return job;
}

static void work(struct pp_verify_pool *pool, unsigned number)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct pp_verify_job *job;

        if (!pool->first) {
            pool->idle_n++;
            pthread_cond_wait(&pool->wake, &pool->lock);
            pool->idle_n--;
            continue;
        }
        job = take(pool);
        pool->running[number] = job->peer_hash;
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        pool->running[number] = 0;
    }
    pthread_mutex_unlock(&pool->lock);
}

/* The number is where in `threads` the thread itself stands. */
static void *main_of_thread(void *arg)
{
    struct pp_verify_pool *pool = arg;
    unsigned number = 0;

    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    pthread_mutex_lock(&pool->lock);
    while (!pthread_equal(pool->threads[number], pthread_self()))
        number++;
    pthread_mutex_unlock(&pool->lock);
    work(pool, number);
    return NULL;
}

/* With the lock. Signals are the main thread's. */
static void start_thread(struct pp_verify_pool *pool)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&pool->threads[pool->threads_n], NULL, main_of_thread, pool) == 0)
        pthread_setname_np(pool->threads[pool->threads_n++], "pp-verify");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static unsigned of_peer(const struct pp_verify_pool *pool, uint64_t peer_hash)
{
    unsigned n = 0;

    for (const struct pp_verify_job *job = pool->first; job; job = job->next)
        n += job->peer_hash == peer_hash;
    for (unsigned i = 0; i < pool->threads_n; i++)
        n += pool->running[i] == peer_hash;
    return n;
}

bool pp_verify_pool_add(struct pp_verify_pool *pool, struct pp_verify_job *job)
{
    bool room;

    job->peer_hash = hash_of(job->peer);
    pthread_mutex_lock(&pool->lock);
    room = !pool->stopping && pool->waiting_n < PP_VERIFY_WAITING_MAX && of_peer(pool, job->peer_hash) < PP_VERIFY_WAITING_PER_PEER_MAX;
    if (room && pool->idle_n <= pool->waiting_n && pool->threads_n < PP_VERIFY_THREADS_MAX)
        start_thread(pool);
    room = room && pool->threads_n > 0;
    if (room) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting_n++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

void pp_verify_pool_stop(struct pp_verify_pool *pool)
{
    struct pp_verify_job *job;

    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    job = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    pool->waiting_n = 0;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (; pool->threads_n > 0; pool->threads_n--)
        pthread_join(pool->threads[pool->threads_n - 1], NULL);
    while (job) {
        struct pp_verify_job *next = job->next;

        job->drop(job);
        job = next;
    }
}

void pp_verify_pool_done(struct pp_verify_pool *pool)
{
    pp_verify_pool_stop(pool);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}
