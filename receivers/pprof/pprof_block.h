/* The parts of the receiver that collect: each has its thread, is started and stopped by itself, and reports its own failures. */
#ifndef PP_PPROF_BLOCK_H
#define PP_PPROF_BLOCK_H

#include <pthread.h>

#include "pipeline/wait.h"
#include "pprof_ingest.h"

/* A thread that calls `collect` after the initial delay and then once an interval. */
struct pp_pprof_ticker {
    struct pp_component *self;
    const struct pp_pprof_controller *controller;
    void (*collect)(void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
    bool running;
};

bool pp_pprof_ticker_start(struct pp_pprof_ticker *ticker, struct pp_error *err);
/* Two steps, so that several can be told before one is waited for. Both legal at any time after the struct was zeroed. */
void pp_pprof_ticker_tell(struct pp_pprof_ticker *ticker);
void pp_pprof_ticker_join(struct pp_pprof_ticker *ticker);

struct pp_pprof_remote;
struct pp_pprof_remote *pp_pprof_remote_new(struct pp_component *self, const struct pp_pprof_remote_config *config, struct pp_error *err);
void pp_pprof_remote_tell(struct pp_pprof_remote *remote);
void pp_pprof_remote_free(struct pp_pprof_remote *remote); /* joins; accepts NULL, as all here */

struct pp_pprof_files;
struct pp_pprof_files *pp_pprof_files_new(struct pp_component *self, const struct pp_pprof_file_config *config, struct pp_error *err);
void pp_pprof_files_tell(struct pp_pprof_files *files);
void pp_pprof_files_free(struct pp_pprof_files *files);

struct pp_pprof_server;
/* Listens, but takes nothing yet. */
struct pp_pprof_server *pp_pprof_server_new(struct pp_component *self, const struct pp_pprof_server_config *config, struct pp_error *err);
bool pp_pprof_server_start(struct pp_pprof_server *server, struct pp_error *err);
void pp_pprof_server_stop(struct pp_pprof_server *server, uint64_t deadline_mono_ms);
void pp_pprof_server_free(struct pp_pprof_server *server);

#endif
