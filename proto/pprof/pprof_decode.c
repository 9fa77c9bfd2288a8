/* A Profile's fields may come in any order, while entries refer to each other; so the message is walked once for each kind of entry, those first
 * that others refer to. A walk only reads tags and lengths of what it passes over. */
#include "pprof/pprof_private.h"

enum field {
    SAMPLE_TYPE = 1,
    SAMPLE = 2,
    MAPPING = 3,
    LOCATION = 4,
    FUNCTION = 5,
    STRING_TABLE = 6,
    DROP_FRAMES = 7,
    KEEP_FRAMES = 8,
    TIME_NANOS = 9,
    DURATION_NANOS = 10,
    PERIOD_TYPE = 11,
    PERIOD = 12,
    COMMENT = 13,
    DEFAULT_SAMPLE_TYPE = 14,
    DOC_URL = 15,
};

typedef bool read_field(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag);

static bool walk(struct pp_pprof_decoder *d, struct pp_str wire, unsigned fields, read_field *read)
{
    struct pp_wire w = pp_wire_from(wire);
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return pp_pprof_malformed(d, "bad field number");
        if (PP_WIRE_FIELD(tag) < 32 && fields & 1u << PP_WIRE_FIELD(tag)) {
            if (!read(d, &w, tag))
                return false;
        } else if (!pp_wire_skip(&w, tag)) {
            return pp_pprof_malformed(d, "message cut short");
        }
    }
    return true;
}

static bool read_string(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_str s;

    if (PP_WIRE_TYPE(tag) != PP_WIRE_LEN)
        return pp_pprof_malformed(d, "type mismatch");
    if (!pp_wire_len(w, &s))
        return pp_pprof_malformed(d, "message cut short");
    if (d->p->strings.n == 0 && s.n != 0)
        return pp_pprof_malformed(d, "string_table[0] must be ''");
    return PP_PPROF_PUSH(d, &d->p->strings, s);
}

/* A gzip member behind another is the usual way to get two profiles in one message. */
static bool read_time(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    uint64_t n;

    if (!pp_pprof_number(d, w, tag, &n))
        return false;
    if (d->p->time_nanos != 0)
        return pp_pprof_malformed(d, "concatenated profiles detected");
    d->p->time_nanos = (int64_t)n;
    return true;
}

static bool read_comments(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_wire packed;
    uint32_t s;

    if (PP_WIRE_TYPE(tag) != PP_WIRE_LEN)
        return pp_pprof_string_ref(d, w, tag, &s) && PP_PPROF_PUSH(d, &d->p->comments, s);
    if (!pp_pprof_message(d, w, tag, &packed))
        return false;
    while (pp_wire_more(&packed))
        if (!pp_pprof_string_ref(d, &packed, PP_WIRE_TAG(COMMENT, PP_WIRE_VARINT), &s) || !PP_PPROF_PUSH(d, &d->p->comments, s))
            return false;
    return true;
}

static bool read_int64(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, int64_t *ret)
{
    uint64_t n;

    if (!pp_pprof_number(d, w, tag, &n))
        return false;
    *ret = (int64_t)n;
    return true;
}

static bool read_header(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_pprof *p = d->p;
    struct pp_pprof_value_type type;
    struct pp_wire sub;

    switch (PP_WIRE_FIELD(tag)) {
    case SAMPLE_TYPE:
        return pp_pprof_message(d, w, tag, &sub) && pp_pprof_read_value_type(d, sub, &type) &&
               PP_PPROF_PUSH(d, &p->sample_types, type);
    case DROP_FRAMES:
        return pp_pprof_string_ref(d, w, tag, &p->drop_frames);
    case KEEP_FRAMES:
        return pp_pprof_string_ref(d, w, tag, &p->keep_frames);
    case TIME_NANOS:
        return read_time(d, w, tag);
    case DURATION_NANOS:
        return read_int64(d, w, tag, &p->duration_nanos);
    case PERIOD_TYPE:
        return pp_pprof_message(d, w, tag, &sub) && pp_pprof_read_value_type(d, sub, &p->period_type);
    case PERIOD:
        return read_int64(d, w, tag, &p->period);
    case COMMENT:
        return read_comments(d, w, tag);
    case DEFAULT_SAMPLE_TYPE:
        return pp_pprof_string_ref(d, w, tag, &p->default_sample_type);
    default: /* DOC_URL */
        return pp_pprof_string_ref(d, w, tag, &p->doc_url);
    }
}

static bool read_mapping_or_function(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_wire sub;

    if (!pp_pprof_message(d, w, tag, &sub))
        return false;
    return PP_WIRE_FIELD(tag) == MAPPING ? pp_pprof_read_mapping(d, sub) : pp_pprof_read_function(d, sub);
}

static bool read_location(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_wire sub;

    return pp_pprof_message(d, w, tag, &sub) && pp_pprof_read_location(d, sub);
}

static bool read_sample(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    struct pp_wire sub;

    return pp_pprof_message(d, w, tag, &sub) && pp_pprof_read_sample(d, sub);
}

#define HEADER_FIELDS                                                                                                  \
    (1u << SAMPLE_TYPE | 1u << DROP_FRAMES | 1u << KEEP_FRAMES | 1u << TIME_NANOS | 1u << DURATION_NANOS |            \
     1u << PERIOD_TYPE | 1u << PERIOD | 1u << COMMENT | 1u << DEFAULT_SAMPLE_TYPE | 1u << DOC_URL)

static bool decode_strings(struct pp_pprof_decoder *d, struct pp_str wire)
{
    if (!walk(d, wire, 1u << STRING_TABLE, read_string))
        return false;
    return d->p->strings.n > 0 || PP_PPROF_PUSH(d, &d->p->strings, PP_STR(""));
}

static bool decode_all(struct pp_pprof_decoder *d, struct pp_str wire)
{
    struct pp_pprof *p = d->p;

    if (!decode_strings(d, wire) || !walk(d, wire, HEADER_FIELDS, read_header) ||
        !walk(d, wire, 1u << MAPPING | 1u << FUNCTION, read_mapping_or_function))
        return false;
    if (!pp_pprof_ids_init(&d->mappings, "mapping", p->mappings.v, p->mappings.n, sizeof(*p->mappings.v), d->err) ||
        !pp_pprof_ids_init(&d->functions, "function", p->functions.v, p->functions.n, sizeof(*p->functions.v), d->err) ||
        !walk(d, wire, 1u << LOCATION, read_location))
        return false;
    if (!pp_pprof_ids_init(&d->locations, "location", p->locations.v, p->locations.n, sizeof(*p->locations.v), d->err) ||
        !walk(d, wire, 1u << SAMPLE, read_sample))
        return false;
    if (p->samples.n > 0 && p->sample_types.n == 0)
        return pp_pprof_malformed(d, "missing sample type information");
    return true;
}

static size_t table_bytes_max(size_t wire_bytes)
{
    if (wire_bytes > (PP_PPROF_BYTES_MAX - PP_PPROF_BYTES_MIN) / PP_PPROF_BYTES_PER_WIRE_BYTE)
        return PP_PPROF_BYTES_MAX;
    return wire_bytes * PP_PPROF_BYTES_PER_WIRE_BYTE + PP_PPROF_BYTES_MIN;
}

bool pp_pprof_decode(struct pp_str wire, struct pp_pprof *ret, struct pp_error *err)
{
    struct pp_pprof p = {0};
    struct pp_pprof_decoder d = {.p = &p, .err = err, .budget = table_bytes_max(wire.n)};
    bool ok;

    if (wire.n == 0)
        return pp_error_set(err, PP_ERR_INVALID, "empty input file");
    if (wire.n > UINT32_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "profile of %zu bytes: more than 4 GiB", wire.n);
    ok = decode_all(&d, wire);
    pp_pprof_ids_done(&d.mappings);
    pp_pprof_ids_done(&d.functions);
    pp_pprof_ids_done(&d.locations);
    if (!ok) {
        pp_pprof_done(&p);
        return false;
    }
    *ret = p;
    return true;
}

void pp_pprof_done(struct pp_pprof *p)
{
    pp_vec_done(&p->strings);
    pp_vec_done(&p->sample_types);
    pp_vec_done(&p->samples);
    pp_vec_done(&p->mappings);
    pp_vec_done(&p->locations);
    pp_vec_done(&p->functions);
    pp_vec_done(&p->location_refs);
    pp_vec_done(&p->values);
    pp_vec_done(&p->labels);
    pp_vec_done(&p->lines);
    pp_vec_done(&p->comments);
    *p = (struct pp_pprof){0};
}
