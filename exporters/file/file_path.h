/* Folders, and the path of a group, which a peer's attribute value takes part in. */
#ifndef PP_FILE_PATH_H
#define PP_FILE_PATH_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

#define PP_FILE_PATH_BYTES_MAX 4096u  /* as PATH_MAX */
#define PP_FILE_SEGMENT_BYTES_MAX 200u /* one name of a value: room for the pattern's own part below NAME_MAX */

/* Makes every folder above the file at `path`. */
bool pp_file_make_parents(const char *path, mode_t mode, struct pp_error *err);

/* Puts `value` in the place of the one * of `pattern`. Whatever `value` holds, the result lies below the folder that the pattern names: it
 * may have '/' between names, but ".", ".." and empty names are left out, control characters and NUL become '_', overlong names are cut, and a
 * value of which nothing is left becomes "_". NUL-terminated in `buf`; false when it is too long. */
bool pp_file_group_path(const char *pattern, struct pp_str value, struct pp_buf *buf);

#endif
