#include "profiles/decode.h"

bool pp_decode_unknown_at(struct pp_decode *d, struct pp_wire *w, const uint8_t *from, uint32_t tag,
                       enum pp_unknown_kind kind, uint32_t entry)
{
    return pp_wire_skip(w, tag) &&
           pp_unknown_add(d->data, kind, entry, (struct pp_str){(const char *)from, (size_t)(w->p - from)});
}

void pp_decode_attrs_at(struct pp_decode *d, struct pp_wire *w, uint32_t tag, struct pp_range *range)
{
    int32_t *to = d->t->attr_indices.v + d->t->attr_indices.n, *const from = to;
    struct pp_wire packed;

    if (PP_WIRE_TYPE(tag) == PP_WIRE_VARINT) {
        *to++ = pp_decode_int32(w);
    } else if (pp_wire_sub(w, &packed)) {
        while (pp_wire_more(&packed))
            *to++ = pp_decode_int32(&packed);
    }
    d->t->attr_indices.n += (uint32_t)(to - from);
    range->n += (uint32_t)(to - from);
}

/* Every table has some room, so that its address plus an empty range is always one that may be formed. */
static bool make_room(struct pp_tables *t, const struct pp_otlp_counts *n)
{
#define ROOM(table, count)                                                                         \
    ((t->table.v = pp_block_new((count) ? (count) : 1, sizeof(*t->table.v))) && (t->table.cap = (count) ? (count) : 1))
#define COLUMN(column) (n->samples == 0 || (t->samples.column = pp_block_new(n->samples, sizeof(*t->samples.column))))
    t->samples.cap = n->samples;
    return ROOM(strings, n->strings) && ROOM(functions, n->functions) && ROOM(mappings, n->mappings) &&
           ROOM(locations, n->locations) && ROOM(lines, n->lines) && ROOM(stacks, n->stacks) &&
           ROOM(location_indices, n->location_indices) && ROOM(links, n->links) && ROOM(attributes, n->attributes) &&
           ROOM(attr_indices, n->attr_indices) && ROOM(key_values, n->key_values) && ROOM(resources, n->resources) &&
           ROOM(scopes, n->scopes) && ROOM(profiles, n->profiles) && ROOM(values, n->values) &&
           ROOM(timestamps, n->timestamps) && COLUMN(stack) && COLUMN(link) && COLUMN(attrs) && COLUMN(values) &&
           COLUMN(timestamps);
#undef ROOM
#undef COLUMN
}

static bool decode_dictionaries(struct pp_decode *d, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag != PP_TAG_LEN(PP_REQUEST_DICTIONARY))
            pp_wire_skip(&w, tag);
        else if (!pp_wire_sub(&w, &sub) || !pp_decode_dictionary(d, sub))
            return false;
    }
    return pp_data_add_zero_entries(d->data) && (!d->data->references || pp_decode_resolve_attributes(d));
}

static bool decode_resources(struct pp_decode *d, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_LEN(PP_REQUEST_RESOURCE_PROFILES)) {
            if (!pp_wire_sub(&w, &sub) || !pp_decode_resource_profiles(d, sub))
                return false;
            d->data->spans->resources[d->t->resources.n - 1] = (struct pp_str){(const char *)from, (size_t)(w.p - from)};
        } else if (tag == PP_TAG_LEN(PP_REQUEST_DICTIONARY)) {
            pp_wire_skip(&w, tag);
        } else if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_REQUEST, 0)) {
            return false;
        }
    }
    return true;
}

/* What of an old layout cannot be copied into a message of the current one. */
static unsigned layout_dirt(enum pp_layout layout)
{
    if (layout == PP_LAYOUT_1_8)
        return PP_EDIT_SAMPLES | PP_EDIT_PROFILES;
    return layout == PP_LAYOUT_1_9 ? PP_EDIT_SAMPLES : 0;
}

struct pp_data *pp_data_decode(struct pp_bytes *wire, const struct pp_otlp_info *info, struct pp_storage *keep)
{
    struct pp_data *data = pp_data_new(pp_storage_new(keep ? NULL : wire, keep));
    struct pp_decode d = {.data = data, .layout = info->layout, .broken = layout_dirt(info->layout)};
    struct pp_wire w = pp_wire_from(pp_bytes_str(wire));

    if (!data)
        return NULL;
    d.t = &data->tables;
    data->clean = ~0u;
    data->references = info->references;
    data->spans = pp_spans_new(&info->counts);
    if (!data->spans || !make_room(d.t, &info->counts) || !decode_dictionaries(&d, w) || !decode_resources(&d, w)) {
        pp_data_free(data);
        return NULL;
    }
    data->clean &= ~d.broken;
    return data;
}
