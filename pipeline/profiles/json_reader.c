#include "profiles/json_reader.h"

#include <stdarg.h>

#include "profiles/otlp_json.h"

void pp_json_reader_init(struct pp_json_reader *r, struct pp_str text, struct pp_error *err)
{
    *r = (struct pp_json_reader){.text = text, .err = err};
    pp_buf_init(&r->unescaped, text.n + 1); /* a string is never longer than its text */
}

void pp_json_reader_done(struct pp_json_reader *r)
{
    pp_buf_done(&r->unescaped);
}

bool pp_json_fail(struct pp_json_reader *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_error_setv(r->err, PP_ERR_INVALID, fmt, args);
    va_end(args);
    return pp_error_prefix(r->err, "JSON at byte %zu", r->at);
}

bool pp_json_accept_word(struct pp_json_reader *r, const char *word)
{
    size_t n = strlen(word);

    pp_json_peek(r);
    if (r->text.n - r->at < n || memcmp(r->text.p + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool hex4(struct pp_json_reader *r, uint32_t *ret)
{
    uint32_t v = 0;

    if (r->text.n - r->at < 4)
        return pp_json_fail(r, "\\u needs four hexadecimal digits");
    for (int i = 0; i < 4; i++) {
        char c = r->text.p[r->at];
        uint32_t digit;

        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (uint32_t)((c | 32) - 'a' + 10);
        else
            return pp_json_fail(r, "\\u needs four hexadecimal digits");
        v = v << 4 | digit;
        r->at++;
    }
    *ret = v;
    return true;
}

static void add_utf8(struct pp_buf *out, uint32_t c)
{
    if (c < 0x80) {
        pp_buf_add_byte(out, (char)c);
        return;
    }
    if (c < 0x800) {
        pp_buf_add_byte(out, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            pp_buf_add_byte(out, (char)(0xE0 | c >> 12));
        } else {
            pp_buf_add_byte(out, (char)(0xF0 | c >> 18));
            pp_buf_add_byte(out, (char)(0x80 | (c >> 12 & 63)));
        }
        pp_buf_add_byte(out, (char)(0x80 | (c >> 6 & 63)));
    }
    pp_buf_add_byte(out, (char)(0x80 | (c & 63)));
}

static bool unicode_escape(struct pp_json_reader *r)
{
    uint32_t c, low;

    if (!hex4(r, &c))
        return false;
    if (c >= 0xDC00 && c <= 0xDFFF)
        return pp_json_fail(r, "second half of a surrogate pair without the first");
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (r->text.n - r->at < 2 || r->text.p[r->at] != '\\' || r->text.p[r->at + 1] != 'u')
            return pp_json_fail(r, "first half of a surrogate pair without the second");
        r->at += 2;
        if (!hex4(r, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return pp_json_fail(r, "first half of a surrogate pair without the second");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    add_utf8(&r->unescaped, c);
    return true;
}

/* Behind the backslash. */
static bool escape(struct pp_json_reader *r)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *name;
    char c;

    if (r->at == r->text.n)
        return pp_json_fail(r, "string without end");
    c = r->text.p[r->at++];
    if (c == 'u')
        return unicode_escape(r);
    name = c ? strchr(names, c) : NULL;
    if (!name)
        return pp_json_fail(r, "unknown escape");
    pp_buf_add_byte(&r->unescaped, meanings[name - names]);
    return true;
}

/* Up to the next quote, backslash or control character. */
static size_t plain_run(const struct pp_json_reader *r)
{
    size_t i = r->at;

    while (i < r->text.n && r->text.p[i] != '"' && r->text.p[i] != '\\' && (unsigned char)r->text.p[i] >= 0x20)
        i++;
    return i - r->at;
}

bool pp_json_string(struct pp_json_reader *r, struct pp_str *ret)
{
    bool escaped = false;
    struct pp_str run;

    if (!pp_json_accept(r, '"'))
        return pp_json_fail(r, "a string expected");
    pp_buf_reset(&r->unescaped);
    for (;;) {
        run = (struct pp_str){r->text.p + r->at, plain_run(r)};
        r->at += run.n;
        if (r->at == r->text.n)
            return pp_json_fail(r, "string without end");
        if (r->text.p[r->at] == '"' && !escaped)
            break;
        pp_buf_add_str(&r->unescaped, run);
        if (r->text.p[r->at] == '"')
            break;
        if (r->text.p[r->at] != '\\')
            return pp_json_fail(r, "control character in a string");
        escaped = true;
        r->at++;
        if (!escape(r))
            return false;
    }
    r->at++;
    if (r->unescaped.failed)
        return pp_error_nomem(r->err);
    *ret = escaped ? pp_buf_str(&r->unescaped) : run;
    return true;
}

static size_t digits(struct pp_json_reader *r)
{
    size_t from = r->at;

    while (r->at < r->text.n && r->text.p[r->at] >= '0' && r->text.p[r->at] <= '9')
        r->at++;
    return r->at - from;
}

/* Without white space before it; `b` may be the same as `a`. */
static bool accept_now(struct pp_json_reader *r, char a, char b)
{
    if (r->at == r->text.n || (r->text.p[r->at] != a && r->text.p[r->at] != b))
        return false;
    r->at++;
    return true;
}

bool pp_json_number(struct pp_json_reader *r, struct pp_str *ret)
{
    size_t from, whole;
    bool ok;

    pp_json_peek(r);
    from = r->at;
    accept_now(r, '-', '-');
    whole = digits(r);
    ok = whole > 0 && (whole == 1 || r->text.p[r->at - whole] != '0');
    if (accept_now(r, '.', '.'))
        ok = digits(r) > 0 && ok;
    if (accept_now(r, 'e', 'E')) {
        accept_now(r, '+', '-');
        ok = digits(r) > 0 && ok;
    }
    if (!ok)
        return pp_json_fail(r, "a number expected");
    if (r->at - from > PP_JSON_NUMBER_BYTES_MAX)
        return pp_json_fail(r, "a number of more than %u bytes", PP_JSON_NUMBER_BYTES_MAX);
    *ret = (struct pp_str){r->text.p + from, r->at - from};
    return true;
}

bool pp_json_open(struct pp_json_reader *r, char opening)
{
    if (!pp_json_accept(r, opening))
        return pp_json_fail(r, "%s expected", opening == '{' ? "an object" : "an array");
    if (++r->depth > PP_JSON_DEPTH_MAX) {
        pp_error_set(r->err, PP_ERR_LIMIT, "more than %u nested objects and arrays", PP_JSON_DEPTH_MAX);
        return pp_error_prefix(r->err, "JSON at byte %zu", r->at);
    }
    return true;
}

bool pp_json_next(struct pp_json_reader *r, char closing, bool *first, bool *ret_more)
{
    if (pp_json_accept(r, closing)) {
        r->depth--;
        *ret_more = false;
        return true;
    }
    if (!*first && !pp_json_accept(r, ','))
        return pp_json_fail(r, "',' or '%c' expected", closing);
    *first = false;
    *ret_more = true;
    return true;
}

bool pp_json_next_name(struct pp_json_reader *r, bool *first, bool *ret_more, struct pp_str *ret_name)
{
    if (!pp_json_next(r, '}', first, ret_more))
        return false;
    if (!*ret_more)
        return true;
    if (!pp_json_string(r, ret_name))
        return false;
    return pp_json_accept(r, ':') || pp_json_fail(r, "':' expected");
}

static bool skip_members(struct pp_json_reader *r, char opening)
{
    bool first = true, more;
    struct pp_str name;

    if (!pp_json_open(r, opening))
        return false;
    for (;;) {
        if (opening == '{' ? !pp_json_next_name(r, &first, &more, &name) : !pp_json_next(r, ']', &first, &more))
            return false;
        if (!more)
            return true;
        if (!pp_json_skip(r))
            return false;
    }
}

bool pp_json_skip(struct pp_json_reader *r)
{
    char c = pp_json_peek(r);
    struct pp_str ignored;

    if (c == '{' || c == '[')
        return skip_members(r, c);
    if (c == '"')
        return pp_json_string(r, &ignored);
    if (pp_json_accept_word(r, "null") || pp_json_accept_word(r, "true") || pp_json_accept_word(r, "false"))
        return true;
    return pp_json_number(r, &ignored);
}
