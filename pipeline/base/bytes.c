#include "base/bytes.h"

#include <assert.h>

#include "base/slab.h"
#include "base/mem.h"

static struct pp_bytes *wrap(char *data, size_t len, size_t cap)
{
    struct pp_bytes *bytes = pp_malloc(sizeof(*bytes));

    if (!bytes)
        return NULL;
    *bytes = (struct pp_bytes){.data = data, .len = len, .cap = cap};
    atomic_init(&bytes->refs, 1);
    return bytes;
}

static struct pp_bytes *new_slab(size_t len)
{
    size_t cap;
    char *data = pp_slab_new(len, &cap);
    struct pp_bytes *bytes = data ? wrap(data, len, cap) : NULL;

    if (bytes)
        bytes->slab = true;
    else
        pp_slab_free(data, cap);
    return bytes;
}

struct pp_bytes *pp_bytes_new(size_t len)
{
    struct pp_bytes *bytes;
    char *data;

    if (len >= PP_SLAB_BYTES_MIN)
        return new_slab(len);
    data = pp_malloc(len);
    bytes = data ? wrap(data, len, len) : NULL;
    if (!bytes)
        pp_free(data);
    return bytes;
}

struct pp_bytes *pp_bytes_copy(struct pp_str s)
{
    struct pp_bytes *bytes = pp_bytes_new(s.n);

    if (bytes && s.n)
        memcpy(bytes->data, s.p, s.n);
    return bytes;
}

struct pp_bytes *pp_bytes_take(struct pp_buf *buf)
{
    struct pp_bytes *bytes = buf->failed ? NULL : wrap(buf->data, buf->len, buf->cap);

    if (bytes)
        *buf = (struct pp_buf){.max = buf->max};
    return bytes;
}

struct pp_bytes *pp_bytes_ref(struct pp_bytes *bytes)
{
    unsigned before = atomic_fetch_add_explicit(&bytes->refs, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
    return bytes;
}

void pp_bytes_unref(struct pp_bytes *bytes)
{
    if (!bytes || atomic_fetch_sub_explicit(&bytes->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (bytes->slab)
        pp_slab_free(bytes->data, bytes->cap);
    else
        pp_free(bytes->data);
    pp_free(bytes);
}
