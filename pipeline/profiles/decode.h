/* What the parts of the decoder share. Private to profiles. The message has passed pp_otlp_check, so that the tables have exactly the
 * room it counted and a false return means only that memory is out; reads stay bounds-checked all the same. */
#ifndef PP_PROFILES_DECODE_H
#define PP_PROFILES_DECODE_H

#include "profiles/data.h"

struct pp_decode {
    struct pp_data *data;
    struct pp_tables *t; /* data->tables */
    enum pp_layout layout;
    unsigned broken; /* tables whose entries do not stand in one piece */
};

/* Keeps the field with this tag, which starts at `from`; passes over it. (Cursors are copied around the call, so that the caller's can
 * stay in registers; so below.) */
bool pp_decode_unknown_at(struct pp_decode *d, struct pp_wire *w, const uint8_t *from, uint32_t tag,
                          enum pp_unknown_kind kind, uint32_t entry);
static inline bool pp_decode_unknown(struct pp_decode *d, struct pp_wire *w, const uint8_t *from, uint32_t tag,
                                     enum pp_unknown_kind kind, uint32_t entry)
{
    struct pp_wire at = *w;
    bool ok = pp_decode_unknown_at(d, &at, from, tag, kind, entry);

    w->p = at.p;
    return ok;
}
/* Grows a span over the field that ended at `to`; marks `set` broken when there was a gap. */
static inline void pp_decode_span(struct pp_decode *d, struct pp_str *span, const uint8_t *from, const uint8_t *to, unsigned set)
{
    if (!span->p)
        span->p = (const char *)from;
    else if (span->p + span->n != (const char *)from)
        d->broken |= set;
    span->n = (size_t)((const char *)to - span->p);
}

/* Appends packed or single attribute indices. */
void pp_decode_attrs_at(struct pp_decode *d, struct pp_wire *w, uint32_t tag, struct pp_range *range);
static inline void pp_decode_attrs(struct pp_decode *d, struct pp_wire *w, uint32_t tag, struct pp_range *range)
{
    struct pp_wire at = *w;

    pp_decode_attrs_at(d, &at, tag, range);
    w->p = at.p;
}

static inline int32_t pp_decode_int32(struct pp_wire *w)
{
    uint64_t value = 0;

    pp_wire_varint(w, &value);
    return (int32_t)value;
}

static inline uint64_t pp_decode_uint64(struct pp_wire *w)
{
    uint64_t value = 0;

    pp_wire_varint(w, &value);
    return value;
}

static inline struct pp_str pp_decode_str(struct pp_wire *w)
{
    struct pp_str s = {0};

    pp_wire_len(w, &s);
    return s;
}

bool pp_decode_dictionary(struct pp_decode *d, struct pp_wire w);
/* After all of the dictionary: attribute values without string references. */
bool pp_decode_resolve_attributes(struct pp_decode *d);
bool pp_decode_resource_profiles(struct pp_decode *d, struct pp_wire w);
/* Of a ResourceProfiles message all but its scopes. */
bool pp_decode_resource_alone(struct pp_decode *d, struct pp_wire w, struct pp_resource *r);

/* The value with its references replaced by the strings; the same slice when it has none. */
bool pp_value_inline(struct pp_arena *arena, const struct pp_tables *tables, struct pp_str value, struct pp_str *ret);

#endif
