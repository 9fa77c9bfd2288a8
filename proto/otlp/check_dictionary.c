/* The dictionary's tables. */
#include "proto/otlp/check_quick.h"

/* A table's entry 0 means "not set" and has to be the zero value, written out or not. */
static bool entry_is_zero(struct pp_wire w)
{
    uint32_t tag;
    uint64_t value;
    struct pp_str s;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return false;
        if (PP_WIRE_TYPE(tag) == PP_WIRE_VARINT) {
            if (!pp_wire_varint(&w, &value) || value)
                return false;
        } else if (PP_WIRE_TYPE(tag) == PP_WIRE_LEN) {
            if (!pp_wire_len(&w, &s))
                return false;
            for (size_t i = 0; i < s.n; i++)
                if (s.p[i])
                    return false;
        } else {
            return false;
        }
    }
    return true;
}

static bool walk_mapping(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    check_attrs_begin(c);
    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_VARINT(PP_MAPPING_START):
        case PP_TAG_VARINT(PP_MAPPING_LIMIT):
        case PP_TAG_VARINT(PP_MAPPING_OFFSET):
            ok = check_skip_varint(c, &w);
            break;
        case PP_TAG_VARINT(PP_MAPPING_FILENAME):
            ok = check_index(c, &w, CHECK_STRING, "filename_strindex");
            break;
        case PP_TAG_LEN(PP_MAPPING_ATTRIBUTES):
            ok = check_attrs_packed(c, &w);
            break;
        case PP_TAG_VARINT(PP_MAPPING_ATTRIBUTES):
            ok = check_attrs_one(c, &w);
            break;
        default:
            ok = check_other(c, &w, tag, PP_MAPPING_ATTRIBUTES);
        }
        if (!ok)
            return false;
    }
    return check_attrs_end(c);
}

static bool walk_line(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_VARINT(PP_LINE_FUNCTION):
            ok = check_index(c, &w, CHECK_FUNCTION, "function_index");
            break;
        case PP_TAG_VARINT(PP_LINE_LINE):
        case PP_TAG_VARINT(PP_LINE_COLUMN):
            ok = check_skip_varint(c, &w);
            break;
        default:
            ok = check_other(c, &w, tag, PP_LINE_COLUMN);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool walk_location(struct check *c, struct pp_wire w)
{
    uint32_t tag, lines = 0;
    struct pp_wire line;

    check_attrs_begin(c);
    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_VARINT(PP_LOCATION_MAPPING):
            ok = check_index(c, &w, CHECK_MAPPING, "mapping_index");
            break;
        case PP_TAG_VARINT(PP_LOCATION_ADDRESS):
            ok = check_skip_varint(c, &w);
            break;
        case PP_TAG_LEN(PP_LOCATION_LINES):
            ok = pp_wire_sub(&w, &line) ? walk_line(c, line) || check_step(c, "lines", lines) : check_malformed(c);
            lines++;
            break;
        case PP_TAG_LEN(PP_LOCATION_ATTRIBUTES):
            ok = check_attrs_packed(c, &w);
            break;
        case PP_TAG_VARINT(PP_LOCATION_ATTRIBUTES):
            ok = check_attrs_one(c, &w);
            break;
        default:
            ok = check_other(c, &w, tag, PP_LOCATION_ATTRIBUTES);
        }
        if (!ok)
            return false;
    }
    c->info.counts.lines += lines;
    return check_attrs_end(c);
}

static bool walk_function(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_VARINT(PP_FUNCTION_NAME):
            ok = check_index(c, &w, CHECK_STRING, "name_strindex");
            break;
        case PP_TAG_VARINT(PP_FUNCTION_SYSTEM_NAME):
            ok = check_index(c, &w, CHECK_STRING, "system_name_strindex");
            break;
        case PP_TAG_VARINT(PP_FUNCTION_FILENAME):
            ok = check_index(c, &w, CHECK_STRING, "filename_strindex");
            break;
        case PP_TAG_VARINT(PP_FUNCTION_START_LINE):
            ok = check_skip_varint(c, &w);
            break;
        default:
            ok = check_other(c, &w, tag, PP_FUNCTION_START_LINE);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* An id is absent, empty or whole. */
static bool link_id(struct check *c, struct pp_wire *w, size_t size, const char *field)
{
    struct pp_str id;

    if (!pp_wire_len(w, &id))
        return check_malformed(c);
    return id.n == 0 || id.n == size || check_fail(c, field, "%zu bytes, not %zu", id.n, size);
}

static bool walk_link(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_LINK_TRACE_ID):
            ok = link_id(c, &w, PP_TRACE_ID_BYTES, "trace_id");
            break;
        case PP_TAG_LEN(PP_LINK_SPAN_ID):
            ok = link_id(c, &w, PP_SPAN_ID_BYTES, "span_id");
            break;
        default:
            ok = check_other(c, &w, tag, PP_LINK_SPAN_ID);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool walk_attribute(struct check *c, struct pp_wire w)
{
    uint64_t key = 0;
    uint32_t tag;
    struct pp_wire value;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_VARINT(PP_ATTRIBUTE_KEY):
            ok = check_varint(c, &w, &key) && check_index_value(c, key, CHECK_STRING, "key_strindex");
            break;
        case PP_TAG_LEN(PP_ATTRIBUTE_VALUE):
            ok = pp_wire_sub(&w, &value) ? check_any_value(c, value, 0) || check_step(c, "value", CHECK_NO_INDEX)
                                         : check_malformed(c);
            break;
        case PP_TAG_VARINT(PP_ATTRIBUTE_UNIT):
            ok = check_index(c, &w, CHECK_STRING, "unit_strindex");
            break;
        default:
            ok = check_other(c, &w, tag, PP_ATTRIBUTE_UNIT);
        }
        if (!ok)
            return false;
    }
    return c->keys_known || pp_vec_push(&c->keys, (int32_t)key) || check_nomem(c);
}

static bool walk_stack(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_STACK_LOCATIONS):
            ok = check_packed_indices(c, &w, CHECK_LOCATION, "location_indices", &c->info.counts.location_indices);
            break;
        case PP_TAG_VARINT(PP_STACK_LOCATIONS):
            ok = check_index(c, &w, CHECK_LOCATION, "location_indices");
            c->info.counts.location_indices++;
            break;
        default:
            ok = check_other(c, &w, tag, PP_STACK_LOCATIONS);
        }
        if (!ok)
            return false;
    }
    return true;
}

typedef bool check_walk(struct check *c, struct pp_wire w);

static bool table_entry(struct check *c, struct pp_wire *w, check_walk *walk, const char *table, uint32_t *count)
{
    struct pp_wire entry;

    if (!pp_wire_sub(w, &entry))
        return check_malformed(c);
    if (!walk(c, entry))
        return check_step(c, table, *count);
    if (*count == 0 && !entry_is_zero(entry)) {
        check_fail(c, NULL, "not the zero value");
        return check_step(c, table, 0);
    }
    ++*count;
    return true;
}

static bool string_entry(struct check *c, struct pp_wire *w)
{
    uint32_t *count = &c->info.counts.strings;
    struct pp_str s;

    if (!pp_wire_len(w, &s))
        return check_malformed(c);
    if (!pp_utf8_valid(s)) {
        check_fail(c, NULL, "not UTF-8");
        return check_step(c, "string_table", *count);
    }
    if (*count == 0 && s.n) {
        check_fail(c, NULL, "not empty");
        return check_step(c, "string_table", 0);
    }
    ++*count;
    return true;
}

/* Mappings and locations stand before the attributes whose keys must be unique in them: remember where to look again. */
static bool note_lists(struct check *c, const uint8_t *from, const uint8_t *to, uint32_t mappings, uint32_t locations)
{
    if (c->keys_known || c->attrs.n < 2)
        return true;
    if (!c->lists.p) {
        c->lists.p = from;
        c->lists_mappings = mappings;
        c->lists_locations = locations;
    }
    c->lists.end = to;
    return true;
}

static bool dictionary_entry(struct check *c, struct pp_wire *w, uint32_t tag, const uint8_t *from)
{
    struct pp_otlp_counts *n = &c->info.counts;

    switch (tag) {
    case PP_TAG_LEN(PP_DICTIONARY_MAPPING):
        return table_entry(c, w, walk_mapping, "mapping_table", &n->mappings) &&
               note_lists(c, from, w->p, n->mappings - 1, n->locations);
    case PP_TAG_LEN(PP_DICTIONARY_LOCATION):
        return table_entry(c, w, walk_location, "location_table", &n->locations) &&
               note_lists(c, from, w->p, n->mappings, n->locations - 1);
    case PP_TAG_LEN(PP_DICTIONARY_FUNCTION):
        return table_entry(c, w, walk_function, "function_table", &n->functions);
    case PP_TAG_LEN(PP_DICTIONARY_LINK):
        return table_entry(c, w, walk_link, "link_table", &n->links);
    case PP_TAG_LEN(PP_DICTIONARY_STRING):
        return string_entry(c, w);
    case PP_TAG_LEN(PP_DICTIONARY_ATTRIBUTE):
        return table_entry(c, w, walk_attribute, "attribute_table", &n->attributes);
    case PP_TAG_LEN(PP_DICTIONARY_STACK):
        return table_entry(c, w, walk_stack, "stack_table", &n->stacks);
    default:
        return check_other(c, w, tag, PP_DICTIONARY_STACK);
    }
}

bool check_dictionary(struct check *c, struct pp_wire w)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        const uint8_t *from = w.p;

        if (c->quick) {
            w.p = check_quick_entries(c, w.p, w.end);
            if (!pp_wire_more(&w))
                break;
            from = w.p;
        }
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (!dictionary_entry(c, &w, tag, from))
            return false;
    }
    return true;
}
