/* Resources, scopes, profiles and samples; the dictionary has been walked, so that every limit is known. */
#include "proto/otlp/check_quick.h"

struct shape {
    uint32_t values, timestamps;
};

static bool packed_values(struct check *c, struct pp_wire *w, uint32_t *count)
{
    struct pp_wire packed;
    uint32_t n;

    if (!pp_wire_sub(w, &packed) || !pp_wire_packed_count(packed, &n))
        return check_malformed(c);
    *count += n;
    return true;
}

static bool packed_timestamps(struct check *c, struct pp_wire *w, uint32_t *count)
{
    struct pp_str s;

    if (!pp_wire_len(w, &s))
        return check_malformed(c);
    *count += (uint32_t)(s.n / 8);
    return s.n % 8 == 0 || check_fail(c, "timestamps_unix_nano", "%zu bytes, not a multiple of 8", s.n);
}

static bool sample_old(struct check *c)
{
    return check_fail(c, NULL, "a field of the 1.9 layout");
}

static bool sample_field(struct check *c, struct pp_wire *w, uint32_t tag, struct shape *shape)
{
    uint64_t ignored;

    switch (tag) {
    case PP_TAG_VARINT(PP_SAMPLE_STACK):
        return check_index(c, w, CHECK_STACK, "stack_index");
    case PP_TAG_LEN(PP_SAMPLE_ATTRIBUTES):
        return check_attrs_packed(c, w);
    case PP_TAG_VARINT(PP_SAMPLE_ATTRIBUTES):
        return check_attrs_one(c, w);
    case PP_TAG_VARINT(PP_SAMPLE_LINK):
        return check_index(c, w, CHECK_LINK, "link_index");
    case PP_TAG_LEN(PP_SAMPLE_VALUES):
        return packed_values(c, w, &shape->values);
    case PP_TAG_VARINT(PP_SAMPLE_VALUES):
        if (c->detect)
            return sample_old(c);
        shape->values++;
        return check_skip_varint(c, w);
    case PP_TAG_LEN(PP_SAMPLE_TIMESTAMPS):
        return packed_timestamps(c, w, &shape->timestamps);
    case PP_TAG_FIXED64(PP_SAMPLE_TIMESTAMPS):
        shape->timestamps++;
        return pp_wire_fixed64(w, &ignored) || check_malformed(c);
    case PP_TAG_LEN(PP_SAMPLE_LINK):
        if (c->detect)
            return sample_old(c);
        /* fall through */
    default:
        return check_other(c, w, tag, PP_SAMPLE_TIMESTAMPS);
    }
}

static bool shape_ok(struct check *c, const struct shape *shape)
{
    if (shape->timestamps == 0 && shape->values == 1)
        return true;
    if (shape->timestamps > 0 && (shape->values == 0 || shape->values == shape->timestamps))
        return true;
    if (shape->timestamps > 0)
        return check_fail(c, "values", "%u for %u timestamps", shape->values, shape->timestamps);
    if (shape->values == 0)
        return check_fail(c, "values", "none, and no timestamps either");
    return check_fail(c, "values", "%u without timestamps", shape->values);
}

static bool walk_sample(struct check *c, struct pp_wire w)
{
    struct shape shape = {0};
    uint32_t tag;

    check_attrs_begin(c);
    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (!sample_field(c, &w, pp_layout_sample_tag(c->layout, tag), &shape))
            return false;
    }
    c->info.counts.values += shape.values;
    c->info.counts.timestamps += shape.timestamps;
    return shape_ok(c, &shape) && check_attrs_end(c);
}

static bool walk_value_type(struct check *c, struct pp_wire *w, const char *field)
{
    struct pp_wire type;
    uint32_t tag;

    if (!pp_wire_sub(w, &type))
        return check_malformed(c);
    while (pp_wire_more(&type)) {
        bool ok;

        if (!pp_wire_tag(&type, &tag))
            return check_malformed(c);
        if (tag == PP_TAG_VARINT(PP_VALUE_TYPE_TYPE))
            ok = check_index(c, &type, CHECK_STRING, "type_strindex");
        else if (tag == PP_TAG_VARINT(PP_VALUE_TYPE_UNIT))
            ok = check_index(c, &type, CHECK_STRING, "unit_strindex");
        else
            ok = check_other(c, &type, tag, PP_VALUE_TYPE_UNIT);
        if (!ok)
            return check_step(c, field, CHECK_NO_INDEX);
    }
    return true;
}

static bool profile_id(struct check *c, struct pp_wire *w)
{
    struct pp_str id;

    if (!pp_wire_len(w, &id))
        return check_malformed(c);
    return id.n == 0 || id.n == PP_PROFILE_ID_BYTES ||
           check_fail(c, "profile_id", "%zu bytes, not %u", id.n, PP_PROFILE_ID_BYTES);
}

static bool profile_sample(struct check *c, struct pp_wire *w, uint32_t *samples)
{
    struct pp_wire sample;

    if (!pp_wire_sub(w, &sample))
        return check_malformed(c);
    if (!walk_sample(c, sample))
        return check_step(c, "samples", *samples);
    ++*samples;
    return true;
}

/* The profile's own attributes stand last on the wire, but may come in pieces between samples, whose lists use the same scratch
 * space: so they get a walk of their own, over `lists`, the part of the message from the first to the last of them. */
static bool profile_list(struct check *c, struct pp_wire *w, uint32_t tag, const uint8_t *from, struct pp_wire *lists)
{
    if (!lists->p)
        lists->p = from;
    if (!pp_wire_skip(w, tag))
        return check_malformed(c);
    lists->end = w->p;
    return true;
}

static bool profile_field(struct check *c, struct pp_wire *w, uint32_t tag, const uint8_t *from, uint32_t *samples,
                          struct pp_wire *lists)
{
    uint64_t ignored;
    struct pp_str bytes;

    switch (tag) {
    case PP_TAG_LEN(PP_PROFILE_SAMPLES):
        return profile_sample(c, w, samples);
    case PP_TAG_LEN(PP_PROFILE_SAMPLE_TYPE):
        return walk_value_type(c, w, "sample_type");
    case PP_TAG_LEN(PP_PROFILE_PERIOD_TYPE):
        return walk_value_type(c, w, "period_type");
    case PP_TAG_FIXED64(PP_PROFILE_TIME):
        return pp_wire_fixed64(w, &ignored) || check_malformed(c);
    case PP_TAG_VARINT(PP_PROFILE_DURATION):
    case PP_TAG_VARINT(PP_PROFILE_PERIOD):
    case PP_TAG_VARINT(PP_PROFILE_DROPPED):
        return check_skip_varint(c, w);
    case PP_TAG_LEN(PP_PROFILE_ID):
        return profile_id(c, w);
    case PP_TAG_LEN(PP_PROFILE_PAYLOAD_FORMAT):
        return check_utf8(c, w, "original_payload_format");
    case PP_TAG_LEN(PP_PROFILE_PAYLOAD):
        return pp_wire_len(w, &bytes) || check_malformed(c);
    case PP_TAG_LEN(PP_PROFILE_ATTRIBUTES):
    case PP_TAG_VARINT(PP_PROFILE_ATTRIBUTES):
        return profile_list(c, w, tag, from, lists);
    case PP_TAG_DROPPED:
        return pp_wire_skip(w, PP_TAG_LEN(PP_PROFILE_1_8_COMMENTS)) || check_malformed(c);
    default:
        return check_other(c, w, tag, PP_PROFILE_ATTRIBUTES);
    }
}

static bool profile_attributes(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    check_attrs_begin(c);
    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        uint32_t now = pp_layout_profile_tag(c->layout, tag);
        bool ok;

        if (now == PP_TAG_LEN(PP_PROFILE_ATTRIBUTES))
            ok = check_attrs_packed(c, &w);
        else if (now == PP_TAG_VARINT(PP_PROFILE_ATTRIBUTES))
            ok = check_attrs_one(c, &w);
        else
            ok = pp_wire_skip(&w, tag);
        if (!ok)
            return false;
    }
    return check_attrs_end(c);
}

static bool walk_profile(struct check *c, struct pp_wire w)
{
    bool quick = c->quick && !pp_layout_is_old(c->layout);
    struct pp_wire lists = {0};
    uint32_t tag, samples = 0;

    while (pp_wire_more(&w)) {
        const uint8_t *from;

        if (quick) {
            w.p = check_quick_samples(c, w.p, w.end, &samples);
            if (!pp_wire_more(&w))
                break;
        }
        from = w.p;
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (!profile_field(c, &w, pp_layout_profile_tag(c->layout, tag), from, &samples, &lists))
            return false;
    }
    c->info.counts.samples += samples;
    c->info.counts.profiles++;
    return !lists.p || profile_attributes(c, lists);
}

/* Resource and scope alike: `attributes` and `dropped` are field numbers, text fields come before them, unknown ones behind. */
static bool walk_origin(struct check *c, struct pp_wire w, uint32_t attributes, uint32_t dropped, uint32_t *pairs)
{
    uint32_t tag;
    struct pp_wire pair;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (tag == PP_TAG_LEN(attributes)) {
            ok = pp_wire_sub(&w, &pair) ? check_pair(c, pair) || check_step(c, "attributes", *pairs)
                                        : check_malformed(c);
            ++*pairs;
        } else if (tag == PP_TAG_VARINT(dropped)) {
            ok = check_skip_varint(c, &w);
        } else if (PP_WIRE_TYPE(tag) == PP_WIRE_LEN && PP_WIRE_FIELD(tag) < attributes) {
            ok = check_utf8(c, &w, PP_WIRE_FIELD(tag) == PP_SCOPE_NAME ? "name" : "version");
        } else {
            ok = check_other(c, &w, tag, dropped);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* The resource or scope of a message, field 1 of both. It may come in several pieces, whose attributes are one list. */
static bool walk_origin_pieces(struct check *c, struct pp_wire w, uint32_t attributes, uint32_t dropped, const char *name)
{
    uint32_t tag, pairs = 0;
    struct pp_wire piece;

    check_pairs_begin(c);
    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (tag != PP_TAG_LEN(PP_RESOURCE_PROFILES_RESOURCE)) {
            if (!pp_wire_skip(&w, tag))
                return check_malformed(c);
            continue;
        }
        if (!pp_wire_sub(&w, &piece))
            return check_malformed(c);
        if (!walk_origin(c, piece, attributes, dropped, &pairs))
            return check_step(c, name, CHECK_NO_INDEX);
    }
    return check_pairs_end(c) || check_step(c, name, CHECK_NO_INDEX);
}

static bool walk_scope_profiles(struct check *c, struct pp_wire w)
{
    uint32_t tag, profiles = 0;
    struct pp_wire sub;

    if (!walk_origin_pieces(c, w, PP_SCOPE_ATTRIBUTES, PP_SCOPE_DROPPED, "scope"))
        return false;
    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_SCOPE_PROFILES_SCOPE):
            ok = pp_wire_skip(&w, tag) || check_malformed(c);
            break;
        case PP_TAG_LEN(PP_SCOPE_PROFILES_PROFILES):
            ok = pp_wire_sub(&w, &sub) ? walk_profile(c, sub) || check_step(c, "profiles", profiles)
                                       : check_malformed(c);
            profiles++;
            break;
        case PP_TAG_LEN(PP_SCOPE_PROFILES_SCHEMA_URL):
            ok = check_utf8(c, &w, "schema_url");
            break;
        default:
            ok = check_other(c, &w, tag, PP_SCOPE_PROFILES_SCHEMA_URL);
        }
        if (!ok)
            return false;
    }
    c->info.counts.scopes++;
    return true;
}

bool check_resource_profiles(struct check *c, struct pp_wire w)
{
    uint32_t tag, scopes = 0;
    struct pp_wire sub;

    if (!walk_origin_pieces(c, w, PP_RESOURCE_ATTRIBUTES, PP_RESOURCE_DROPPED, "resource"))
        return false;
    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_RESOURCE_PROFILES_RESOURCE):
            ok = pp_wire_skip(&w, tag) || check_malformed(c);
            break;
        case PP_TAG_LEN(PP_RESOURCE_PROFILES_SCOPES):
            ok = pp_wire_sub(&w, &sub) ? walk_scope_profiles(c, sub) || check_step(c, "scope_profiles", scopes)
                                       : check_malformed(c);
            scopes++;
            break;
        case PP_TAG_LEN(PP_RESOURCE_PROFILES_SCHEMA_URL):
            ok = check_utf8(c, &w, "schema_url");
            break;
        default:
            ok = check_other(c, &w, tag, PP_RESOURCE_PROFILES_SCHEMA_URL);
        }
        if (!ok)
            return false;
    }
    c->info.counts.resources++;
    return true;
}
