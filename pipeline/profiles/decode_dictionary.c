#include "profiles/decode.h"

static bool decode_function(struct pp_decode *d, struct pp_wire w)
{
    struct pp_function *f = &d->t->functions.v[d->t->functions.n];
    uint32_t tag;

    *f = (struct pp_function){0};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_VARINT(PP_FUNCTION_NAME):
            f->name = pp_decode_int32(&w);
            break;
        case PP_TAG_VARINT(PP_FUNCTION_SYSTEM_NAME):
            f->system_name = pp_decode_int32(&w);
            break;
        case PP_TAG_VARINT(PP_FUNCTION_FILENAME):
            f->filename = pp_decode_int32(&w);
            break;
        case PP_TAG_VARINT(PP_FUNCTION_START_LINE):
            f->start_line = (int64_t)pp_decode_uint64(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_FUNCTION, d->t->functions.n))
                return false;
        }
    }
    d->t->functions.n++;
    return true;
}

static bool decode_mapping(struct pp_decode *d, struct pp_wire w)
{
    struct pp_mapping *m = &d->t->mappings.v[d->t->mappings.n];
    uint32_t tag;

    *m = (struct pp_mapping){.attrs.first = d->t->attr_indices.n};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_VARINT(PP_MAPPING_START):
            m->memory_start = pp_decode_uint64(&w);
            break;
        case PP_TAG_VARINT(PP_MAPPING_LIMIT):
            m->memory_limit = pp_decode_uint64(&w);
            break;
        case PP_TAG_VARINT(PP_MAPPING_OFFSET):
            m->file_offset = pp_decode_uint64(&w);
            break;
        case PP_TAG_VARINT(PP_MAPPING_FILENAME):
            m->filename = pp_decode_int32(&w);
            break;
        case PP_TAG_LEN(PP_MAPPING_ATTRIBUTES):
        case PP_TAG_VARINT(PP_MAPPING_ATTRIBUTES):
            pp_decode_attrs(d, &w, tag, &m->attrs);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_MAPPING, d->t->mappings.n))
                return false;
        }
    }
    d->t->mappings.n++;
    return true;
}

static bool decode_line(struct pp_decode *d, struct pp_wire w)
{
    struct pp_line *line = &d->t->lines.v[d->t->lines.n];
    uint32_t tag;

    *line = (struct pp_line){0};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_VARINT(PP_LINE_FUNCTION):
            line->function = pp_decode_int32(&w);
            break;
        case PP_TAG_VARINT(PP_LINE_LINE):
            line->line = (int64_t)pp_decode_uint64(&w);
            break;
        case PP_TAG_VARINT(PP_LINE_COLUMN):
            line->column = (int64_t)pp_decode_uint64(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_LINE, d->t->lines.n))
                return false;
        }
    }
    d->t->lines.n++;
    return true;
}

static bool decode_location(struct pp_decode *d, struct pp_wire w)
{
    struct pp_location *l = &d->t->locations.v[d->t->locations.n];
    struct pp_wire line;
    uint32_t tag;

    *l = (struct pp_location){.lines.first = d->t->lines.n, .attrs.first = d->t->attr_indices.n};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_VARINT(PP_LOCATION_MAPPING):
            l->mapping = pp_decode_int32(&w);
            break;
        case PP_TAG_VARINT(PP_LOCATION_ADDRESS):
            l->address = pp_decode_uint64(&w);
            break;
        case PP_TAG_LEN(PP_LOCATION_LINES):
            if (!pp_wire_sub(&w, &line) || !decode_line(d, line))
                return false;
            l->lines.n++;
            break;
        case PP_TAG_LEN(PP_LOCATION_ATTRIBUTES):
        case PP_TAG_VARINT(PP_LOCATION_ATTRIBUTES):
            pp_decode_attrs(d, &w, tag, &l->attrs);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_LOCATION, d->t->locations.n))
                return false;
        }
    }
    d->t->locations.n++;
    return true;
}

static bool decode_link(struct pp_decode *d, struct pp_wire w)
{
    struct pp_link *link = &d->t->links.v[d->t->links.n];
    struct pp_str id;
    uint32_t tag;

    *link = (struct pp_link){0};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        if (tag == PP_TAG_LEN(PP_LINK_TRACE_ID)) {
            id = pp_decode_str(&w);
            memcpy(link->trace_id, id.n == PP_TRACE_ID_BYTES ? id.p : (char[PP_TRACE_ID_BYTES]){0}, PP_TRACE_ID_BYTES);
        } else if (tag == PP_TAG_LEN(PP_LINK_SPAN_ID)) {
            id = pp_decode_str(&w);
            memcpy(link->span_id, id.n == PP_SPAN_ID_BYTES ? id.p : (char[PP_SPAN_ID_BYTES]){0}, PP_SPAN_ID_BYTES);
        } else if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_LINK, d->t->links.n)) {
            return false;
        }
    }
    d->t->links.n++;
    return true;
}

static bool decode_attribute(struct pp_decode *d, struct pp_wire w)
{
    struct pp_attribute *a = &d->t->attributes.v[d->t->attributes.n];
    uint32_t tag;

    *a = (struct pp_attribute){0};
    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_VARINT(PP_ATTRIBUTE_KEY):
            a->key = pp_decode_int32(&w);
            break;
        case PP_TAG_LEN(PP_ATTRIBUTE_VALUE):
            a->value = pp_decode_str(&w);
            break;
        case PP_TAG_VARINT(PP_ATTRIBUTE_UNIT):
            a->unit = pp_decode_int32(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_ATTRIBUTE, d->t->attributes.n))
                return false;
        }
    }
    d->t->attributes.n++;
    return true;
}

static void decode_locations(struct pp_tables *t, struct pp_wire packed)
{
    int32_t *to = t->location_indices.v + t->location_indices.n, *const limit = t->location_indices.v + t->location_indices.cap;

    while (pp_wire_more(&packed) && to < limit)
        *to++ = pp_decode_int32(&packed);
    t->location_indices.n = (uint32_t)(to - t->location_indices.v);
}

static bool decode_stack(struct pp_decode *d, struct pp_wire w)
{
    struct pp_tables *t = d->t;
    uint32_t first = t->location_indices.n, tag;
    struct pp_wire packed;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (!pp_wire_tag(&w, &tag))
            return false;
        switch (tag) {
        case PP_TAG_LEN(PP_STACK_LOCATIONS):
            if (!pp_wire_sub(&w, &packed))
                return false;
            decode_locations(t, packed);
            break;
        case PP_TAG_VARINT(PP_STACK_LOCATIONS):
            t->location_indices.v[t->location_indices.n++] = pp_decode_int32(&w);
            break;
        default:
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_STACK, t->stacks.n))
                return false;
        }
    }
    t->stacks.v[t->stacks.n++] = (struct pp_stack){{first, t->location_indices.n - first}};
    return true;
}

typedef bool decode_entry(struct pp_decode *d, struct pp_wire w);

static decode_entry *const entry_decoders[PP_DICTIONARY_STACK + 1] = {
    [PP_DICTIONARY_MAPPING] = decode_mapping,     [PP_DICTIONARY_LOCATION] = decode_location,
    [PP_DICTIONARY_FUNCTION] = decode_function,   [PP_DICTIONARY_LINK] = decode_link,
    [PP_DICTIONARY_ATTRIBUTE] = decode_attribute, [PP_DICTIONARY_STACK] = decode_stack,
};

static const unsigned entry_sets[PP_DICTIONARY_STACK + 1] = {
    [PP_DICTIONARY_MAPPING] = PP_EDIT_MAPPINGS,     [PP_DICTIONARY_LOCATION] = PP_EDIT_LOCATIONS,
    [PP_DICTIONARY_FUNCTION] = PP_EDIT_FUNCTIONS,   [PP_DICTIONARY_LINK] = PP_EDIT_LINKS,
    [PP_DICTIONARY_STRING] = PP_EDIT_STRINGS,       [PP_DICTIONARY_ATTRIBUTE] = PP_EDIT_ATTRIBUTES,
    [PP_DICTIONARY_STACK] = PP_EDIT_STACKS,
};

bool pp_decode_dictionary(struct pp_decode *d, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;
        uint32_t field;

        if (!pp_wire_tag(&w, &tag))
            return false;
        field = PP_WIRE_FIELD(tag);
        if (field > PP_DICTIONARY_STACK) {
            if (!pp_decode_unknown(d, &w, from, tag, PP_UNKNOWN_DICTIONARY, 0))
                return false;
            continue;
        }
        if (tag == PP_TAG_LEN(PP_DICTIONARY_STRING))
            d->t->strings.v[d->t->strings.n++] = pp_decode_str(&w);
        else if (!pp_wire_sub(&w, &sub) || !entry_decoders[field](d, sub))
            return false;
        pp_decode_span(d, &d->data->spans->tables[field], from, w.p, entry_sets[field]);
    }
    return true;
}

bool pp_decode_resolve_attributes(struct pp_decode *d)
{
    for (uint32_t i = 0; i < d->t->attributes.n; i++) {
        struct pp_str *value = &d->t->attributes.v[i].value;

        if (!pp_value_inline(&d->data->storage->arena, d->t, *value, value))
            return false;
    }
    return true;
}
