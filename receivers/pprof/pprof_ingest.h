/* From a profile's bytes to the pipeline, the same for all blocks of the receiver. */
#ifndef PP_PPROF_INGEST_H
#define PP_PPROF_INGEST_H

#include "pipeline/component.h"
#include "pprof_config.h"

#define PP_PPROF_ATTRIBUTES_MAX 4u

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

#endif
