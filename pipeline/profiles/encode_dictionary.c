#include "profiles/encode_impl.h"

static const int32_t *attrs_of(const struct pp_encode *e, struct pp_range range)
{
    return e->t->attr_indices.v + range.first;
}

static void encode_mapping(struct pp_encode *e, uint32_t i)
{
    const struct pp_mapping *m = &e->t->mappings.v[i];
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_MAPPING, 4 * PP_OUT_SCALAR_BYTES_MAX + PP_OUT_PACKED_BYTES_MAX(m->attrs.n),
                                      PP_UNKNOWN_MAPPING, i, &unknown),
            *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_MAPPING_START, m->memory_start);
    p = pp_out_varint_field(p, PP_MAPPING_LIMIT, m->memory_limit);
    p = pp_out_varint_field(p, PP_MAPPING_OFFSET, m->file_offset);
    p = pp_out_varint_field(p, PP_MAPPING_FILENAME, (uint32_t)m->filename);
    p = pp_out_packed_int32(p, PP_MAPPING_ATTRIBUTES, attrs_of(e, m->attrs), m->attrs.n);
    pp_encode_leaf_end(e, body, p, unknown);
}

#define LINE_BYTES_MAX (3 * PP_OUT_SCALAR_BYTES_MAX + PP_OUT_TAG_BYTES_MAX + PP_OUT_LEN_BYTES_MAX)

static uint8_t *encode_line(struct pp_encode *e, uint8_t *p, uint32_t i)
{
    const struct pp_line *line = &e->t->lines.v[i];
    struct pp_str unknown = pp_unknown_find(e->data, PP_UNKNOWN_LINE, i);
    uint8_t *body;

    *p = (uint8_t)PP_TAG_LEN(PP_LOCATION_LINES);
    body = p += 2;
    p = pp_out_varint_field(p, PP_LINE_FUNCTION, (uint32_t)line->function);
    p = pp_out_varint_field(p, PP_LINE_LINE, (uint64_t)line->line);
    p = pp_out_varint_field(p, PP_LINE_COLUMN, (uint64_t)line->column);
    if (unknown.n)
        p = (uint8_t *)memcpy(p, unknown.p, unknown.n) + unknown.n;
    return pp_out_close(body, p, 1);
}

static size_t lines_bytes_max(const struct pp_encode *e, struct pp_range lines)
{
    size_t bytes = lines.n * LINE_BYTES_MAX;

    for (uint32_t i = 0; e->data->unknown[PP_UNKNOWN_LINE].n && i < lines.n; i++)
        bytes += pp_unknown_find(e->data, PP_UNKNOWN_LINE, lines.first + i).n;
    return bytes;
}

static void encode_location(struct pp_encode *e, uint32_t i)
{
    const struct pp_location *l = &e->t->locations.v[i];
    size_t max = 2 * PP_OUT_SCALAR_BYTES_MAX + lines_bytes_max(e, l->lines) + PP_OUT_PACKED_BYTES_MAX(l->attrs.n);
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_LOCATION, max, PP_UNKNOWN_LOCATION, i, &unknown), *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_LOCATION_MAPPING, (uint32_t)l->mapping);
    p = pp_out_varint_field(p, PP_LOCATION_ADDRESS, l->address);
    for (uint32_t line = 0; line < l->lines.n; line++)
        p = encode_line(e, p, l->lines.first + line);
    p = pp_out_packed_int32(p, PP_LOCATION_ATTRIBUTES, attrs_of(e, l->attrs), l->attrs.n);
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_function(struct pp_encode *e, uint32_t i)
{
    const struct pp_function *f = &e->t->functions.v[i];
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_FUNCTION, 4 * PP_OUT_SCALAR_BYTES_MAX, PP_UNKNOWN_FUNCTION, i, &unknown),
            *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_FUNCTION_NAME, (uint32_t)f->name);
    p = pp_out_varint_field(p, PP_FUNCTION_SYSTEM_NAME, (uint32_t)f->system_name);
    p = pp_out_varint_field(p, PP_FUNCTION_FILENAME, (uint32_t)f->filename);
    p = pp_out_varint_field(p, PP_FUNCTION_START_LINE, (uint64_t)f->start_line);
    pp_encode_leaf_end(e, body, p, unknown);
}

static bool all_zero(const uint8_t *v, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= v[i];
    return any == 0;
}

static void encode_link(struct pp_encode *e, uint32_t i)
{
    const struct pp_link *l = &e->t->links.v[i];
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_LINK, sizeof(*l) + 4, PP_UNKNOWN_LINK, i, &unknown), *body = p;

    if (!p)
        return;
    if (!all_zero(l->trace_id, sizeof(l->trace_id)))
        p = pp_out_bytes(p, PP_LINK_TRACE_ID, l->trace_id, sizeof(l->trace_id));
    if (!all_zero(l->span_id, sizeof(l->span_id)))
        p = pp_out_bytes(p, PP_LINK_SPAN_ID, l->span_id, sizeof(l->span_id));
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_string(struct pp_encode *e, uint32_t i)
{
    pp_out_add_bytes(&e->out, PP_DICTIONARY_STRING, e->t->strings.v[i]);
}

static void encode_attribute(struct pp_encode *e, uint32_t i)
{
    const struct pp_attribute *a = &e->t->attributes.v[i];
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_ATTRIBUTE, 3 * PP_OUT_SCALAR_BYTES_MAX + a->value.n,
                                      PP_UNKNOWN_ATTRIBUTE, i, &unknown),
            *body = p;

    if (!p)
        return;
    p = pp_out_varint_field(p, PP_ATTRIBUTE_KEY, (uint32_t)a->key);
    if (a->value.n)
        p = pp_out_bytes(p, PP_ATTRIBUTE_VALUE, a->value.p, a->value.n);
    p = pp_out_varint_field(p, PP_ATTRIBUTE_UNIT, (uint32_t)a->unit);
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_stack(struct pp_encode *e, uint32_t i)
{
    struct pp_range locations = e->t->stacks.v[i].locations;
    struct pp_str unknown;
    uint8_t *p = pp_encode_leaf_begin(e, PP_DICTIONARY_STACK, PP_OUT_PACKED_BYTES_MAX(locations.n), PP_UNKNOWN_STACK, i, &unknown),
            *body = p;

    if (!p)
        return;
    p = pp_out_packed_int32(p, PP_STACK_LOCATIONS, e->t->location_indices.v + locations.first, locations.n);
    pp_encode_leaf_end(e, body, p, unknown);
}

static void encode_table(struct pp_encode *e, uint32_t field, unsigned set, uint32_t n,
                         void (*encode_entry)(struct pp_encode *e, uint32_t i))
{
    if (pp_encode_is_clean(e, set)) {
        pp_buf_add_str(&e->out, e->data->spans->tables[field]);
        return;
    }
    for (uint32_t i = 0; i < n && !e->out.failed; i++)
        encode_entry(e, i);
}

void pp_encode_dictionary(struct pp_encode *e)
{
    const struct pp_tables *t = e->t;
    size_t body = pp_out_begin(&e->out, PP_REQUEST_DICTIONARY, e->reserved);

    encode_table(e, PP_DICTIONARY_MAPPING, PP_EDIT_MAPPINGS, t->mappings.n, encode_mapping);
    encode_table(e, PP_DICTIONARY_LOCATION, PP_EDIT_LOCATIONS, t->locations.n, encode_location);
    encode_table(e, PP_DICTIONARY_FUNCTION, PP_EDIT_FUNCTIONS, t->functions.n, encode_function);
    encode_table(e, PP_DICTIONARY_LINK, PP_EDIT_LINKS, t->links.n, encode_link);
    encode_table(e, PP_DICTIONARY_STRING, PP_EDIT_STRINGS, t->strings.n, encode_string);
    for (size_t i = 0; i < e->added.n; i++)
        pp_out_add_bytes(&e->out, PP_DICTIONARY_STRING, e->added.v[i]);
    encode_table(e, PP_DICTIONARY_ATTRIBUTE, PP_EDIT_ATTRIBUTES, t->attributes.n, encode_attribute);
    encode_table(e, PP_DICTIONARY_STACK, PP_EDIT_STACKS, t->stacks.n, encode_stack);
    pp_encode_unknown(e, PP_UNKNOWN_DICTIONARY, 0);
    pp_out_end(&e->out, body, e->reserved);
}
