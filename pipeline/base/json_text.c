#include "base/json_text.h"

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void add_escape(struct pp_buf *buf, unsigned char c)
{
    switch (c) {
    case '"':
        pp_buf_add_c(buf, "\\\"");
        break;
    case '\\':
        pp_buf_add_c(buf, "\\\\");
        break;
    case '\n':
        pp_buf_add_c(buf, "\\n");
        break;
    case '\r':
        pp_buf_add_c(buf, "\\r");
        break;
    case '\t':
        pp_buf_add_c(buf, "\\t");
        break;
    default:
        pp_buf_printf(buf, "\\u%04x", c);
    }
}

static void add_ascii_runs(struct pp_buf *buf, struct pp_str s)
{
    size_t start = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!needs_escape((unsigned char)s.p[i]))
            continue;
        pp_buf_add(buf, s.p + start, i - start);
        add_escape(buf, (unsigned char)s.p[i]);
        start = i + 1;
    }
    pp_buf_add(buf, s.p + start, s.n - start);
}

/* Slow path: keeps the well-formed sequences and marks each byte that belongs to none. */
static void add_repaired(struct pp_buf *buf, struct pp_str s)
{
    size_t i = 0;

    while (i < s.n) {
        size_t len = 1;
        while (len <= 4 && i + len <= s.n && !pp_utf8_valid((struct pp_str){s.p + i, len}))
            len++;
        if (len > 4 || i + len > s.n) {
            pp_buf_add_c(buf, "\xEF\xBF\xBD");
            i++;
        } else {
            add_ascii_runs(buf, (struct pp_str){s.p + i, len});
            i += len;
        }
    }
}

bool pp_json_add_string(struct pp_buf *buf, struct pp_str s)
{
    pp_buf_add_byte(buf, '"');
    if (pp_utf8_valid(s))
        add_ascii_runs(buf, s);
    else
        add_repaired(buf, s);
    return pp_buf_add_byte(buf, '"');
}
