/* Which files this process has written: one that is opened again (closed to make room, or its exporter replaced by a reload) is added to, whatever
 * `append` says; that key is about what an earlier run left behind. */
#ifndef PP_FILE_SEEN_H
#define PP_FILE_SEEN_H

#include <stdbool.h>

#define PP_FILE_SEEN_MAX (1u << 20) /* paths remembered, in the whole process */

/* Whether this has been asked for the path before. When the path cannot be remembered the answer is yes, which destroys nothing. Any thread. */
bool pp_file_seen_before(const char *path);

#endif
