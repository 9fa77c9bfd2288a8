#include "proto/otlp/check_state.h"

#include <inttypes.h>
#include <stdarg.h>

bool check_step(struct check *c, const char *field, uint32_t index)
{
    if (c->path_n < CHECK_PATH_MAX)
        c->path[c->path_n++] = (struct check_step){field, index};
    return false;
}

bool check_fail(struct check *c, const char *field, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_error_setv(&c->why, PP_ERR_INVALID, fmt, args);
    va_end(args);
    c->path_n = 0;
    return field ? check_step(c, field, CHECK_NO_INDEX) : false;
}

bool check_fail_index(struct check *c, const char *field, uint64_t value, uint32_t limit)
{
    int32_t index = (int32_t)value;

    if (index < 0)
        return check_fail(c, field, "%" PRId32 " is negative", index);
    return check_fail(c, field, "%" PRIu64 " is not below %" PRIu32, value, limit);
}

bool check_malformed(struct check *c)
{
    return check_fail(c, NULL, "malformed or truncated protobuf");
}

bool check_nomem(struct check *c)
{
    c->path_n = 0;
    return pp_error_nomem(&c->why);
}

bool check_other_at(struct check *c, struct pp_wire *w, uint32_t tag, uint32_t field_last)
{
    if (PP_WIRE_FIELD(tag) <= field_last)
        return check_fail(c, NULL, "field %" PRIu32 " has wire type %" PRIu32, PP_WIRE_FIELD(tag), PP_WIRE_TYPE(tag));
    return pp_wire_skip(w, tag) || check_malformed(c);
}

bool check_utf8_at(struct check *c, struct pp_wire *w, const char *field)
{
    struct pp_str s;

    if (!pp_wire_len(w, &s))
        return check_malformed(c);
    return pp_utf8_valid(s) || check_fail(c, field, "not UTF-8");
}

bool check_packed_indices_at(struct check *c, struct pp_wire *w, enum check_table table, const char *field, uint32_t *count)
{
    uint32_t limit = c->limit[table], highest = c->highest[table], n = 0;
    struct pp_wire packed;

    if (!pp_wire_sub(w, &packed))
        return check_malformed(c);
    for (; pp_wire_more(&packed); n++) {
        struct pp_wire at = packed;
        uint64_t value;

        if (!pp_wire_varint(&at, &value))
            return check_malformed(c);
        packed.p = at.p;
        if (value >= limit) {
            check_fail_index(c, NULL, value, limit);
            return check_step(c, field, n);
        }
        if (value > highest)
            highest = (uint32_t)value;
    }
    c->highest[table] = highest;
    *count += n;
    return true;
}
