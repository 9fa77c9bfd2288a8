/* A reference-counted, immutable block of bytes: a received body, an encoded message. Any thread may hold references. */
#ifndef PP_BASE_BYTES_H
#define PP_BASE_BYTES_H

#include <stdatomic.h>

#include "base/buf.h"

struct pp_bytes {
    atomic_uint refs;
    char *data; /* owned; written only before the first share */
    size_t len;
    size_t cap; /* allocated size: what the block costs, for memory accounting */
    bool slab; /* `data` is a slab, else of pp_malloc */
};

/* `len` uninitialised bytes (perhaps a bit more: cap), one reference; NULL when memory is out. Large ones come from the kept slabs
 * of base/slab.h. The caller may lower `len` before the first share. */
struct pp_bytes *pp_bytes_new(size_t len);
struct pp_bytes *pp_bytes_copy(struct pp_str s);
/* Takes the buffer's memory (the buffer is empty afterwards); NULL, buffer untouched, when memory is out or it has failed. */
struct pp_bytes *pp_bytes_take(struct pp_buf *buf);
struct pp_bytes *pp_bytes_ref(struct pp_bytes *bytes);
void pp_bytes_unref(struct pp_bytes *bytes);

static inline struct pp_str pp_bytes_str(const struct pp_bytes *bytes)
{
    return (struct pp_str){bytes->data, bytes->len};
}

#endif
