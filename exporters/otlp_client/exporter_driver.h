/* Runs one exporter from its YAML for tests: what the engine does, without a graph. Include after
 * cmocka's headers. */
#ifndef PP_EXPORTERS_EXPORTER_DRIVER_H
#define PP_EXPORTERS_EXPORTER_DRIVER_H

#include <pthread.h>

#include "config/diag.h"
#include "pipeline/component.h"
#include "pipeline/telemetry.h"

struct exporter_driver {
    struct pp_arena arena;
    struct pp_diags diags;
    struct pp_component *self;
    struct pp_done done;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool has_result;
    struct pp_result result; /* of the last send; its message is the copy below */
    char message[PP_ERROR_MESSAGE_MAX];
};

/* All problems of a configuration as `validate` prints them, for pp_free; "" when there is none. */
char *exporter_problems(const struct pp_factory *factory, const char *yaml);

/* Creates and starts; fails the test when that fails. */
void exporter_open(struct exporter_driver *driver, const struct pp_factory *factory,
                   const char *yaml);
/* What `start` says when it fails; "" when it does not. */
const char *exporter_start_error(struct exporter_driver *driver, const struct pp_factory *factory,
                                 const char *yaml);
/* Starts it once for each allocation that create and start make, that one failing: each must fail
 * cleanly or do without. */
void exporter_sweep_allocations(const struct pp_factory *factory, const char *yaml);
/* Takes the reference, waits for the result (at most 30 seconds). */
const struct pp_result *exporter_send(struct exporter_driver *driver, struct pp_batch *batch);
void exporter_close(struct exporter_driver *driver);

/* Telemetry that all exporters of the test program share. */
struct pp_telemetry *exporter_telemetry(void);

#endif
