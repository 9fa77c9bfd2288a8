/* Text from formats that do not ask for UTF-8 (pprof), for those that do (protobuf strings). */
#ifndef PP_CONVERT_UTF8_REPAIR_H
#define PP_CONVERT_UTF8_REPAIR_H

#include "base/arena.h"

/* `s` itself when it is UTF-8; else a copy in `arena` with U+FFFD for every byte that belongs to no sequence. False when memory is out. */
bool pp_utf8_repair(struct pp_arena *arena, struct pp_str s, struct pp_str *ret);

#endif
