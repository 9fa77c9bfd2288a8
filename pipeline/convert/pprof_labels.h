/* Private to pprof_to_batch.c: a sample's labels as attributes. */
#ifndef PP_CONVERT_PPROF_LABELS_H
#define PP_CONVERT_PPROF_LABELS_H

#include "pprof/pprof.h"
#include "profiles/builder.h"

#define PP_PPROF_LABELS_MAX 1024u /* of one sample; keys are compared pair by pair */

struct pp_attr_indices {
    PP_VEC(int32_t) list;
};

/* Appends one attribute's index for each label key of the sample; `strings` are the profile's, repaired. Failures stick in the builder. */
void pp_pprof_labels_add(struct pp_builder *builder, struct pp_arena *scratch, const struct pp_pprof *pprof,
                         const struct pp_str *strings, const struct pp_pprof_sample *sample, struct pp_attr_indices *ret);

#endif
