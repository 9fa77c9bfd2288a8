#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define BUF_CAP_MIN 256u

void pp_buf_init(struct pp_buf *buf, size_t bytes_max)
{
    *buf = (struct pp_buf){.max = bytes_max};
}

void pp_buf_done(struct pp_buf *buf)
{
    pp_free(buf->data);
    *buf = (struct pp_buf){.max = buf->max};
}

void pp_buf_reset(struct pp_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Room for `n` more bytes, whatever the maximum: at least twice what there was, and all at once what is asked for at once. */
static bool grow(struct pp_buf *buf, size_t n)
{
    size_t cap = buf->cap < BUF_CAP_MIN / 2 ? BUF_CAP_MIN : 2 * buf->cap;
    char *data;

    if (n <= buf->cap - buf->len && buf->data) /* an empty write to an empty buffer gets its block too */
        return true;
    if (cap < buf->len + n)
        cap = buf->len + n;
    data = pp_realloc(buf->data, cap);
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

char *pp_buf_reserve(struct pp_buf *buf, size_t n)
{
    if (buf->failed || n > buf->max - buf->len || !grow(buf, n)) {
        buf->failed = true;
        return NULL;
    }
    return buf->data + buf->len;
}

bool pp_buf_add(struct pp_buf *buf, const void *data, size_t n)
{
    char *to = pp_buf_reserve(buf, n);

    if (!to)
        return false;
    if (n)
        memcpy(to, data, n);
    buf->len += n;
    return true;
}

bool pp_buf_add_str(struct pp_buf *buf, struct pp_str s)
{
    return pp_buf_add(buf, s.p, s.n);
}

bool pp_buf_add_c(struct pp_buf *buf, const char *s)
{
    return pp_buf_add(buf, s, strlen(s));
}

bool pp_buf_add_byte(struct pp_buf *buf, char c)
{
    return pp_buf_add(buf, &c, 1);
}

bool pp_buf_add_u64(struct pp_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return pp_buf_add(buf, digits + at, sizeof(digits) - at);
}

bool pp_buf_printf(struct pp_buf *buf, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    /* The NUL that is written behind the text does not count against the maximum. */
    if (n < 0 || !pp_buf_reserve(buf, (size_t)n) || !grow(buf, (size_t)n + 1)) {
        buf->failed = true;
        return false;
    }
    va_start(args, fmt);
    vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)n;
    return true;
}
