#include "profiles/decode.h"

static void decode_values(struct pp_tables *t, struct pp_wire packed, struct pp_range *range)
{
    int64_t *to = t->values.v + t->values.n, *const from = to;

    while (pp_wire_more(&packed))
        *to++ = (int64_t)pp_decode_uint64(&packed);
    t->values.n += (uint32_t)(to - from);
    range->n += (uint32_t)(to - from);
}

static void decode_timestamps(struct pp_tables *t, struct pp_str s, struct pp_range *range)
{
    uint64_t *to = t->timestamps.v + t->timestamps.n;

    if (s.n == sizeof(*to)) /* most often */
        memcpy(to, s.p, sizeof(*to));
    else if (s.n)
        memcpy(to, s.p, s.n);
    t->timestamps.n += (uint32_t)(s.n / sizeof(*to));
    range->n += (uint32_t)(s.n / sizeof(*to));
}

static bool decode_sample(struct pp_decode *d, struct pp_wire w)
{
    struct pp_tables *t = d->t;
    uint32_t at = t->samples.n, tag;
    struct pp_range attrs = {t->attr_indices.n, 0}, values = {t->values.n, 0}, timestamps = {t->timestamps.n, 0};
    int32_t stack = 0, link = 0;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;
        struct pp_wire packed;
        uint32_t now;

        if (!pp_wire_tag(&w, &tag))
            return false;
        now = pp_layout_sample_tag(d->layout, tag);
        switch (now) {
        case PP_TAG_VARINT(PP_SAMPLE_STACK):
            stack = pp_decode_int32(&w);
            break;
        case PP_TAG_LEN(PP_SAMPLE_ATTRIBUTES):
        case PP_TAG_VARINT(PP_SAMPLE_ATTRIBUTES):
            pp_decode_attrs(d, &w, now, &attrs);
            break;
        case PP_TAG_VARINT(PP_SAMPLE_LINK):
            link = pp_decode_int32(&w);
            break;
        case PP_TAG_LEN(PP_SAMPLE_VALUES):
            if (!pp_wire_sub(&w, &packed))
                return false;
            decode_values(t, packed, &values);
            break;
        case PP_TAG_VARINT(PP_SAMPLE_VALUES):
            t->values.v[t->values.n++] = (int64_t)pp_decode_uint64(&w);
            values.n++;
            break;
        case PP_TAG_LEN(PP_SAMPLE_TIMESTAMPS):
            decode_timestamps(t, pp_decode_str(&w), &timestamps);
            break;
        case PP_TAG_FIXED64(PP_SAMPLE_TIMESTAMPS):
            timestamps.n++;
            if (!pp_wire_fixed64(&w, &t->timestamps.v[t->timestamps.n++]))
                return false;
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_SAMPLE, at))
                return false;
        }
    }
    t->samples.stack[at] = stack;
    t->samples.link[at] = link;
    t->samples.attrs[at] = attrs;
    t->samples.values[at] = values;
    t->samples.timestamps[at] = timestamps;
    t->samples.n++;
    return true;
}

static bool decode_value_type(struct pp_decode *d, struct pp_wire *message, struct pp_value_type *ret,
                              enum pp_unknown_kind kind)
{
    struct pp_wire w;
    uint32_t tag;

    if (!pp_wire_sub(message, &w))
        return false;
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_VARINT(PP_VALUE_TYPE_TYPE))
            ret->type = pp_decode_int32(&w);
        else if (tag == PP_TAG_VARINT(PP_VALUE_TYPE_UNIT))
            ret->unit = pp_decode_int32(&w);
        else if (pp_layout_value_type_tag(d->layout, tag) == PP_TAG_DROPPED)
            pp_wire_skip(&w, tag);
        else if (!pp_decode_unknown(d, &w, from, tag, kind, d->t->profiles.n))
            return false;
    }
    return true;
}

static bool decode_profile_sample(struct pp_decode *d, struct pp_wire *w, const uint8_t *from)
{
    struct pp_wire sample;

    if (!pp_wire_sub(w, &sample) || !decode_sample(d, sample))
        return false;
    pp_decode_span(d, &d->data->spans->samples[d->t->profiles.n], from, w->p, PP_EDIT_SAMPLES);
    return true;
}

/* `tag` is the current one, `wire_tag` as it came. */
static bool decode_profile_field(struct pp_decode *d, struct pp_wire *w, const uint8_t *from, uint32_t tag,
                                 uint32_t wire_tag, struct pp_profile *p, struct pp_wire *lists)
{
    struct pp_str id;

    switch (tag) {
    case PP_TAG_LEN(PP_PROFILE_SAMPLES):
        return decode_profile_sample(d, w, from);
    case PP_TAG_LEN(PP_PROFILE_SAMPLE_TYPE):
        return decode_value_type(d, w, &p->sample_type, PP_UNKNOWN_SAMPLE_TYPE);
    case PP_TAG_LEN(PP_PROFILE_PERIOD_TYPE):
        return decode_value_type(d, w, &p->period_type, PP_UNKNOWN_PERIOD_TYPE);
    case PP_TAG_FIXED64(PP_PROFILE_TIME):
        return pp_wire_fixed64(w, &p->time_unix_nano);
    case PP_TAG_VARINT(PP_PROFILE_DURATION):
        p->duration_nano = pp_decode_uint64(w);
        return true;
    case PP_TAG_VARINT(PP_PROFILE_PERIOD):
        p->period = (int64_t)pp_decode_uint64(w);
        return true;
    case PP_TAG_VARINT(PP_PROFILE_DROPPED):
        p->dropped_attributes_count = (uint32_t)pp_decode_uint64(w);
        return true;
    case PP_TAG_LEN(PP_PROFILE_ID):
        id = pp_decode_str(w);
        memcpy(p->profile_id, id.n == PP_PROFILE_ID_BYTES ? id.p : (char[PP_PROFILE_ID_BYTES]){0}, PP_PROFILE_ID_BYTES);
        return true;
    case PP_TAG_LEN(PP_PROFILE_PAYLOAD_FORMAT):
        p->original_payload_format = pp_decode_str(w);
        return true;
    case PP_TAG_LEN(PP_PROFILE_PAYLOAD):
        p->original_payload = pp_decode_str(w);
        return true;
    case PP_TAG_LEN(PP_PROFILE_ATTRIBUTES):
    case PP_TAG_VARINT(PP_PROFILE_ATTRIBUTES): /* in a walk of their own: samples may stand between them */
        lists->p = lists->p ? lists->p : from;
        pp_wire_skip(w, wire_tag);
        lists->end = w->p;
        return true;
    case PP_TAG_DROPPED:
        return pp_wire_skip(w, wire_tag);
    default:
        return pp_decode_unknown(d, w, from, wire_tag, PP_UNKNOWN_PROFILE, d->t->profiles.n);
    }
}

static void decode_profile_attributes(struct pp_decode *d, struct pp_wire w, struct pp_range *range)
{
    uint32_t tag;

    *range = (struct pp_range){d->t->attr_indices.n, 0};
    while (pp_wire_more(&w) && pp_wire_tag(&w, &tag)) {
        uint32_t now = pp_layout_profile_tag(d->layout, tag);

        if (now == PP_TAG_LEN(PP_PROFILE_ATTRIBUTES) || now == PP_TAG_VARINT(PP_PROFILE_ATTRIBUTES))
            pp_decode_attrs(d, &w, now, range);
        else
            pp_wire_skip(&w, tag);
    }
}

static bool decode_profile(struct pp_decode *d, struct pp_wire w)
{
    struct pp_profile profile = {.samples.first = d->t->samples.n};
    struct pp_wire lists = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag) ||
            !decode_profile_field(d, &w, from, pp_layout_profile_tag(d->layout, tag), tag, &profile, &lists))
            return false;
    }
    decode_profile_attributes(d, lists, &profile.attrs);
    profile.samples.n = d->t->samples.n - profile.samples.first;
    d->t->profiles.v[d->t->profiles.n++] = profile;
    return true;
}

static bool decode_key_value(struct pp_decode *d, struct pp_wire w)
{
    struct pp_key_value *kv = &d->t->key_values.v[d->t->key_values.n];
    uint32_t tag;

    *kv = (struct pp_key_value){0};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;
        int32_t ref;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_LEN(PP_KEY_VALUE_KEY):
            kv->key = pp_decode_str(&w);
            break;
        case PP_TAG_LEN(PP_KEY_VALUE_VALUE):
            kv->value = pp_decode_str(&w);
            break;
        case PP_TAG_VARINT(PP_KEY_VALUE_KEY_REF):
            ref = pp_decode_int32(&w);
            if (ref)
                kv->key = d->t->strings.v[ref];
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_KEY_VALUE, d->t->key_values.n))
                return false;
        }
    }
    d->t->key_values.n++;
    return !d->data->references || pp_value_inline(&d->data->storage->arena, d->t, kv->value, &kv->value);
}

static bool decode_resource(struct pp_decode *d, struct pp_wire w, struct pp_resource *r)
{
    struct pp_wire pair;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_LEN(PP_RESOURCE_ATTRIBUTES)) {
            if (!pp_wire_sub(&w, &pair) || !decode_key_value(d, pair))
                return false;
            r->attributes.n++;
        } else if (tag == PP_TAG_VARINT(PP_RESOURCE_DROPPED)) {
            r->dropped_attributes_count = (uint32_t)pp_decode_uint64(&w);
        } else if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_RESOURCE, d->t->resources.n)) {
            return false;
        }
    }
    return true;
}

static bool decode_scope(struct pp_decode *d, struct pp_wire w, struct pp_scope *s)
{
    struct pp_wire pair;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_LEN(PP_SCOPE_NAME):
            s->name = pp_decode_str(&w);
            break;
        case PP_TAG_LEN(PP_SCOPE_VERSION):
            s->version = pp_decode_str(&w);
            break;
        case PP_TAG_LEN(PP_SCOPE_ATTRIBUTES):
            if (!pp_wire_sub(&w, &pair) || !decode_key_value(d, pair))
                return false;
            s->attributes.n++;
            break;
        case PP_TAG_VARINT(PP_SCOPE_DROPPED):
            s->dropped_attributes_count = (uint32_t)pp_decode_uint64(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_SCOPE, d->t->scopes.n))
                return false;
        }
    }
    return true;
}

static bool decode_scope_profiles(struct pp_decode *d, struct pp_wire w)
{
    struct pp_scope scope = {.attributes.first = d->t->key_values.n, .profiles.first = d->t->profiles.n};
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_LEN(PP_SCOPE_PROFILES_SCOPE):
            if (!pp_wire_sub(&w, &sub) || !decode_scope(d, sub, &scope))
                return false;
            break;
        case PP_TAG_LEN(PP_SCOPE_PROFILES_PROFILES):
            if (!pp_wire_sub(&w, &sub) || !decode_profile(d, sub))
                return false;
            d->data->spans->profiles[d->t->profiles.n - 1] = (struct pp_str){(const char *)from, (size_t)(w.p - from)};
            break;
        case PP_TAG_LEN(PP_SCOPE_PROFILES_SCHEMA_URL):
            scope.schema_url = pp_decode_str(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_SCOPE_PROFILES, d->t->scopes.n))
                return false;
        }
    }
    scope.profiles.n = d->t->profiles.n - scope.profiles.first;
    d->t->scopes.v[d->t->scopes.n++] = scope;
    return true;
}

/* The resource comes before its scopes in two walks, so that its attributes stand in one piece whatever the order on the wire. */
bool pp_decode_resource_alone(struct pp_decode *d, struct pp_wire w, struct pp_resource *r)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_LEN(PP_RESOURCE_PROFILES_RESOURCE)) {
            if (!pp_wire_sub(&w, &sub) || !decode_resource(d, sub, r))
                return false;
        } else if (tag == PP_TAG_LEN(PP_RESOURCE_PROFILES_SCHEMA_URL)) {
            r->schema_url = pp_decode_str(&w);
        } else if (tag == PP_TAG_LEN(PP_RESOURCE_PROFILES_SCOPES)) {
            pp_wire_skip(&w, tag);
        } else if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_RESOURCE_PROFILES, d->t->resources.n)) {
            return false;
        }
    }
    return true;
}

bool pp_decode_resource_profiles(struct pp_decode *d, struct pp_wire w)
{
    struct pp_resource resource = {.attributes.first = d->t->key_values.n, .scopes.first = d->t->scopes.n};
    struct pp_wire sub;
    uint32_t tag;

    if (!pp_decode_resource_alone(d, w, &resource))
        return false;
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag != PP_TAG_LEN(PP_RESOURCE_PROFILES_SCOPES)) {
            pp_wire_skip(&w, tag);
            continue;
        }
        if (!pp_wire_sub(&w, &sub) || !decode_scope_profiles(d, sub))
            return false;
        d->data->spans->scopes[d->t->scopes.n - 1] = (struct pp_str){(const char *)from, (size_t)(w.p - from)};
    }
    resource.scopes.n = d->t->scopes.n - resource.scopes.first;
    d->t->resources.v[d->t->resources.n++] = resource;
    return true;
}
