#include "proto/otlp/otlp_detect.h"

struct evidence {
    bool old, now;
};

static void look_at_sample(struct evidence *e, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        if (tag == PP_TAG_LEN(PP_SAMPLE_LINK) || tag == PP_TAG_VARINT(PP_SAMPLE_VALUES))
            e->old = true;
        else if (tag == PP_TAG_VARINT(PP_SAMPLE_LINK) || tag == PP_TAG_LEN(PP_SAMPLE_VALUES))
            e->now = true;
        if (!pp_wire_skip(&w, tag))
            return;
    }
}

/* The field to follow at each depth from the request down to a sample. */
static void descend(struct evidence *e, struct pp_wire w, unsigned depth)
{
    static const uint32_t down[] = {PP_REQUEST_RESOURCE_PROFILES, PP_RESOURCE_PROFILES_SCOPES,
                                    PP_SCOPE_PROFILES_PROFILES, PP_PROFILE_SAMPLES};
    struct pp_wire sub;
    uint32_t tag;

    if (depth == sizeof(down) / sizeof(down[0])) {
        look_at_sample(e, w);
        return;
    }
    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        if (tag != PP_TAG_LEN(down[depth])) {
            if (!pp_wire_skip(&w, tag))
                return;
            continue;
        }
        if (!pp_wire_sub(&w, &sub))
            return;
        descend(e, sub, depth + 1);
    }
}

enum pp_layout pp_otlp_detect(struct pp_str message)
{
    struct evidence e = {0};

    descend(&e, pp_wire_from(message), 0);
    if (e.old)
        return e.now ? PP_LAYOUT_AUTO : PP_LAYOUT_1_9;
    return PP_LAYOUT_1_10;
}
