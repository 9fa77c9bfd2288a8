/* How a frame is called where people read it. */
#ifndef PP_RENDER_FRAME_NAME_H
#define PP_RENDER_FRAME_NAME_H

#include "base/buf.h"
#include "profiles/tables.h"

/* A function's name, else its linker name, else its file. Never empty. */
struct pp_str pp_frame_function_name(const struct pp_tables *tables, int32_t function);

/* A location without lines, appended to `buf`: "libc.so.6+0x29d90" (offset in the file), "0x7f12..." without a mapping. */
bool pp_frame_address_name(const struct pp_tables *tables, const struct pp_location *location, struct pp_buf *buf);

/* The last path element: "/usr/lib/libc.so.6" -> "libc.so.6". */
struct pp_str pp_frame_basename(struct pp_str path);

#endif
