#include "proto/otlp/check_state.h"

#include <stdio.h>

#include "proto/otlp/otlp_detect.h"

static void set_limits(struct check *c, bool dictionary_known)
{
    const struct pp_otlp_counts *n = &c->info.counts;
    const uint32_t counts[CHECK_TABLES] = {
        [CHECK_STRING] = n->strings,     [CHECK_FUNCTION] = n->functions, [CHECK_MAPPING] = n->mappings,
        [CHECK_LOCATION] = n->locations, [CHECK_STACK] = n->stacks,       [CHECK_LINK] = n->links,
        [CHECK_ATTRIBUTE] = n->attributes,
    };

    /* Index 0 stands for "not set" also where a sender left the table out. */
    for (unsigned t = 0; t < CHECK_TABLES; t++)
        c->limit[t] = dictionary_known ? (counts[t] ? counts[t] : 1) : (uint32_t)INT32_MAX + 1;
}

static bool walk_dictionaries(struct check *c, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (tag != PP_TAG_LEN(PP_REQUEST_DICTIONARY)) {
            if (!check_other(c, &w, tag, PP_WIRE_FIELD(tag) == PP_REQUEST_DICTIONARY ? PP_REQUEST_DICTIONARY : 0))
                return false;
            continue;
        }
        if (!pp_wire_sub(&w, &sub))
            return check_malformed(c);
        c->dictionaries++;
        if (!check_dictionary(c, sub))
            return check_step(c, "dictionary", CHECK_NO_INDEX);
    }
    return true;
}

/* With all sizes known: a second walk that finds the index that is out of range. */
static bool walk_dictionaries_again(struct check *c, struct pp_wire message)
{
    struct pp_otlp_counts counts = c->info.counts;
    bool ok;

    memset(&c->info.counts, 0, sizeof(c->info.counts));
    ok = walk_dictionaries(c, message);
    c->info.counts = counts;
    return ok;
}

/* Unique keys in the lists that stood before the keys. */
static bool walk_lists_again(struct check *c, struct pp_wire message)
{
    struct pp_otlp_counts counts = c->info.counts;
    bool ok;

    if (c->dictionaries > 1)
        return walk_dictionaries_again(c, message);
    c->info.counts.mappings = c->lists_mappings;
    c->info.counts.locations = c->lists_locations;
    ok = check_dictionary(c, c->lists) || check_step(c, "dictionary", CHECK_NO_INDEX);
    c->info.counts = counts;
    return ok;
}

static bool finish_dictionary(struct check *c, struct pp_wire message)
{
    set_limits(c, true);
    if (c->keys.n == 0 && !pp_vec_push(&c->keys, 0)) /* attribute 0 of an absent table */
        return check_nomem(c);
    c->keys_known = true;
    for (unsigned t = 0; t < CHECK_TABLES; t++)
        if (c->highest[t] >= c->limit[t])
            return walk_dictionaries_again(c, message);
    return !c->lists.p || walk_lists_again(c, message);
}

static bool walk_resources(struct check *c, struct pp_wire w)
{
    struct pp_wire sub;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        if (tag != PP_TAG_LEN(PP_REQUEST_RESOURCE_PROFILES)) {
            if (PP_WIRE_FIELD(tag) == PP_REQUEST_RESOURCE_PROFILES)
                return check_other(c, &w, tag, PP_REQUEST_DICTIONARY);
            if (!pp_wire_skip(&w, tag))
                return check_malformed(c);
            continue;
        }
        if (!pp_wire_sub(&w, &sub))
            return check_malformed(c);
        if (!check_resource_profiles(c, sub))
            return check_step(c, "resource_profiles", c->info.counts.resources);
    }
    return true;
}

static uint64_t tables_bytes(const struct pp_otlp_counts *n)
{
    return 16ull * n->strings + 24ull * n->functions + 40ull * n->mappings + 32ull * n->locations +
           24ull * n->lines + 8ull * n->stacks + 4ull * n->location_indices + 24ull * n->links +
           24ull * n->attributes + 4ull * n->attr_indices + 32ull * n->key_values + 48ull * n->resources +
           72ull * n->scopes + 128ull * n->profiles + 32ull * n->samples + 8ull * n->values + 8ull * n->timestamps;
}

static bool check_expansion(struct check *c, size_t message_bytes)
{
    uint64_t bytes = tables_bytes(&c->info.counts);

    if (bytes <= (uint64_t)message_bytes * PP_OTLP_EXPANSION_MAX + PP_OTLP_EXPANSION_SLACK_BYTES)
        return true;
    c->path_n = 0;
    return pp_error_set(&c->why, PP_ERR_LIMIT, "%zu bytes of mostly empty entries would take %llu bytes in memory",
                        message_bytes, (unsigned long long)bytes);
}

/* The large arrays need no clearing here. */
static void check_init(struct check *c, bool quick)
{
    c->quick = quick;
    c->why = (struct pp_error){0};
    memset(&c->keys, 0, sizeof(c->keys));
    memset(&c->attrs, 0, sizeof(c->attrs));
    memset(&c->key_text, 0, sizeof(c->key_text));
    memset(&c->key_refs, 0, sizeof(c->key_refs));
}

static void check_reset(struct check *c, enum pp_layout layout)
{
    memset(&c->info, 0, sizeof(c->info));
    memset(c->highest, 0, sizeof(c->highest));
    c->keys.n = 0;
    c->keys_known = false;
    c->lists = (struct pp_wire){0};
    memset(c->lists_seen, 0, sizeof(c->lists_seen));
    c->lists_mappings = c->lists_locations = 0;
    c->dictionaries = 0;
    c->path_n = 0;
    c->detect = layout == PP_LAYOUT_AUTO;
    c->layout = layout == PP_LAYOUT_AUTO ? PP_LAYOUT_1_10 : layout;
    c->info.layout = c->layout;
}

static bool walk_all(struct check *c, struct pp_str message, enum pp_layout layout)
{
    struct pp_wire w = pp_wire_from(message);

    check_reset(c, layout);
    c->end = w.end;
    set_limits(c, false);
    return walk_dictionaries(c, w) && finish_dictionary(c, w) && walk_resources(c, w) &&
           check_expansion(c, message.n);
}

static void report(const struct check *c, struct pp_error *err)
{
    char path[PP_ERROR_MESSAGE_MAX] = "";
    size_t n = 0;

    for (unsigned i = c->path_n; i-- > 0 && n < sizeof(path);) {
        const struct check_step *step = &c->path[i];
        const char *dot = n ? "." : "";
        int len = step->index == CHECK_NO_INDEX
                      ? snprintf(path + n, sizeof(path) - n, "%s%s", dot, step->field)
                      : snprintf(path + n, sizeof(path) - n, "%s%s[%u]", dot, step->field, step->index);
        n += len > 0 ? (size_t)len : 0;
    }
    pp_error_set(err, c->why.kind, "%s", c->why.message);
    if (n)
        pp_error_prefix(err, "%s", path);
}

bool pp_otlp_check(struct pp_str message, enum pp_layout layout, struct pp_otlp_info *ret, struct pp_error *err)
{
    return check_message(message, layout, true, ret, err);
}

bool check_message(struct pp_str message, enum pp_layout layout, bool quick, struct pp_otlp_info *ret, struct pp_error *err)
{
    struct check c;
    bool ok;

    if (message.n > PP_OTLP_MESSAGE_BYTES_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "message of %zu bytes is over protobuf's limit of %d", message.n,
                            PP_OTLP_MESSAGE_BYTES_MAX);
    check_init(&c, quick);
    ok = walk_all(&c, message, layout);
    if (!ok && layout == PP_LAYOUT_AUTO && c.why.kind == PP_ERR_INVALID) {
        enum pp_layout found = pp_otlp_detect(message);

        if (found == PP_LAYOUT_1_9)
            ok = walk_all(&c, message, PP_LAYOUT_1_9);
        else if (found == PP_LAYOUT_AUTO)
            check_fail(&c, NULL, "samples of the 1.9 and of the 1.10 layout in one message");
    }
    if (ok)
        *ret = c.info;
    else
        report(&c, err);
    pp_vec_done(&c.keys);
    pp_vec_done(&c.attrs);
    pp_vec_done(&c.key_text);
    pp_vec_done(&c.key_refs);
    return ok;
}
