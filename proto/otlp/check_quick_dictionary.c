/* The dictionary's large tables, a run of entries of one table at a time. */
#include "proto/otlp/check_quick.h"

/* Text of many strings is looked at in one go, with the tags and lengths between, while it is still near. */
#define RUN_BYTES_MAX 4096u

static uint32_t max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Whether no byte has its upper bit set. Up to `slack` bytes behind may be read, but do not count. */
static bool is_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t high = 0, more = 0;

    for (; end - p >= 32; p += 32) {
        high |= quick_load(p) | quick_load(p + 8);
        more |= quick_load(p + 16) | quick_load(p + 24);
    }
    for (; end - p >= 8; p += 8)
        high |= quick_load(p);
    if (p < end)
        high |= quick_load(p) << (64 - 8 * (end - p));
    return ((high | more) & 0x8080808080808080ull) == 0;
}

/* One by one, up to the first that is not UTF-8. */
static const uint8_t *strings_one_by_one(struct check *c, const uint8_t *p, const uint8_t *end)
{
    while (p < end && pp_utf8_valid((struct pp_str){(const char *)p + 2, p[1]})) {
        c->info.counts.strings++;
        p += 2 + p[1];
    }
    return p;
}

static const uint8_t *quick_strings(struct check *c, const uint8_t *p, const uint8_t *end)
{
    for (;;) {
        const uint8_t *from = p, *next;
        uint32_t n = 0;

        for (; p - from < (ptrdiff_t)RUN_BYTES_MAX && p < end && *p == PP_TAG_LEN(PP_DICTIONARY_STRING); p = next, n++) {
            next = quick_entry_end(c, p, end);
            if (!next)
                break;
        }
        if (n == 0)
            return p;
        if (is_ascii(from, p)) {
            c->info.counts.strings += n;
        } else {
            next = strings_one_by_one(c, from, p);
            if (next != p)
                return next;
        }
    }
}

static const uint8_t *quick_functions(struct check *c, const uint8_t *p, const uint8_t *end)
{
    uint32_t highest = c->highest[CHECK_STRING], n = 0;

    for (; p < end && *p == PP_TAG_LEN(PP_DICTIONARY_FUNCTION); n++) {
        const uint8_t *next = quick_entry_end(c, p, end), *at = p + 2;
        uint32_t string;

        if (!next)
            break;
        string = quick_index_field(&at, PP_TAG_VARINT(PP_FUNCTION_NAME));
        string = max(string, quick_index_field(&at, PP_TAG_VARINT(PP_FUNCTION_SYSTEM_NAME)));
        string = max(string, quick_index_field(&at, PP_TAG_VARINT(PP_FUNCTION_FILENAME)));
        quick_skip_field(&at, PP_TAG_VARINT(PP_FUNCTION_START_LINE));
        if (at != next || string >= c->limit[CHECK_STRING])
            break;
        highest = max(highest, string);
        p = next;
    }
    c->highest[CHECK_STRING] = highest;
    c->info.counts.functions += n;
    return p;
}

/* What a run of locations adds up to. */
struct seen {
    uint32_t mapping, function, attribute; /* highest index */
    uint32_t lines, attrs;
};

/* One location from `p` to `end`. Of attributes it takes one: more need the comparison of keys. */
static inline bool quick_location(const uint8_t *p, const uint8_t *end, struct seen *seen)
{
    seen->mapping = max(seen->mapping, quick_index_field(&p, PP_TAG_VARINT(PP_LOCATION_MAPPING)));
    quick_skip_field(&p, PP_TAG_VARINT(PP_LOCATION_ADDRESS));
    while (p < end && *p == PP_TAG_LEN(PP_LOCATION_LINES)) {
        const uint8_t *next = p + 2 + p[1];

        if (next > end)
            return false;
        p += 2;
        seen->function = max(seen->function, quick_index_field(&p, PP_TAG_VARINT(PP_LINE_FUNCTION)));
        quick_skip_field(&p, PP_TAG_VARINT(PP_LINE_LINE));
        quick_skip_field(&p, PP_TAG_VARINT(PP_LINE_COLUMN));
        if (p != next)
            return false;
        seen->lines++;
    }
    if (p < end && *p == PP_TAG_LEN(PP_LOCATION_ATTRIBUTES)) {
        const uint8_t *next = p + 2 + p[1];

        p += 2;
        seen->attribute = max(seen->attribute, quick_index(&p));
        seen->attrs++;
        if (p != next)
            return false;
    }
    return p == end;
}

static const uint8_t *quick_locations(struct check *c, const uint8_t *p, const uint8_t *end)
{
    struct seen seen = {0}, good = {0};
    uint32_t n = 0;

    for (; p < end && *p == PP_TAG_LEN(PP_DICTIONARY_LOCATION); n++) {
        const uint8_t *next = quick_entry_end(c, p, end);

        if (!next || !quick_location(p + 2, next, &seen) || seen.mapping >= c->limit[CHECK_MAPPING] ||
            seen.function >= c->limit[CHECK_FUNCTION] || seen.attribute >= c->limit[CHECK_ATTRIBUTE])
            break;
        good = seen;
        p = next;
    }
    c->highest[CHECK_MAPPING] = max(c->highest[CHECK_MAPPING], good.mapping);
    c->highest[CHECK_FUNCTION] = max(c->highest[CHECK_FUNCTION], good.function);
    c->highest[CHECK_ATTRIBUTE] = max(c->highest[CHECK_ATTRIBUTE], good.attribute);
    c->info.counts.locations += n;
    c->info.counts.lines += good.lines;
    c->info.counts.attr_indices += good.attrs;
    return p;
}

/* Links with both ids. */
static const uint8_t *quick_links(struct check *c, const uint8_t *p, const uint8_t *end)
{
    const uint8_t trace = PP_TRACE_ID_BYTES, span = PP_SPAN_ID_BYTES, bytes = 2 + PP_TRACE_ID_BYTES + 2 + PP_SPAN_ID_BYTES;

    for (; end - p >= 2 + bytes; p += 2 + bytes, c->info.counts.links++)
        if (p[0] != PP_TAG_LEN(PP_DICTIONARY_LINK) || p[1] != bytes || p[2] != PP_TAG_LEN(PP_LINK_TRACE_ID) || p[3] != trace ||
            p[4 + trace] != PP_TAG_LEN(PP_LINK_SPAN_ID) || p[5 + trace] != span)
            break;
    return p;
}

/* Stacks of locations that have all been seen. Their lengths may take two bytes. */
static const uint8_t *quick_stacks(struct check *c, const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p == PP_TAG_LEN(PP_DICTIONARY_STACK)) {
        struct pp_wire w = {p + 1, end}, stack, list;

        if (!pp_wire_sub(&w, &stack) || stack.p == stack.end || *stack.p++ != PP_TAG_LEN(PP_STACK_LOCATIONS) ||
            !pp_wire_sub(&stack, &list) || list.end != stack.end || c->end - list.end < (ptrdiff_t)PP_WIRE_PACKED_SLACK_BYTES ||
            !pp_wire_packed_below(list.p, (size_t)(list.end - list.p), c->info.counts.locations, &c->info.counts.location_indices))
            break;
        c->info.counts.stacks++;
        p = w.p;
    }
    return p;
}

const uint8_t *check_quick_entries(struct check *c, const uint8_t *p, const uint8_t *end)
{
    const struct pp_otlp_counts *n = &c->info.counts;

    /* The first entry of a table has rules of its own. */
    switch (*p) {
    case PP_TAG_LEN(PP_DICTIONARY_LOCATION):
        return n->locations ? quick_locations(c, p, end) : p;
    case PP_TAG_LEN(PP_DICTIONARY_FUNCTION):
        return n->functions ? quick_functions(c, p, end) : p;
    case PP_TAG_LEN(PP_DICTIONARY_LINK):
        return n->links ? quick_links(c, p, end) : p;
    case PP_TAG_LEN(PP_DICTIONARY_STRING):
        return n->strings ? quick_strings(c, p, end) : p;
    case PP_TAG_LEN(PP_DICTIONARY_STACK):
        return n->stacks ? quick_stacks(c, p, end) : p;
    default:
        return p;
    }
}
