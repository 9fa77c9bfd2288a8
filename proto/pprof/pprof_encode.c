#include "pprof/pprof.h"

#define TAG_VARINT(field) ((uint64_t)(field) << 3)
#define TAG_LEN(field) ((uint64_t)(field) << 3 | 2)
#define VARINT_BYTES_MAX 10u
#define PACK_ABOVE 2u /* google/pprof packs longer lists only */

static void put_varint(struct pp_buf *buf, uint64_t n)
{
    char *p = pp_buf_reserve(buf, VARINT_BYTES_MAX);
    size_t i = 0;

    if (!p)
        return;
    for (; n >= 0x80; n >>= 7)
        p[i++] = (char)(n | 0x80);
    p[i++] = (char)n;
    buf->len += i;
}

static void put_number_always(struct pp_buf *buf, uint32_t field, uint64_t n)
{
    put_varint(buf, TAG_VARINT(field));
    put_varint(buf, n);
}

static void put_number(struct pp_buf *buf, uint32_t field, uint64_t n)
{
    if (n)
        put_number_always(buf, field, n);
}

static void put_bytes(struct pp_buf *buf, uint32_t field, struct pp_str s)
{
    put_varint(buf, TAG_LEN(field));
    put_varint(buf, s.n);
    pp_buf_add_str(buf, s);
}

/* Messages are made in `sub` (and `inner` for those inside them), since their length comes first. */
struct encoder {
    const struct pp_pprof *p;
    struct pp_buf *out, sub, inner;
};

static void put_sub(struct encoder *e, uint32_t field)
{
    if (e->sub.failed)
        e->out->failed = true;
    put_bytes(e->out, field, pp_buf_str(&e->sub));
    pp_buf_reset(&e->sub);
}

static void put_inner(struct encoder *e, uint32_t field)
{
    if (e->inner.failed)
        e->sub.failed = true;
    put_bytes(&e->sub, field, pp_buf_str(&e->inner));
    pp_buf_reset(&e->inner);
}

static void put_value_type(struct encoder *e, uint32_t field, struct pp_pprof_value_type type)
{
    put_number(&e->sub, 1, type.type);
    put_number(&e->sub, 2, type.unit);
    put_sub(e, field);
}

static void put_locations(struct encoder *e, struct pp_pprof_list list)
{
    const uint32_t *refs = list.n ? e->p->location_refs.v + list.first : NULL;

    for (uint32_t i = 0; i < list.n; i++)
        if (list.n > PACK_ABOVE)
            put_varint(&e->inner, e->p->locations.v[refs[i]].id);
        else
            put_number_always(&e->sub, 1, e->p->locations.v[refs[i]].id);
    if (list.n > PACK_ABOVE)
        put_inner(e, 1);
}

static void put_values(struct encoder *e, struct pp_pprof_list list)
{
    const int64_t *values = list.n ? e->p->values.v + list.first : NULL;

    for (uint32_t i = 0; i < list.n; i++)
        if (list.n > PACK_ABOVE)
            put_varint(&e->inner, (uint64_t)values[i]);
        else
            put_number_always(&e->sub, 2, (uint64_t)values[i]);
    if (list.n > PACK_ABOVE)
        put_inner(e, 2);
}

static void put_sample(struct encoder *e, const struct pp_pprof_sample *sample)
{
    put_locations(e, sample->locations);
    put_values(e, sample->values);
    for (uint32_t i = 0; i < sample->labels.n; i++) {
        const struct pp_pprof_label *label = &e->p->labels.v[sample->labels.first + i];

        put_number(&e->inner, 1, label->key);
        put_number(&e->inner, 2, label->str);
        put_number(&e->inner, 3, (uint64_t)label->num);
        put_number(&e->inner, 4, label->num_unit);
        put_inner(e, 3);
    }
    put_sub(e, 2);
}

static void put_mapping(struct encoder *e, const struct pp_pprof_mapping *m)
{
    put_number(&e->sub, 1, m->id);
    put_number(&e->sub, 2, m->memory_start);
    put_number(&e->sub, 3, m->memory_limit);
    put_number(&e->sub, 4, m->file_offset);
    put_number(&e->sub, 5, m->filename);
    put_number(&e->sub, 6, m->build_id);
    put_number(&e->sub, 7, m->has_functions);
    put_number(&e->sub, 8, m->has_filenames);
    put_number(&e->sub, 9, m->has_line_numbers);
    put_number(&e->sub, 10, m->has_inline_frames);
    put_sub(e, 3);
}

static void put_location(struct encoder *e, const struct pp_pprof_location *location)
{
    put_number(&e->sub, 1, location->id);
    if (location->mapping != PP_PPROF_NONE)
        put_number(&e->sub, 2, e->p->mappings.v[location->mapping].id);
    put_number(&e->sub, 3, location->address);
    for (uint32_t i = 0; i < location->lines.n; i++) {
        const struct pp_pprof_line *line = &e->p->lines.v[location->lines.first + i];

        put_number(&e->inner, 1, e->p->functions.v[line->function].id);
        put_number(&e->inner, 2, (uint64_t)line->line);
        put_number(&e->inner, 3, (uint64_t)line->column);
        put_inner(e, 4);
    }
    put_number(&e->sub, 5, location->is_folded);
    put_sub(e, 4);
}

static void put_function(struct encoder *e, const struct pp_pprof_function *f)
{
    put_number(&e->sub, 1, f->id);
    put_number(&e->sub, 2, f->name);
    put_number(&e->sub, 3, f->system_name);
    put_number(&e->sub, 4, f->filename);
    put_number(&e->sub, 5, (uint64_t)f->start_line);
    put_sub(e, 5);
}

static void put_comments(struct encoder *e)
{
    const struct pp_pprof *p = e->p;

    for (size_t i = 0; i < p->comments.n; i++)
        if (p->comments.n > PACK_ABOVE)
            put_varint(&e->sub, p->comments.v[i]);
        else
            put_number_always(e->out, 13, p->comments.v[i]);
    if (p->comments.n > PACK_ABOVE)
        put_sub(e, 13);
}

static void put_header(struct encoder *e)
{
    const struct pp_pprof *p = e->p;

    put_number(e->out, 7, p->drop_frames);
    put_number(e->out, 8, p->keep_frames);
    put_number(e->out, 9, (uint64_t)p->time_nanos);
    put_number(e->out, 10, (uint64_t)p->duration_nanos);
    if (p->period_type.type || p->period_type.unit)
        put_value_type(e, 11, p->period_type);
    put_number(e->out, 12, (uint64_t)p->period);
    put_comments(e);
    put_number_always(e->out, 14, p->default_sample_type);
    put_number(e->out, 15, p->doc_url);
}

bool pp_pprof_encode(const struct pp_pprof *p, struct pp_buf *buf)
{
    struct encoder e = {.p = p, .out = buf};

    pp_buf_init(&e.sub, buf->max);
    pp_buf_init(&e.inner, buf->max);
    for (size_t i = 0; i < p->sample_types.n; i++)
        put_value_type(&e, 1, p->sample_types.v[i]);
    for (size_t i = 0; i < p->samples.n; i++)
        put_sample(&e, &p->samples.v[i]);
    for (size_t i = 0; i < p->mappings.n; i++)
        put_mapping(&e, &p->mappings.v[i]);
    for (size_t i = 0; i < p->locations.n; i++)
        put_location(&e, &p->locations.v[i]);
    for (size_t i = 0; i < p->functions.n; i++)
        put_function(&e, &p->functions.v[i]);
    for (size_t i = 0; i < p->strings.n; i++)
        put_bytes(buf, 6, p->strings.v[i]);
    put_header(&e);
    pp_buf_done(&e.sub);
    pp_buf_done(&e.inner);
    return !buf->failed;
}
