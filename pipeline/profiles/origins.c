#include "profiles/origins.h"

#include <assert.h>

#include "profiles/decode.h"
#include "profiles/edit.h"
#include "profiles/encode_impl.h"

/* Tag and length around a message or text, at most. */
#define HEAD_BYTES_MAX (PP_OUT_TAG_BYTES_MAX + PP_OUT_LEN_BYTES_MAX)

bool pp_origins_possible(const struct pp_otlp_info *info)
{
    return !pp_layout_is_old(info->layout) && !info->references;
}

static bool make_room(struct pp_data *data, const struct pp_otlp_info *info)
{
    const struct pp_otlp_counts only = {.resources = info->counts.resources};
    struct pp_tables *t = &data->tables;

    data->spans = pp_spans_new(&only);
    return data->spans && pp_table_reserve(&t->resources, (size_t)info->counts.resources + 1) &&
           pp_table_reserve(&t->key_values, (size_t)info->counts.key_values + 1);
}

static bool decode_resources(struct pp_decode *d, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        struct pp_resource resource = {.attributes.first = d->t->key_values.n};

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag != PP_TAG_LEN(PP_REQUEST_RESOURCE_PROFILES)) {
            pp_wire_skip(&w, tag);
            continue;
        }
        if (!pp_wire_sub(&w, &sub) || !pp_decode_resource_alone(d, sub, &resource))
            return false;
        d->data->spans->resources[d->t->resources.n] = (struct pp_str){(const char *)sub.p, (size_t)(sub.end - sub.p)};
        d->t->resources.v[d->t->resources.n++] = resource;
    }
    return true;
}

struct pp_data *pp_origins_decode(struct pp_bytes *wire, const struct pp_otlp_info *info)
{
    struct pp_data *data = pp_data_new(pp_storage_new(wire, NULL));
    struct pp_decode d = {.data = data, .layout = info->layout};

    if (!data)
        return NULL;
    d.t = &data->tables;
    if (!make_room(data, info) || !decode_resources(&d, pp_wire_from(pp_bytes_str(wire)))) {
        pp_data_free(data);
        return NULL;
    }
    data->message = wire;
    data->pairs_decoded = d.t->key_values.n;
    return data;
}

/* Lists are only ever changed by moving them behind the others. */
static bool take_over(struct pp_tables *to, const struct pp_data *origins, uint32_t i)
{
    const struct pp_resource *from = &origins->tables.resources.v[i];
    struct pp_resource *resource = &to->resources.v[i];

    resource->schema_url = from->schema_url;
    resource->dropped_attributes_count = from->dropped_attributes_count;
    if (from->attributes.n > 0 && from->attributes.first < origins->pairs_decoded)
        return true;
    if (!pp_table_reserve(&to->key_values, from->attributes.n))
        return false;
    resource->attributes = (struct pp_range){to->key_values.n, from->attributes.n};
    memcpy(to->key_values.v + to->key_values.n, origins->tables.key_values.v + from->attributes.first,
           from->attributes.n * sizeof(*to->key_values.v));
    to->key_values.n += from->attributes.n;
    return true;
}

struct pp_data *pp_origins_complete(const struct pp_data *origins, const struct pp_otlp_info *info)
{
    struct pp_data *data = pp_data_decode(origins->message, info, origins->storage);

    if (!data)
        return NULL;
    assert(data->tables.resources.n == origins->tables.resources.n);
    for (uint32_t i = 0; i < origins->tables.resources.n; i++)
        if (!take_over(&data->tables, origins, i)) {
            pp_data_free(data);
            return NULL;
        }
    data->clean &= ~(unsigned)PP_EDIT_RESOURCES;
    return data;
}

size_t pp_origins_wire_bytes(const struct pp_data *origins)
{
    const struct pp_tables *t = &origins->tables;
    size_t bytes = origins->message->len;

    for (uint32_t i = 0; i < t->resources.n; i++) {
        struct pp_range pairs = t->resources.v[i].attributes;

        bytes += 3 * HEAD_BYTES_MAX + PP_OUT_SCALAR_BYTES_MAX + t->resources.v[i].schema_url.n;
        for (uint32_t k = pairs.first; k < pairs.first + pairs.n; k++)
            bytes += 3 * HEAD_BYTES_MAX + t->key_values.v[k].key.n + t->key_values.v[k].value.n;
    }
    return bytes;
}

/* Of a message the fields with this tag, as they came. */
static void copy_fields(struct pp_encode *e, struct pp_wire w, uint32_t wanted)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag) || !pp_wire_skip(&w, tag))
            return;
        if (tag == wanted)
            pp_buf_add(&e->out, from, (size_t)(w.p - from));
    }
}

static void encode_resource(struct pp_encode *e, uint32_t i)
{
    struct pp_str span = e->data->spans->resources[i];
    unsigned reserved = pp_varint_size(span.n);
    size_t body = pp_out_begin(&e->out, PP_REQUEST_RESOURCE_PROFILES, reserved);

    pp_encode_resource_alone(e, i);
    copy_fields(e, pp_wire_from(span), PP_TAG_LEN(PP_RESOURCE_PROFILES_SCOPES));
    pp_out_add_text(&e->out, PP_RESOURCE_PROFILES_SCHEMA_URL, e->t->resources.v[i].schema_url);
    pp_encode_unknown(e, PP_UNKNOWN_RESOURCE_PROFILES, i);
    pp_out_end(&e->out, body, reserved);
}

/* Unknown fields of the request: all that is neither of the two. */
static void copy_unknown(struct pp_encode *e, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag) || !pp_wire_skip(&w, tag))
            return;
        if (PP_WIRE_FIELD(tag) > PP_REQUEST_DICTIONARY)
            pp_buf_add(&e->out, from, (size_t)(w.p - from));
    }
}

bool pp_origins_encode(const struct pp_data *origins, struct pp_bytes **ret, struct pp_error *err)
{
    struct pp_wire message = pp_wire_from(pp_bytes_str(origins->message));
    struct pp_encode e = {.data = origins, .t = &origins->tables};
    struct pp_bytes *bytes = NULL;

    pp_buf_init(&e.out, PP_OTLP_MESSAGE_BYTES_MAX);
    if (pp_buf_reserve(&e.out, pp_origins_wire_bytes(origins) + PP_ENCODE_SLACK_BYTES)) {
        for (uint32_t i = 0; i < origins->tables.resources.n; i++)
            encode_resource(&e, i);
        copy_fields(&e, message, PP_TAG_LEN(PP_REQUEST_DICTIONARY));
        copy_unknown(&e, message);
        bytes = pp_bytes_take(&e.out);
    }
    pp_buf_done(&e.out);
    if (!bytes)
        return pp_error_set(err, PP_ERR_NOMEM, "out of memory, or the message is over 2 GiB");
    *ret = bytes;
    return true;
}
