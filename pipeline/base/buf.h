/* Growable byte buffer with a mandatory maximum and a sticky failure, so that writers test once at the end. */
#ifndef PP_BASE_BUF_H
#define PP_BASE_BUF_H

#include "base/str.h"

struct pp_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;  /* bytes; a write past it fails */
    bool failed; /* memory out or past max: every later write fails too, the content is not to be used */
};

void pp_buf_init(struct pp_buf *buf, size_t bytes_max);
void pp_buf_done(struct pp_buf *buf);
/* Empties without giving memory back, and clears a failure. */
void pp_buf_reset(struct pp_buf *buf);
/* Room for `n` more bytes at the returned address, not yet counted in len; NULL on failure. */
char *pp_buf_reserve(struct pp_buf *buf, size_t n);
bool pp_buf_add(struct pp_buf *buf, const void *data, size_t n);
bool pp_buf_add_str(struct pp_buf *buf, struct pp_str s);
bool pp_buf_add_c(struct pp_buf *buf, const char *s);
bool pp_buf_add_byte(struct pp_buf *buf, char c);
/* In decimal, without what printf costs: for what every answer says. */
bool pp_buf_add_u64(struct pp_buf *buf, uint64_t value);
bool pp_buf_printf(struct pp_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct pp_str pp_buf_str(const struct pp_buf *buf)
{
    return (struct pp_str){buf->data, buf->len};
}

#endif
