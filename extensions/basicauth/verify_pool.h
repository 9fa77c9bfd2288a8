/* Threads for what takes too long for an event loop. Bounded in threads and in what waits, in all and for one peer, so that a flood of wrong passwords costs
 * its sender's place in the line and not the others' data; the threads yield to everything else (nice 5). They start with the first job. */
#ifndef PP_BASICAUTH_VERIFY_POOL_H
#define PP_BASICAUTH_VERIFY_POOL_H

#include <pthread.h>

#include "base/str.h"

#define PP_VERIFY_THREADS_MAX 2u
#define PP_VERIFY_WAITING_MAX 64u
#define PP_VERIFY_WAITING_PER_PEER_MAX 16u /* jobs that wait or run */

struct pp_verify_job {
    void (*run)(struct pp_verify_job *job);  /* on a thread of the pool; owns the job from now on */
    void (*drop)(struct pp_verify_job *job); /* instead of it, when the pool ends first; the same */
    struct pp_str peer;                      /* lives as long as the job */
    struct pp_verify_job *next;              /* the pool's, as the next one */
    uint64_t peer_hash;
};

struct pp_verify_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[PP_VERIFY_THREADS_MAX];
    unsigned threads_n, idle_n;
    struct pp_verify_job *first, **last;
    unsigned waiting_n;
    uint64_t running[PP_VERIFY_THREADS_MAX]; /* peers of the jobs that run; 0: none */
    bool stopping;
};

void pp_verify_pool_init(struct pp_verify_pool *pool);
/* False, job untouched, when there is no room for it. Any thread. */
bool pp_verify_pool_add(struct pp_verify_pool *pool, struct pp_verify_job *job);
/* Waits for what runs and drops what waits; nothing more is taken. A second call does nothing. */
void pp_verify_pool_stop(struct pp_verify_pool *pool);
/* Takes jobs again after a stop. */
void pp_verify_pool_restart(struct pp_verify_pool *pool);
void pp_verify_pool_done(struct pp_verify_pool *pool);

#endif
