/* pprof, folded and flamegraph: everything so far as one document, put in the place of the last one in one step, so that a reader always finds a
 * whole one. Memory is bounded by nodes_max. Not thread-safe. */
#ifndef PP_FILE_SNAPSHOT_H
#define PP_FILE_SNAPSHOT_H

#include "convert/pprof_merge.h"
#include "file_config.h"
#include "profiles/batch.h"
#include "render/tree.h"

struct pp_file_snapshot {
    const struct pp_file_config *config;
    const char *title;
    struct pp_tree tree;         /* folded, flamegraph */
    struct pp_pprof_merge merge; /* pprof */
    bool dirty;                  /* something has come since the last write */
};

void pp_file_snapshot_init(struct pp_file_snapshot *snapshot, const struct pp_file_config *config, const char *title);
void pp_file_snapshot_done(struct pp_file_snapshot *snapshot);

bool pp_file_snapshot_add(struct pp_file_snapshot *snapshot, struct pp_batch *batch, struct pp_error *err);

/* For the start: finds out whether `path` can be written. A page or folded file without samples is written; of a pprof, which no tool reads without samples, the
 * last one stays until there is a new one. */
bool pp_file_snapshot_begin(struct pp_file_snapshot *snapshot, struct pp_error *err);

/* Writes the document beside `path` and renames it. On failure the last one stays as it was. */
bool pp_file_snapshot_write(struct pp_file_snapshot *snapshot, struct pp_error *err);

#endif
