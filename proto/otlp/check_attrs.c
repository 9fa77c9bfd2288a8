/* Attribute lists: values, indices, unique keys. */
#include <stdlib.h>

#include "proto/otlp/check_state.h"

#define QUADRATIC_MAX 24u /* up to here comparing all pairs is cheaper than sorting */
#define KEY_SHOWN_MAX 64u /* bytes of a key in a message */

static inline bool add_attr(struct check *c, uint64_t value)
{
    if (!check_index_value(c, value, CHECK_ATTRIBUTE, "attribute_indices"))
        return false;
    if (__builtin_expect(c->attrs.n == c->attrs.cap, 0) && !pp_vec_reserve(&c->attrs, 1))
        return check_nomem(c);
    c->attrs.v[c->attrs.n++] = (int32_t)value;
    return true;
}

bool check_attrs_one_at(struct check *c, struct pp_wire *w)
{
    uint64_t value;

    if (!check_varint(c, w, &value) || !add_attr(c, value))
        return false;
    c->info.counts.attr_indices++;
    return true;
}

bool check_attrs_packed_at(struct check *c, struct pp_wire *w)
{
    size_t before = c->attrs.n;
    struct pp_wire packed;
    uint64_t value;

    if (!pp_wire_sub(w, &packed))
        return check_malformed(c);
    while (pp_wire_more(&packed)) {
        if (!pp_wire_varint(&packed, &value))
            return check_malformed(c);
        if (!add_attr(c, value))
            return false;
    }
    c->info.counts.attr_indices += (uint32_t)(c->attrs.n - before);
    return true;
}

static int compare_ints(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static bool ints_unique(int32_t *v, size_t n)
{
    if (n > QUADRATIC_MAX) {
        qsort(v, n, sizeof(*v), compare_ints);
        for (size_t i = 1; i < n; i++)
            if (v[i] == v[i - 1])
                return false;
        return true;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (v[i] == v[j])
                return false;
    return true;
}

/* Indices become keys in place. Index 0 stands for "no attribute" and may repeat. */
bool check_attrs_many(struct check *c)
{
    size_t n = 0;

    if (!c->keys_known)
        return true;
    for (size_t i = 0; i < c->attrs.n; i++)
        if (c->attrs.v[i] != 0)
            c->attrs.v[n++] = c->keys.v[c->attrs.v[i]];
    return ints_unique(c->attrs.v, n) || check_fail(c, "attribute_indices", "two attributes have the same key");
}

static bool any_list(struct check *c, struct pp_wire *w, bool pairs, unsigned depth);

static bool nested_pair(struct check *c, struct pp_wire w, unsigned depth)
{
    uint32_t tag;

    while (pp_wire_more(&w)) {
        struct pp_wire value;
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_KEY_VALUE_KEY):
            ok = check_utf8(c, &w, "key");
            break;
        case PP_TAG_LEN(PP_KEY_VALUE_VALUE):
            ok = pp_wire_sub(&w, &value) ? check_any_value(c, value, depth) : check_malformed(c);
            break;
        case PP_TAG_VARINT(PP_KEY_VALUE_KEY_REF):
            ok = check_index(c, &w, CHECK_STRING, "key_strindex");
            c->info.references = true;
            break;
        default:
            ok = check_other(c, &w, tag, PP_KEY_VALUE_KEY_REF);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool any_list(struct check *c, struct pp_wire *w, bool pairs, unsigned depth)
{
    struct pp_wire list, entry;
    uint32_t tag;

    if (depth == PP_OTLP_VALUE_DEPTH_MAX) {
        c->path_n = 0;
        return pp_error_set(&c->why, PP_ERR_LIMIT, "values nest deeper than %u levels", PP_OTLP_VALUE_DEPTH_MAX);
    }
    if (!pp_wire_sub(w, &list))
        return check_malformed(c);
    while (pp_wire_more(&list)) {
        if (!pp_wire_tag(&list, &tag))
            return check_malformed(c);
        if (tag != PP_TAG_LEN(PP_LIST_VALUES)) {
            if (!check_other(c, &list, tag, PP_LIST_VALUES))
                return false;
            continue;
        }
        if (!pp_wire_sub(&list, &entry))
            return check_malformed(c);
        if (!(pairs ? nested_pair(c, entry, depth + 1) : check_any_value(c, entry, depth + 1)))
            return false;
    }
    return true;
}

bool check_any_value(struct check *c, struct pp_wire w, unsigned depth)
{
    struct pp_str bytes;
    uint64_t number;
    uint32_t tag;

    while (pp_wire_more(&w)) {
        bool ok;

        if (!pp_wire_tag(&w, &tag))
            return check_malformed(c);
        switch (tag) {
        case PP_TAG_LEN(PP_ANY_VALUE_STRING):
            ok = check_utf8(c, &w, "string_value");
            break;
        case PP_TAG_VARINT(PP_ANY_VALUE_BOOL):
        case PP_TAG_VARINT(PP_ANY_VALUE_INT):
            ok = check_skip_varint(c, &w);
            break;
        case PP_TAG_FIXED64(PP_ANY_VALUE_DOUBLE):
            ok = pp_wire_fixed64(&w, &number) || check_malformed(c);
            break;
        case PP_TAG_LEN(PP_ANY_VALUE_ARRAY):
        case PP_TAG_LEN(PP_ANY_VALUE_KVLIST):
            ok = any_list(c, &w, tag == PP_TAG_LEN(PP_ANY_VALUE_KVLIST), depth);
            break;
        case PP_TAG_LEN(PP_ANY_VALUE_BYTES):
            ok = pp_wire_len(&w, &bytes) || check_malformed(c);
            break;
        case PP_TAG_VARINT(PP_ANY_VALUE_STRING_REF):
            ok = check_index(c, &w, CHECK_STRING, "string_value_strindex");
            c->info.references = true;
            break;
        default:
            ok = check_other(c, &w, tag, PP_ANY_VALUE_STRING_REF);
        }
        if (!ok)
            return false;
    }
    return true;
}

void check_pairs_begin(struct check *c)
{
    c->key_text.n = 0;
    c->key_refs.n = 0;
}

/* As nested_pair, but its key is kept for the comparison, and a key given twice over is refused. */
bool check_pair(struct check *c, struct pp_wire w)
{
    struct pp_wire scan = w;
    struct pp_str text = {0};
    uint64_t ref = 0;
    uint32_t tag;

    if (!nested_pair(c, w, 0))
        return false;
    while (pp_wire_more(&scan) && pp_wire_tag(&scan, &tag)) {
        if (tag == PP_TAG_LEN(PP_KEY_VALUE_KEY))
            pp_wire_len(&scan, &text);
        else if (tag == PP_TAG_VARINT(PP_KEY_VALUE_KEY_REF))
            pp_wire_varint(&scan, &ref);
        else
            pp_wire_skip(&scan, tag);
    }
    c->info.counts.key_values++;
    if (ref && text.n)
        return check_fail(c, "key_strindex", "set beside key");
    if (ref)
        return pp_vec_push(&c->key_refs, (int32_t)ref) || check_nomem(c);
    return pp_vec_push(&c->key_text, text) || check_nomem(c);
}

static int compare_text(const void *a, const void *b)
{
    const struct pp_str *x = a, *y = b;
    int order = memcmp(x->p ? x->p : "", y->p ? y->p : "", x->n < y->n ? x->n : y->n);

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

bool check_pairs_end(struct check *c)
{
    struct pp_str *v = c->key_text.v;

    if (c->key_text.n > QUADRATIC_MAX)
        qsort(v, c->key_text.n, sizeof(*v), compare_text);
    for (size_t i = 1; i < c->key_text.n; i++)
        for (size_t j = c->key_text.n > QUADRATIC_MAX ? i - 1 : 0; j < i; j++)
            if (pp_str_eq(v[i], v[j]))
                return check_fail(c, "attributes", "two have the key \"%.*s\"",
                                  v[i].n > KEY_SHOWN_MAX ? (int)KEY_SHOWN_MAX : (int)v[i].n, v[i].p);
    return ints_unique(c->key_refs.v, c->key_refs.n) ||
           check_fail(c, "attributes", "two have the same key_strindex");
}
