/* Resources down to samples. The messages resource, scope, sample_type and period_type are always there, as the Collector writes them:
 * some receivers cannot do without. */
#include "profiles/encode_impl.h"

#include "profiles/any_value.h"

static void encode_sample(struct pp_encode *e, uint32_t i)
{
    const struct pp_samples *s = &e->t->samples;
    struct pp_range attrs = s->attrs[i], values = s->values[i], timestamps = s->timestamps[i];
    size_t max = 2 * PP_OUT_SCALAR_BYTES_MAX + PP_OUT_PACKED_BYTES_MAX(attrs.n) + PP_OUT_PACKED_BYTES_MAX(values.n) +
                 PP_OUT_SCALAR_BYTES_MAX + 8 * (size_t)timestamps.n;
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_PROFILE_SAMPLES, max, PP_UNKNOWN_SAMPLE, i, &unknown), *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_SAMPLE_STACK, (uint32_t)s->stack[i]);
    p = pp_out_packed_int32(p, PP_SAMPLE_ATTRIBUTES, e->t->attr_indices.v + attrs.first, attrs.n);
    p = pp_out_varint_field(p, PP_SAMPLE_LINK, (uint32_t)s->link[i]);
    p = pp_out_packed_int64(p, PP_SAMPLE_VALUES, e->t->values.v + values.first, values.n);
    if (timestamps.n)
        p = pp_out_bytes(p, PP_SAMPLE_TIMESTAMPS, e->t->timestamps.v + timestamps.first, 8 * (size_t)timestamps.n);
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_value_type(struct pp_encode *e, uint32_t field, struct pp_value_type type, enum pp_unknown_kind kind,
                              uint32_t profile)
{
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, field, 2 * PP_OUT_SCALAR_BYTES_MAX, kind, profile, &unknown), *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_VALUE_TYPE_TYPE, (uint32_t)type.type);
    p = pp_out_varint_field(p, PP_VALUE_TYPE_UNIT, (uint32_t)type.unit);
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_samples(struct pp_encode *e, uint32_t profile)
{
    struct pp_range samples = e->t->profiles.v[profile].samples;

    if (pp_encode_is_clean(e, PP_EDIT_SAMPLES)) {
        pp_buf_add_str(&e->out, e->data->spans->samples[profile]);
        return;
    }
    for (uint32_t i = 0; i < samples.n && !e->out.failed; i++)
        encode_sample(e, samples.first + i);
}

static void encode_profile_tail(struct pp_encode *e, const struct pp_profile *profile)
{
    static const uint8_t unset[PP_PROFILE_ID_BYTES];
    size_t max = 3 * PP_OUT_SCALAR_BYTES_MAX + 2 + PP_PROFILE_ID_BYTES;
    uint8_t *p = (uint8_t *)pp_buf_reserve(&e->out, max), *start = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_PROFILE_PERIOD, (uint64_t)profile->period);
    if (memcmp(profile->profile_id, unset, sizeof(unset)) != 0)
        p = pp_out_bytes(p, PP_PROFILE_ID, profile->profile_id, sizeof(profile->profile_id));
    p = pp_out_varint_field(p, PP_PROFILE_DROPPED, profile->dropped_attributes_count);
    e->out.len += (size_t)(p - start);
    pp_out_add_text(&e->out, PP_PROFILE_PAYLOAD_FORMAT, profile->original_payload_format);
    pp_out_add_text(&e->out, PP_PROFILE_PAYLOAD, profile->original_payload);
    p = (uint8_t *)pp_buf_reserve(&e->out, PP_OUT_PACKED_BYTES_MAX(profile->attrs.n));
    if (!p)
        return;
    start = p;
    p = pp_out_packed_int32(p, PP_PROFILE_ATTRIBUTES, e->t->attr_indices.v + profile->attrs.first, profile->attrs.n);
    e->out.len += (size_t)(p - start);
}

static void encode_profile(struct pp_encode *e, uint32_t i)
{
    const struct pp_profile *profile = &e->t->profiles.v[i];
    uint8_t *p;
    size_t body;

    if (pp_encode_is_clean(e, PP_EDIT_PROFILES | PP_EDIT_SAMPLES)) {
        pp_buf_add_str(&e->out, e->data->spans->profiles[i]);
        return;
    }
    body = pp_out_begin(&e->out, PP_SCOPE_PROFILES_PROFILES, e->reserved);
    encode_value_type(e, PP_PROFILE_SAMPLE_TYPE, profile->sample_type, PP_UNKNOWN_SAMPLE_TYPE, i);
    encode_samples(e, i);
    if (profile->time_unix_nano && (p = (uint8_t *)pp_buf_reserve(&e->out, 9))) {
        *p = (uint8_t)PP_TAG_FIXED64(PP_PROFILE_TIME);
        pp_out_fixed64(p + 1, profile->time_unix_nano);
        e->out.len += 9;
    }
    pp_out_add_varint(&e->out, PP_PROFILE_DURATION, profile->duration_nano);
    encode_value_type(e, PP_PROFILE_PERIOD_TYPE, profile->period_type, PP_UNKNOWN_PERIOD_TYPE, i);
    encode_profile_tail(e, profile);
    pp_encode_unknown(e, PP_UNKNOWN_PROFILE, i);
    pp_out_end(&e->out, body, e->reserved);
}

/* A string value as a reference, any other as it is. */
static void encode_referring_value(struct pp_encode *e, struct pp_str value)
{
    struct pp_str text;
    size_t body;

    if (!pp_any_value_string(value, &text)) {
        pp_out_add_bytes(&e->out, PP_KEY_VALUE_VALUE, value);
        return;
    }
    body = pp_out_begin(&e->out, PP_KEY_VALUE_VALUE, 1);
    pp_buf_add_byte(&e->out, (char)PP_TAG_VARINT(PP_ANY_VALUE_STRING_REF));
    if (pp_buf_reserve(&e->out, PP_OUT_SCALAR_BYTES_MAX)) {
        uint8_t *p = (uint8_t *)e->out.data + e->out.len;

        e->out.len += (size_t)(pp_out_varint(p, (uint32_t)pp_encode_string_ref(e, text)) - p);
    }
    pp_out_end(&e->out, body, 1);
}

static void encode_key_values(struct pp_encode *e, uint32_t field, struct pp_range range)
{
    for (uint32_t i = range.first; i < range.first + range.n && !e->out.failed; i++) {
        const struct pp_key_value *kv = &e->t->key_values.v[i];
        size_t body = pp_out_begin(&e->out, field, 1);

        if (e->references && kv->key.n) {
            pp_out_add_varint(&e->out, PP_KEY_VALUE_KEY_REF, (uint32_t)pp_encode_string_ref(e, kv->key));
            encode_referring_value(e, kv->value);
        } else {
            pp_out_add_text(&e->out, PP_KEY_VALUE_KEY, kv->key);
            pp_out_add_bytes(&e->out, PP_KEY_VALUE_VALUE, kv->value);
        }
        pp_encode_unknown(e, PP_UNKNOWN_KEY_VALUE, i);
        pp_out_end(&e->out, body, 1);
    }
}

static void encode_scope(struct pp_encode *e, uint32_t i)
{
    const struct pp_scope *scope = &e->t->scopes.v[i];
    size_t body, inner;

    if (pp_encode_is_clean(e, PP_EDIT_SCOPES | PP_EDIT_PROFILES | PP_EDIT_SAMPLES)) {
        pp_buf_add_str(&e->out, e->data->spans->scopes[i]);
        return;
    }
    body = pp_out_begin(&e->out, PP_RESOURCE_PROFILES_SCOPES, e->reserved);
    inner = pp_out_begin(&e->out, PP_SCOPE_PROFILES_SCOPE, 1);
    pp_out_add_text(&e->out, PP_SCOPE_NAME, scope->name);
    pp_out_add_text(&e->out, PP_SCOPE_VERSION, scope->version);
    encode_key_values(e, PP_SCOPE_ATTRIBUTES, scope->attributes);
    pp_out_add_varint(&e->out, PP_SCOPE_DROPPED, scope->dropped_attributes_count);
    pp_encode_unknown(e, PP_UNKNOWN_SCOPE, i);
    pp_out_end(&e->out, inner, 1);
    for (uint32_t p = 0; p < scope->profiles.n; p++)
        encode_profile(e, scope->profiles.first + p);
    pp_out_add_text(&e->out, PP_SCOPE_PROFILES_SCHEMA_URL, scope->schema_url);
    pp_encode_unknown(e, PP_UNKNOWN_SCOPE_PROFILES, i);
    pp_out_end(&e->out, body, e->reserved);
}

void pp_encode_resource_alone(struct pp_encode *e, uint32_t i)
{
    const struct pp_resource *resource = &e->t->resources.v[i];
    size_t body = pp_out_begin(&e->out, PP_RESOURCE_PROFILES_RESOURCE, 2);

    encode_key_values(e, PP_RESOURCE_ATTRIBUTES, resource->attributes);
    pp_out_add_varint(&e->out, PP_RESOURCE_DROPPED, resource->dropped_attributes_count);
    pp_encode_unknown(e, PP_UNKNOWN_RESOURCE, i);
    pp_out_end(&e->out, body, 2);
}

static void encode_resource(struct pp_encode *e, uint32_t i)
{
    const struct pp_resource *resource = &e->t->resources.v[i];
    size_t body;

    if (pp_encode_is_clean(e, PP_EDIT_RESOURCES | PP_EDIT_SCOPES | PP_EDIT_PROFILES | PP_EDIT_SAMPLES)) {
        pp_buf_add_str(&e->out, e->data->spans->resources[i]);
        return;
    }
    body = pp_out_begin(&e->out, PP_REQUEST_RESOURCE_PROFILES, e->reserved);
    pp_encode_resource_alone(e, i);
    for (uint32_t s = 0; s < resource->scopes.n; s++)
        encode_scope(e, resource->scopes.first + s);
    pp_out_add_text(&e->out, PP_RESOURCE_PROFILES_SCHEMA_URL, resource->schema_url);
    pp_encode_unknown(e, PP_UNKNOWN_RESOURCE_PROFILES, i);
    pp_out_end(&e->out, body, e->reserved);
}

void pp_encode_resources(struct pp_encode *e)
{
    for (uint32_t i = 0; i < e->t->resources.n && !e->out.failed; i++)
        encode_resource(e, i);
}
