/* The messages inside a Profile. Numbers are read leniently, as google/pprof does: packed or not, unknown fields passed over. */
#include "pprof/pprof_private.h"

bool pp_pprof_malformed(struct pp_pprof_decoder *d, const char *what)
{
    return pp_error_set(d->err, PP_ERR_INVALID, "malformed profile: %s", what);
}

bool pp_pprof_charge(struct pp_pprof_decoder *d, size_t bytes)
{
    if (bytes > d->budget)
        return pp_error_set(d->err, PP_ERR_LIMIT, "the profile needs too much memory: more than %u bytes for each of its own, or %zu MiB",
                            PP_PPROF_BYTES_PER_WIRE_BYTE, PP_PPROF_BYTES_MAX >> 20);
    d->budget -= bytes;
    return true;
}

bool pp_pprof_number(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, uint64_t *ret)
{
    if (PP_WIRE_TYPE(tag) != PP_WIRE_VARINT)
        return pp_pprof_malformed(d, "type mismatch");
    return pp_wire_varint(w, ret) || pp_pprof_malformed(d, "bad varint");
}

static bool number_signed(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, int64_t *ret)
{
    uint64_t n;

    if (!pp_pprof_number(d, w, tag, &n))
        return false;
    *ret = (int64_t)n;
    return true;
}

static bool number_bool(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, bool *ret)
{
    uint64_t n;

    if (!pp_pprof_number(d, w, tag, &n))
        return false;
    *ret = n != 0;
    return true;
}

bool pp_pprof_string_ref(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, uint32_t *ret)
{
    uint64_t n;

    if (!pp_pprof_number(d, w, tag, &n))
        return false;
    if (n >= d->p->strings.n)
        return pp_pprof_malformed(d, "string index out of range");
    *ret = (uint32_t)n;
    return true;
}

bool pp_pprof_message(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, struct pp_wire *ret)
{
    if (PP_WIRE_TYPE(tag) != PP_WIRE_LEN)
        return pp_pprof_malformed(d, "type mismatch");
    return pp_wire_sub(w, ret) || pp_pprof_malformed(d, "message cut short");
}

static bool skip(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag)
{
    return pp_wire_skip(w, tag) || pp_pprof_malformed(d, "message cut short");
}

static bool next_tag(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t *ret)
{
    return pp_wire_tag(w, ret) || pp_pprof_malformed(d, "bad field number");
}

bool pp_pprof_read_value_type(struct pp_pprof_decoder *d, struct pp_wire w, struct pp_pprof_value_type *ret)
{
    struct pp_pprof_value_type type = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (ok && PP_WIRE_FIELD(tag) == 1)
            ok = pp_pprof_string_ref(d, &w, tag, &type.type);
        else if (ok && PP_WIRE_FIELD(tag) == 2)
            ok = pp_pprof_string_ref(d, &w, tag, &type.unit);
        else if (ok)
            ok = skip(d, &w, tag);
        if (!ok)
            return false;
    }
    *ret = type;
    return true;
}

/* A label of which nothing is set is dropped. */
static bool read_label(struct pp_pprof_decoder *d, struct pp_wire w, struct pp_pprof_sample *sample)
{
    struct pp_pprof_label label = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (!ok)
            return false;
        switch (PP_WIRE_FIELD(tag)) {
        case 1:
            ok = pp_pprof_string_ref(d, &w, tag, &label.key);
            break;
        case 2:
            ok = pp_pprof_string_ref(d, &w, tag, &label.str);
            break;
        case 3:
            ok = number_signed(d, &w, tag, &label.num);
            break;
        case 4:
            ok = pp_pprof_string_ref(d, &w, tag, &label.num_unit);
            break;
        default:
            ok = skip(d, &w, tag);
        }
        if (!ok)
            return false;
    }
    if (label.str == 0 && label.num == 0 && label.num_unit == 0)
        return true;
    sample->labels.n++;
    return PP_PPROF_PUSH(d, &d->p->labels, label);
}

static bool add_location_ref(struct pp_pprof_decoder *d, uint64_t id, struct pp_pprof_sample *sample)
{
    uint32_t location = pp_pprof_ids_find(&d->locations, id);

    if (location == PP_PPROF_NONE)
        return pp_pprof_malformed(d, "sample has nil location");
    sample->locations.n++;
    return PP_PPROF_PUSH(d, &d->p->location_refs, location);
}

static bool add_value(struct pp_pprof_decoder *d, uint64_t value, struct pp_pprof_sample *sample)
{
    sample->values.n++;
    return PP_PPROF_PUSH(d, &d->p->values, (int64_t)value);
}

/* A repeated number in either of its two forms. */
static bool read_numbers(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, struct pp_pprof_sample *sample,
                         bool (*add)(struct pp_pprof_decoder *, uint64_t, struct pp_pprof_sample *))
{
    struct pp_wire packed;
    uint64_t n;

    if (PP_WIRE_TYPE(tag) != PP_WIRE_LEN)
        return pp_pprof_number(d, w, tag, &n) && add(d, n, sample);
    if (!pp_pprof_message(d, w, tag, &packed))
        return false;
    while (pp_wire_more(&packed)) {
        if (!pp_wire_varint(&packed, &n))
            return pp_pprof_malformed(d, "bad varint");
        if (!add(d, n, sample))
            return false;
    }
    return true;
}

bool pp_pprof_read_sample(struct pp_pprof_decoder *d, struct pp_wire w)
{
    struct pp_pprof *p = d->p;
    struct pp_pprof_sample sample = {.locations.first = (uint32_t)p->location_refs.n,
                                     .values.first = (uint32_t)p->values.n,
                                     .labels.first = (uint32_t)p->labels.n};
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (!ok)
            return false;
        switch (PP_WIRE_FIELD(tag)) {
        case 1:
            ok = read_numbers(d, &w, tag, &sample, add_location_ref);
            break;
        case 2:
            ok = read_numbers(d, &w, tag, &sample, add_value);
            break;
        case 3:
            ok = pp_pprof_message(d, &w, tag, &sub) && read_label(d, sub, &sample);
            break;
        default:
            ok = skip(d, &w, tag);
        }
        if (!ok)
            return false;
    }
    if (sample.values.n != p->sample_types.n)
        return pp_error_set(d->err, PP_ERR_INVALID, "malformed profile: mismatch: sample has %u values vs. %zu types",
                            sample.values.n, p->sample_types.n);
    return PP_PPROF_PUSH(d, &p->samples, sample);
}

bool pp_pprof_read_mapping(struct pp_pprof_decoder *d, struct pp_wire w)
{
    struct pp_pprof_mapping m = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (!ok)
            return false;
        switch (PP_WIRE_FIELD(tag)) {
        case 1:
            ok = pp_pprof_number(d, &w, tag, &m.id);
            break;
        case 2:
            ok = pp_pprof_number(d, &w, tag, &m.memory_start);
            break;
        case 3:
            ok = pp_pprof_number(d, &w, tag, &m.memory_limit);
            break;
        case 4:
            ok = pp_pprof_number(d, &w, tag, &m.file_offset);
            break;
        case 5:
            ok = pp_pprof_string_ref(d, &w, tag, &m.filename);
            break;
        case 6:
            ok = pp_pprof_string_ref(d, &w, tag, &m.build_id);
            break;
        case 7:
            ok = number_bool(d, &w, tag, &m.has_functions);
            break;
        case 8:
            ok = number_bool(d, &w, tag, &m.has_filenames);
            break;
        case 9:
            ok = number_bool(d, &w, tag, &m.has_line_numbers);
            break;
        case 10:
            ok = number_bool(d, &w, tag, &m.has_inline_frames);
            break;
        default:
            ok = skip(d, &w, tag);
        }
        if (!ok)
            return false;
    }
    return PP_PPROF_PUSH(d, &d->p->mappings, m);
}

static bool read_line(struct pp_pprof_decoder *d, struct pp_wire w)
{
    struct pp_pprof_line line = {0};
    uint64_t function = 0;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (ok && PP_WIRE_FIELD(tag) == 1)
            ok = pp_pprof_number(d, &w, tag, &function);
        else if (ok && PP_WIRE_FIELD(tag) == 2)
            ok = number_signed(d, &w, tag, &line.line);
        else if (ok && PP_WIRE_FIELD(tag) == 3)
            ok = number_signed(d, &w, tag, &line.column);
        else if (ok)
            ok = skip(d, &w, tag);
        if (!ok)
            return false;
    }
    line.function = pp_pprof_ids_find(&d->functions, function);
    if (line.function == PP_PPROF_NONE)
        return pp_pprof_malformed(d, "location has a line with nil function");
    return PP_PPROF_PUSH(d, &d->p->lines, line);
}

/* A mapping id that does not exist means no mapping, as in google/pprof. */
bool pp_pprof_read_location(struct pp_pprof_decoder *d, struct pp_wire w)
{
    struct pp_pprof_location location = {.lines.first = (uint32_t)d->p->lines.n};
    struct pp_wire sub;
    uint64_t mapping = 0;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (!ok)
            return false;
        switch (PP_WIRE_FIELD(tag)) {
        case 1:
            ok = pp_pprof_number(d, &w, tag, &location.id);
            break;
        case 2:
            ok = pp_pprof_number(d, &w, tag, &mapping);
            break;
        case 3:
            ok = pp_pprof_number(d, &w, tag, &location.address);
            break;
        case 4:
            location.lines.n++;
            ok = pp_pprof_message(d, &w, tag, &sub) && read_line(d, sub);
            break;
        case 5:
            ok = number_bool(d, &w, tag, &location.is_folded);
            break;
        default:
            ok = skip(d, &w, tag);
        }
        if (!ok)
            return false;
    }
    location.mapping = pp_pprof_ids_find(&d->mappings, mapping);
    return PP_PPROF_PUSH(d, &d->p->locations, location);
}

bool pp_pprof_read_function(struct pp_pprof_decoder *d, struct pp_wire w)
{
    struct pp_pprof_function f = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok = next_tag(d, &w, &tag);

        if (!ok)
            return false;
        switch (PP_WIRE_FIELD(tag)) {
        case 1:
            ok = pp_pprof_number(d, &w, tag, &f.id);
            break;
        case 2:
            ok = pp_pprof_string_ref(d, &w, tag, &f.name);
            break;
        case 3:
            ok = pp_pprof_string_ref(d, &w, tag, &f.system_name);
            break;
        case 4:
            ok = pp_pprof_string_ref(d, &w, tag, &f.filename);
            break;
        case 5:
            ok = number_signed(d, &w, tag, &f.start_line);
            break;
        default:
            ok = skip(d, &w, tag);
        }
        if (!ok)
            return false;
    }
    return PP_PPROF_PUSH(d, &d->p->functions, f);
}
