/* The field numbering of a message. 1.10 renumbered Sample, 1.9 renumbered Profile; nothing in a message says which it is. Decoders
 * translate old tags to current ones field by field, so that there is one decoder. */
#ifndef PP_PROTO_OTLP_LAYOUT_H
#define PP_PROTO_OTLP_LAYOUT_H

#include "proto/otlp/otlp_fields.h"

/* AUTO tells 1.9 from 1.10 by wire types. */
enum pp_layout { PP_LAYOUT_AUTO, PP_LAYOUT_1_8, PP_LAYOUT_1_9, PP_LAYOUT_1_10 };

#define PP_TAG_DROPPED 0u /* a field of an old layout that has no successor */

static inline bool pp_layout_is_old(enum pp_layout layout)
{
    return layout == PP_LAYOUT_1_8 || layout == PP_LAYOUT_1_9;
}

/* Tags are those of pp_wire_tag; the wire type stays. */
static inline uint32_t pp_layout_sample_tag(enum pp_layout layout, uint32_t tag)
{
    if (__builtin_expect(!pp_layout_is_old(layout), 1))
        return tag;
    switch (PP_WIRE_FIELD(tag)) {
    case PP_SAMPLE_1_9_VALUES:
        return PP_WIRE_TAG(PP_SAMPLE_VALUES, PP_WIRE_TYPE(tag));
    case PP_SAMPLE_1_9_ATTRIBUTES:
        return PP_WIRE_TAG(PP_SAMPLE_ATTRIBUTES, PP_WIRE_TYPE(tag));
    case PP_SAMPLE_1_9_LINK:
        return PP_WIRE_TAG(PP_SAMPLE_LINK, PP_WIRE_TYPE(tag));
    default:
        return tag;
    }
}

static inline uint32_t pp_layout_profile_tag(enum pp_layout layout, uint32_t tag)
{
    uint32_t field = PP_WIRE_FIELD(tag);

    if (layout != PP_LAYOUT_1_8 || field < PP_PROFILE_1_8_COMMENTS || field > PP_PROFILE_ATTRIBUTES + 1)
        return tag;
    return field == PP_PROFILE_1_8_COMMENTS ? PP_TAG_DROPPED : PP_WIRE_TAG(field - 1, PP_WIRE_TYPE(tag));
}

static inline uint32_t pp_layout_value_type_tag(enum pp_layout layout, uint32_t tag)
{
    return layout == PP_LAYOUT_1_8 && PP_WIRE_FIELD(tag) == PP_VALUE_TYPE_1_8_TEMPORALITY ? PP_TAG_DROPPED : tag;
}

#endif
