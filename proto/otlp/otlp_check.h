/* One pass over an OTLP profiles message that proves it well-formed and counts it, without building anything from it. What a decoder
 * meets afterwards is known to be in range. */
#ifndef PP_PROTO_OTLP_CHECK_H
#define PP_PROTO_OTLP_CHECK_H

#include "base/error.h"
#include "proto/otlp/otlp_layout.h"

#define PP_OTLP_MESSAGE_BYTES_MAX INT32_MAX /* protobuf's own limit */
#define PP_OTLP_VALUE_DEPTH_MAX 64u         /* levels of arrays and lists inside one attribute value */
/* Tables may take this many bytes for each byte of the message, plus the slack: real messages take 1.0 to 1.6, a message of
 * empty entries would take twenty. */
#define PP_OTLP_EXPANSION_MAX 8u
#define PP_OTLP_EXPANSION_SLACK_BYTES (256u * 1024)

/* Entries by table, as they stand in the message: an absent table counts 0, though readers see its zero entry. */
struct pp_otlp_counts {
    uint32_t strings, functions, mappings, locations, lines, stacks, location_indices, links, attributes;
    uint32_t attr_indices; /* of samples, profiles, mappings and locations */
    uint32_t key_values;   /* of resources and scopes */
    uint32_t resources, scopes, profiles, samples, values, timestamps;
};

struct pp_otlp_info {
    struct pp_otlp_counts counts;
    enum pp_layout layout; /* never AUTO */
    bool references;       /* some attribute has a key or value by reference */
};

/* False with PP_ERR_INVALID and the offending path, PP_ERR_LIMIT over a limit above, or PP_ERR_NOMEM. */
bool pp_otlp_check(struct pp_str message, enum pp_layout layout, struct pp_otlp_info *ret, struct pp_error *err);

#endif
