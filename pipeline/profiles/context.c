#include <stdatomic.h>

#include "base/mem.h"
#include "profiles/batch.h"

struct pp_context {
    atomic_uint refs;
    struct pp_str peer;
    size_t metadata_n;
    struct pp_metadata metadata[]; /* the text they point to follows in the same allocation */
};

static struct pp_str copy_text(char **to, struct pp_str s)
{
    struct pp_str copy = {*to, s.n};

    if (s.n)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return copy;
}

struct pp_context *pp_context_new(struct pp_str peer, const struct pp_metadata *metadata, size_t metadata_n)
{
    size_t table = metadata_n * sizeof(*metadata), text = peer.n;
    struct pp_context *context;
    char *to;

    for (size_t i = 0; i < metadata_n; i++)
        text += metadata[i].key.n + metadata[i].value.n;
    context = pp_malloc(sizeof(*context) + table + text);
    if (!context)
        return NULL;
    atomic_init(&context->refs, 1);
    to = (char *)&context->metadata[metadata_n];
    context->peer = copy_text(&to, peer);
    context->metadata_n = metadata_n;
    for (size_t i = 0; i < metadata_n; i++) {
        context->metadata[i].key = copy_text(&to, metadata[i].key);
        context->metadata[i].value = copy_text(&to, metadata[i].value);
    }
    return context;
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

bool pp_context_metadata(const struct pp_context *context, struct pp_str key, size_t i, struct pp_str *ret_value)
{
    for (size_t m = 0; context && m < context->metadata_n; m++) {
        if (!pp_str_eq(context->metadata[m].key, key) || i-- > 0)
            continue;
        *ret_value = context->metadata[m].value;
        return true;
    }
    return false;
}
