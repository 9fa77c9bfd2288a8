#include <stdatomic.h>

#include "base/mem.h"
#include "profiles/batch.h"

struct pp_context {
    atomic_uint refs;
    struct pp_str peer;
    size_t metadata_n, auth_n;
    struct pp_metadata entries[]; /* metadata, then auth; the text they point to follows in the same allocation */
};

static struct pp_str copy_text(char **to, struct pp_str s)
{
    struct pp_str copy = {*to, s.n};

    if (s.n)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return copy;
}

static size_t text_bytes(const struct pp_metadata *entries, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += entries[i].key.n + entries[i].value.n;
    return bytes;
}

static void copy_entries(struct pp_metadata *to, const struct pp_metadata *from, size_t n, char **text)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (struct pp_metadata){copy_text(text, from[i].key), copy_text(text, from[i].value)};
}

struct pp_context *pp_context_new_auth(struct pp_str peer, const struct pp_metadata *metadata, size_t metadata_n, const struct pp_metadata *auth,
                                       size_t auth_n)
{
    size_t table = (metadata_n + auth_n) * sizeof(struct pp_metadata);
    struct pp_context *context =
        pp_malloc(sizeof(*context) + table + peer.n + text_bytes(metadata, metadata_n) + text_bytes(auth, auth_n));
    char *text;

    if (!context)
        return NULL;
    atomic_init(&context->refs, 1);
    text = (char *)&context->entries[metadata_n + auth_n];
    context->peer = copy_text(&text, peer);
    context->metadata_n = metadata_n;
    context->auth_n = auth_n;
    copy_entries(context->entries, metadata, metadata_n, &text);
    copy_entries(context->entries + metadata_n, auth, auth_n, &text);
    return context;
}

struct pp_context *pp_context_new(struct pp_str peer, const struct pp_metadata *metadata, size_t metadata_n)
{
    return pp_context_new_auth(peer, metadata, metadata_n, NULL, 0);
}

struct pp_context *pp_context_ref(struct pp_context *context)
{
    if (context)
        atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void pp_context_unref(struct pp_context *context)
{
    if (context && atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1)
        pp_free(context);
}

struct pp_str pp_context_peer(const struct pp_context *context)
{
    return context ? context->peer : PP_STR("");
}

static bool find(const struct pp_metadata *entries, size_t n, struct pp_str key, size_t i, struct pp_str *ret_value)
{
    for (size_t m = 0; m < n; m++) {
        if (!pp_str_eq_nocase(entries[m].key, key) || i-- > 0)
            continue;
        *ret_value = entries[m].value;
        return true;
    }
    return false;
}

bool pp_context_metadata(const struct pp_context *context, struct pp_str key, size_t i, struct pp_str *ret_value)
{
    return context && find(context->entries, context->metadata_n, key, i, ret_value);
}

bool pp_context_metadata_at(const struct pp_context *context, size_t i, struct pp_metadata *ret)
{
    if (!context || i >= context->metadata_n)
        return false;
    *ret = context->entries[i];
    return true;
}

bool pp_context_auth(const struct pp_context *context, struct pp_str name, struct pp_str *ret_value)
{
    return context && find(context->entries + context->metadata_n, context->auth_n, name, 0, ret_value);
}

/* Whether both have the same values, in order, under `key`. */
static bool same_values(const struct pp_metadata *a, size_t a_n, const struct pp_metadata *b, size_t b_n, struct pp_str key)
{
    for (size_t i = 0;; i++) {
        struct pp_str x, y;
        bool has_x = find(a, a_n, key, i, &x), has_y = find(b, b_n, key, i, &y);

        if (has_x != has_y || (has_x && !pp_str_eq(x, y)))
            return false;
        if (!has_x)
            return true;
    }
}

/* Into `to`, with room for `a_n`, those of `a` whose key says the same in `b`. */
static size_t keep_common(const struct pp_metadata *a, size_t a_n, const struct pp_metadata *b, size_t b_n, struct pp_metadata *to)
{
    size_t n = 0;

    for (size_t i = 0; i < a_n; i++)
        if (same_values(a, a_n, b, b_n, a[i].key))
            to[n++] = a[i];
    return n;
}

bool pp_context_common(struct pp_context *a, struct pp_context *b, struct pp_context **ret)
{
    struct pp_metadata *kept;
    size_t metadata_n, auth_n;
    bool same_peer, ok = true;

    if (a == b || !a || !b) {
        *ret = a == b ? pp_context_ref(a) : NULL;
        return true;
    }
    kept = pp_calloc(a->metadata_n + a->auth_n + 1, sizeof(*kept));
    if (!kept)
        return false;
    metadata_n = keep_common(a->entries, a->metadata_n, b->entries, b->metadata_n, kept);
    auth_n = keep_common(a->entries + a->metadata_n, a->auth_n, b->entries + b->metadata_n, b->auth_n, kept + metadata_n);
    same_peer = pp_str_eq(a->peer, b->peer);
    if (metadata_n == a->metadata_n && auth_n == a->auth_n && (same_peer || a->peer.n == 0)) {
        *ret = pp_context_ref(a);
    } else if (metadata_n + auth_n == 0 && !same_peer) {
        *ret = NULL;
    } else {
        struct pp_context *common =
            pp_context_new_auth(same_peer ? a->peer : PP_STR(""), kept, metadata_n, kept + metadata_n, auth_n);

        ok = common != NULL;
        if (ok)
            *ret = common;
    }
    pp_free(kept);
    return ok;
}
