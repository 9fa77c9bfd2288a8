/* From a profile's bytes to the pipeline, the same for all blocks of the receiver. */
#ifndef PP_PPROF_INGEST_H
#define PP_PPROF_INGEST_H

#include <stdatomic.h>

#include "pipeline/component.h"
#include "pprof_config.h"

#define PP_PPROF_ATTRIBUTES_MAX 4u
#define PP_PPROF_STOP_GRACE_MS 2000u /* a batch in flight is waited for so long after a stop */

/* Where a profile came from, for the resource: service.name is put first by itself. */
struct pp_pprof_source {
    const char *transport; /* "http", "file": label of the receiver's metrics */
    struct {
        const char *key;
        struct pp_str text; /* UTF-8 or repaired */
    } attributes[PP_PPROF_ATTRIBUTES_MAX];
    size_t attributes_n;
    struct pp_context *context; /* may be NULL */
};

/* Decodes and converts. A profile without samples is valid and gives *ret NULL. */
bool pp_pprof_ingest(const struct pp_component *self, const struct pp_pprof_source *source, struct pp_str content, struct pp_batch **ret,
                     struct pp_error *err);

/* Hands a batch on and waits for the result, at most PP_PPROF_STOP_GRACE_MS longer than *stop is false: then it is PP_RETRY, and the answer that comes later
 * goes nowhere. `ret_message` gets the result's words. */
enum pp_outcome pp_pprof_emit_and_wait(struct pp_component *self, const char *transport, struct pp_batch *batch, const atomic_bool *stop,
                                       char *ret_message, size_t message_bytes);

#endif
