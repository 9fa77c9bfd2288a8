/* The pprof receiver: fetched, read or pushed profiles become batches. */
#include "pprof_block.h"

struct pprof_receiver {
    struct pp_component component; /* first */
    struct pp_pprof_remote *remote;
    struct pp_pprof_files *files;
    struct pp_pprof_server *server;
};

static struct pprof_receiver *receiver_of(struct pp_component *self)
{
    return (struct pprof_receiver *)self;
}

/* Told first, all of them, so that they end at the same time. */
static void stop_all(struct pprof_receiver *r, uint64_t deadline_mono_ms)
{
    pp_pprof_remote_tell(r->remote);
    pp_pprof_files_tell(r->files);
    pp_pprof_server_stop(r->server, deadline_mono_ms);
    pp_pprof_remote_free(r->remote);
    pp_pprof_files_free(r->files);
    r->remote = NULL;
    r->files = NULL;
}

static bool pprof_open(struct pp_component *self, struct pp_error *err)
{
    const struct pp_pprof_config *config = self->config;
    struct pprof_receiver *r = receiver_of(self);

    if (config->server && !r->server)
        r->server = pp_pprof_server_new(self, config->server, err);
    return !config->server || r->server;
}

static bool pprof_start(struct pp_component *self, struct pp_error *err)
{
    const struct pp_pprof_config *config = self->config;
    struct pprof_receiver *r = receiver_of(self);
    bool ok = pprof_open(self, err) && (!r->server || pp_pprof_server_start(r->server, err));

    if (ok && config->remote)
        ok = (r->remote = pp_pprof_remote_new(self, config->remote, err)) != NULL;
    if (ok && config->file)
        ok = (r->files = pp_pprof_files_new(self, config->file, err)) != NULL;
    if (ok)
        return true;
    stop_all(r, 0);
    pp_pprof_server_free(r->server);
    r->server = NULL;
    return false;
}

static void pprof_shutdown(struct pp_component *self, uint64_t deadline_mono_ms)
{
    stop_all(receiver_of(self), deadline_mono_ms);
}

/* Requests that the pipeline answers after the deadline still point to the server; it goes last. */
static void pprof_destroy(struct pp_component *self)
{
    struct pprof_receiver *r = receiver_of(self);

    pp_pprof_server_free(r->server);
    r->server = NULL;
}

const struct pp_factory pp_pprof_receiver_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_RECEIVER,
    .type = "pprof",
    .stability = PP_ALPHA,
    .summary = "Fetches pprof profiles from endpoints, reads them from files, and takes pushed ones.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct pprof_receiver),
    .config = &pp_pprof_config_group,
    .readme = "receivers/pprof",
    .validate = pp_pprof_config_validate,
    .open = pprof_open,
    .start = pprof_start,
    .shutdown = pprof_shutdown,
    .destroy = pprof_destroy,
};
