/* An exporter whose backend is a struct in this process, for the tests of the exporter base: in both ways to send. One test at a time. */
#ifndef PP_PIPELINE_EXPORTER_FAKE_H
#define PP_PIPELINE_EXPORTER_FAKE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "pipeline/exporter_base.h"
#include "pipeline/instance.h"
#include "pipeline/run.h"
#include "pipeline/testing/testing.h"

#define MS 1000000ll
#define FAKE_SEEN_MAX 4096u

struct fake_config {
    struct pp_sending_queue_config queue;
    bool has_queue;
    struct pp_retry_config retry;
    int64_t timeout_ns;
};

/* What the backend does and has seen. */
struct fake_sink {
    pthread_mutex_t lock;
    bool closed;       /* sends wait until it is false */
    bool random;       /* some sends fail, some for good */
    unsigned failures; /* so many attempts fail first */
    struct pp_result failure;
    unsigned attempts, delivered;
    bool seen[FAKE_SEEN_MAX]; /* by a batch's samples */
    uint64_t samples, largest;
    uint64_t attempt_ms[16];
    size_t open;
    /* on lanes */
    unsigned in_flight, in_flight_max;
    struct pp_loop *last_loop;
};

extern struct fake_sink fake_sink;
extern struct pp_service *fake_service;
/* An extension that the exporter uses; NULL: none. */
extern const struct pp_instance_use *fake_use;

/* Make fake_service and clear the sink. On lanes a batch is light when its number of samples is odd, and answered before lane_send returns when that is a
 * multiple of five. */
int fake_setup_blocking(void **state);
int fake_setup_lanes(void **state);
int fake_teardown(void **state);

struct fake_config fake_default_config(void);
struct pp_instance *fake_start(const struct fake_config *config);
void fake_stop(struct pp_instance *instance, uint64_t timeout_ms);

void fake_hand_in(struct pp_instance *instance, unsigned samples, struct pp_testing_done *done);
/* Hands in and expects this answer. */
void fake_expect(struct pp_instance *instance, unsigned samples, enum pp_outcome outcome);
void fake_set_closed(bool closed);
void fake_wait_for_attempt(void);

/* Metrics of the exporter. */
uint64_t fake_metric(const char *name);
uint64_t fake_failed_metric(const char *permanent, const char *type);

#endif
