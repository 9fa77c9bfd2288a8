/* Rotated files: "data.json" becomes "data-2022-09-14T05-02-14.173.json", as the Collector (lumberjack) names them. */
#ifndef PP_FILE_BACKUPS_H
#define PP_FILE_BACKUPS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "file_config.h"

/* The rotated name of `path` for that time, NUL-terminated; false when `buf` is full. */
bool pp_file_backup_name(const char *path, uint64_t unix_ns, bool localtime, struct pp_buf *buf);

/* Removes the rotated files of `path` beyond max_backups and older than max_days. Files whose names it did not make itself are left alone. Best
 * effort: the first failure is reported, the rest is still done. */
bool pp_file_backups_prune(const char *path, const struct pp_file_rotation *rotation, uint64_t now_unix_ns, struct pp_error *err);

#endif
