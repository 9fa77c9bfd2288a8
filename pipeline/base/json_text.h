/* JSON text primitives shared by every writer of JSON. */
#ifndef PP_BASE_JSON_TEXT_H
#define PP_BASE_JSON_TEXT_H

#include "base/buf.h"

/* Appends `s` as a quoted JSON string (RFC 8259); bytes that are not UTF-8 become U+FFFD. */
bool pp_json_add_string(struct pp_buf *buf, struct pp_str s);

#endif
