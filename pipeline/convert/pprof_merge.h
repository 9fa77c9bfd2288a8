/* Batches -> one pprof. Profiles become its sample types, samples with the same stack and labels one sample; so a batch that was a pprof becomes the
 * same pprof again, and many batches one merged profile.
 *
 * Header, after google/pprof's merge rules: the earliest time; the duration from there to the latest end; the greatest period; comments of all; drop_frames,
 * keep_frames, default_sample_type and doc_url of the first profile that has them. Timestamps and what else pprof has no field for is left out.
 * Memory is bounded: past the limits a sample counts as one "[other]" of its type. */
#ifndef PP_CONVERT_PPROF_MERGE_H
#define PP_CONVERT_PPROF_MERGE_H

#include "base/arena.h"
#include "base/index.h"
#include "pprof/pprof.h"
#include "profiles/tables.h"

#define PP_PPROF_MERGE_SAMPLES_DEFAULT (1u << 20)
#define PP_PPROF_MERGE_TYPES_MAX 64u
#define PP_PPROF_MERGE_COMMENTS_MAX 1024u
#define PP_PPROF_MERGE_TEXT_BYTES_MAX ((size_t)512 << 20)
#define PP_PPROF_MERGE_REFS_MAX (1u << 27) /* location references and labels in all */
#define PP_PPROF_MERGE_LABEL_BYTES_MAX 65536u /* of one attribute as text; longer ones are left out */

/* All zero but `samples_max` is empty. `profile` may be encoded at any time; ids are positions plus 1. */
struct pp_pprof_merge {
    uint32_t samples_max; /* 0: PP_PPROF_MERGE_SAMPLES_DEFAULT */
    struct pp_pprof profile;
    uint64_t samples_dropped; /* of sample types beyond the limit */
    /* private */
    struct pp_arena text;
    struct pp_index strings, functions, mappings, locations, samples;
    uint32_t sample_other; /* position plus 1 of "[other]"; 0: none yet */
    uint64_t end_nanos;
};

struct pp_pprof_merge_options {
    /* For a batch that was one pprof: mappings that no location refers to stay, in their order, and samples that are alike are not made one (Go's
     * heap profiles have such). */
    bool exact;
};

/* Adds every sample. PP_ERR_NOMEM leaves the profile usable, with part of the batch in it. */
bool pp_pprof_merge_add(struct pp_pprof_merge *merge, const struct pp_tables *tables, const struct pp_pprof_merge_options *options,
                        struct pp_error *err);
void pp_pprof_merge_done(struct pp_pprof_merge *merge);

#endif
