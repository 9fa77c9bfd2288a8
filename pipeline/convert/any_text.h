/* Attribute values as text, where a format has room for text alone; the Collector's AsString. */
#ifndef PP_CONVERT_ANY_TEXT_H
#define PP_CONVERT_ANY_TEXT_H

#include "base/buf.h"
#include "profiles/any_value.h"

#define PP_ANY_TEXT_DEPTH_MAX 32u /* lists in lists; deeper ones are written as null */

/* Appends a string as it is, numbers and booleans as JSON writes them, bytes in base64, arrays and key-value lists as JSON, nothing for an
 * empty value. False when `buf` is full. */
bool pp_any_text_add(struct pp_buf *buf, struct pp_str encoded);

#endif
