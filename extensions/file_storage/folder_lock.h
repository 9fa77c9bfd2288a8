/* One holder for a folder, over all processes. */
#ifndef PP_FILE_STORAGE_FOLDER_LOCK_H
#define PP_FILE_STORAGE_FOLDER_LOCK_H

#include <stdint.h>

#include "base/error.h"

/* Waits up to `timeout_ms` for another process to let go, not for this one. Returns the descriptor that holds the lock, to be closed; -1 with an error. */
int pp_folder_lock(int folder, const char *path, uint64_t timeout_ms, struct pp_error *err);

#endif
