/* Private to exporter_*.c: the half of a sending queue that is on a disk, behind `sending_queue.storage`.
 *
 *   consume -> admitted, staged -> [thread: log written, synced] -> done, and into the queue, or left on the disk until there is room in memory
 *   queue has room -> [thread: read back] -> queue         finished -> [thread: marked done in the log]
 *
 * One thread per exporter does all that touches the disk, so that no loop waits for it, and writes all that has been staged meanwhile as one group. In memory
 * are at most max_bytes_mib: half of it batches to be written, half of it the first of those to be sent. */
#ifndef PP_PIPELINE_EXPORTER_STORAGE_H
#define PP_PIPELINE_EXPORTER_STORAGE_H

#include "pipeline/exporter_core.h"

/* Opens the log and counts what it holds; sets core->storage. */
bool pp_exporter_storage_open(struct pp_exporter_core *core, struct pp_error *err);
/* What was found may be sent from now on. With the lock held, which the thread that writes and reads waits for. */
void pp_exporter_storage_begin(struct pp_exporter_storage *storage);
/* Writes what is still staged and closes; nothing is sent any more. Accepts a core without storage. Without the lock. */
void pp_exporter_storage_close(struct pp_exporter_core *core);

/* Takes an admitted request, to answer its `done` when it is written. With the lock held. */
void pp_exporter_storage_put(struct pp_exporter_storage *storage, struct pp_request *request);
/* Takes a request that has been released: delivered, dropped, or to be kept. With the lock held. */
void pp_exporter_storage_end(struct pp_exporter_storage *storage, struct pp_request *request);

/* Whether a batch with this outcome stays in the storage: the exporter is shutting down before it could be delivered. */
static inline bool pp_exporter_keeps(const struct pp_exporter_core *core, enum pp_outcome outcome)
{
    return core->queue.stored && outcome == PP_RETRY && atomic_load(&core->stop_deadline_ms) != UINT64_MAX;
}

#endif
