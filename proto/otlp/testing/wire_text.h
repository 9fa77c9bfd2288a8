/* Protobuf messages written as text, for tests. */
#ifndef PP_PROTO_OTLP_TESTING_WIRE_TEXT_H
#define PP_PROTO_OTLP_TESTING_WIRE_TEXT_H

#include "base/buf.h"

/* Initialises `out` and fills it. `2{5"" 5"main"}` is field 2 holding field 5 twice; `1:7` is a varint, `5:@7` a fixed64, `4[1 2]` a packed
 * array. Field numbers are below 16. A mistake in the text aborts. */
void pp_wire_text(struct pp_buf *out, const char *text);

#endif
