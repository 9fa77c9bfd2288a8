/* pprof -> batch, losing nothing: one resource, one scope, one OTLP profile for each sample type, in pprof's order.
 *
 * Labels become attributes of the sample: a string, or an int with the label's unit; several values under one key become an array. What OTLP has no
 * field for travels as the attributes of pprof_names.h. Text that is not UTF-8 is repaired with U+FFFD; negative times become 0. */
#ifndef PP_CONVERT_PPROF_TO_BATCH_H
#define PP_CONVERT_PPROF_TO_BATCH_H

#include "pprof/pprof.h"
#include "profiles/batch.h"

struct pp_pprof_origin {
    const struct pp_key_value *resource; /* attributes with encoded values, copied */
    size_t resource_n;
    struct pp_str scope_name, scope_version;
    struct pp_context *context; /* may be NULL */
};

/* One reference on success. */
bool pp_batch_from_pprof(const struct pp_pprof *pprof, const struct pp_pprof_origin *origin, struct pp_batch **ret, struct pp_error *err);

#endif
