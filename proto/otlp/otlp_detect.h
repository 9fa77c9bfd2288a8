/* Which layout a message's samples have, by wire types: field 3 length-delimited or field 4 varint is 1.9, field 3 varint or field 4
 * length-delimited 1.10. */
#ifndef PP_PROTO_OTLP_DETECT_H
#define PP_PROTO_OTLP_DETECT_H

#include "proto/otlp/otlp_layout.h"

/* 1.9, 1.10 (also without evidence), or AUTO when the message has both. Stops quietly where the message is malformed. */
enum pp_layout pp_otlp_detect(struct pp_str message);

#endif
