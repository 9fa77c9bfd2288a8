#include "answer_json.h"

#include <errno.h>
#include <stdlib.h>

/* Longest text of a number that is read: sign and 19 digits. */
#define NUMBER_CHARS_MAX 20

static void advance(struct pp_answer_json *json, size_t n)
{
    json->left.p += n;
    json->left.n -= n;
}

static int peek(struct pp_answer_json *json)
{
    while (json->left.n && strchr(" \t\r\n", json->left.p[0]) && json->left.p[0]) {
        advance(json, 1);
    }
    return json->left.n && !json->bad ? (unsigned char)json->left.p[0] : -1;
}

static bool fail(struct pp_answer_json *json)
{
    json->bad = true;
    return false;
}

static bool expect(struct pp_answer_json *json, char c)
{
    if (peek(json) != c) {
        return fail(json);
    }
    advance(json, 1);
    return true;
}

static bool literal(struct pp_answer_json *json, const char *word)
{
    if (peek(json) < 0 || !pp_str_starts(json->left, word)) {
        return false;
    }
    advance(json, strlen(word));
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits behind "\u". */
static bool unit(struct pp_answer_json *json, uint32_t *ret)
{
    uint32_t value = 0;

    if (json->left.n < 4) {
        return fail(json);
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(json->left.p[i]);

        if (digit < 0) {
            return fail(json);
        }
        value = value << 4 | (uint32_t)digit;
    }
    advance(json, 4);
    *ret = value;
    return true;
}

static void add_utf8(struct pp_buf *out, uint32_t c)
{
    if (c < 0x80) {
        pp_buf_add_byte(out, (char)c);
    } else if (c < 0x800) {
        pp_buf_add_byte(out, (char)(0xc0 | c >> 6));
        pp_buf_add_byte(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        pp_buf_add_byte(out, (char)(0xe0 | c >> 12));
        pp_buf_add_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        pp_buf_add_byte(out, (char)(0x80 | (c & 0x3f)));
    } else {
        pp_buf_add_byte(out, (char)(0xf0 | c >> 18));
        pp_buf_add_byte(out, (char)(0x80 | (c >> 12 & 0x3f)));
        pp_buf_add_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        pp_buf_add_byte(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* A \u escape, with its second half when it is one of a surrogate pair. */
static bool unicode_escape(struct pp_answer_json *json, struct pp_buf *out)
{
    uint32_t c, low;

    if (!unit(json, &c)) {
        return false;
    }
    if (c >= 0xd800 && c < 0xdc00 && pp_str_starts(json->left, "\\u")) {
        advance(json, 2);
        if (!unit(json, &low) || low < 0xdc00 || low > 0xdfff) {
            return fail(json);
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xd800 && c < 0xe000) {
        return fail(json);
    }
    add_utf8(out, c);
    return true;
}

static bool escape(struct pp_answer_json *json, struct pp_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    char c;

    if (json->left.n == 0) {
        return fail(json);
    }
    c = json->left.p[0];
    advance(json, 1);
    if (c == 'u') {
        return unicode_escape(json, out);
    }
    at = c ? strchr(from, c) : NULL;
    if (!at) {
        return fail(json);
    }
    pp_buf_add_byte(out, to[at - from]);
    return true;
}

bool pp_answer_json_string(struct pp_answer_json *json, struct pp_buf *out)
{
    pp_buf_reset(out);
    if (!expect(json, '"')) {
        return false;
    }
    while (json->left.n) {
        char c = json->left.p[0];

        advance(json, 1);
        if (c == '"') {
            return !out->failed || fail(json);
        }
        if ((unsigned char)c < 0x20 || (c == '\\' && !escape(json, out))) {
            return fail(json);
        }
        if (c != '\\') {
            pp_buf_add_byte(out, c);
        }
    }
    return fail(json);
}

bool pp_answer_json_enter(struct pp_answer_json *json)
{
    return expect(json, '{');
}

bool pp_answer_json_member(struct pp_answer_json *json, bool *first, struct pp_buf *name)
{
    if (peek(json) == '}') {
        advance(json, 1);
        return false;
    }
    if (!*first && !expect(json, ',')) {
        return false;
    }
    *first = false;
    return pp_answer_json_string(json, name) && expect(json, ':');
}

bool pp_answer_json_int64(struct pp_answer_json *json, int64_t *ret)
{
    bool quoted = peek(json) == '"';
    char text[NUMBER_CHARS_MAX + 1];
    size_t n = 0;
    char *end;
    long long value;

    if (quoted) {
        advance(json, 1);
    }
    while (n < json->left.n && n < NUMBER_CHARS_MAX && json->left.p[n] &&
           strchr("-0123456789", json->left.p[n])) {
        text[n] = json->left.p[n];
        n++;
    }
    text[n] = '\0';
    advance(json, n);
    errno = 0;
    value = strtoll(text, &end, 10);
    if (n == 0 || *end || errno || (quoted && !expect(json, '"')) || json->bad) {
        return fail(json);
    }
    *ret = value;
    return true;
}

/* Numbers, true, false and null: everything up to what can follow a value. */
static bool skip_word(struct pp_answer_json *json)
{
    size_t n = 0;

    while (n < json->left.n && json->left.p[n] && !strchr(",]} \t\r\n", json->left.p[n])) {
        n++;
    }
    advance(json, n);
    return n > 0 || fail(json);
}

static bool skip_string(struct pp_answer_json *json)
{
    for (size_t i = 1; i < json->left.n; i++) {
        if (json->left.p[i] == '\\') {
            i++;
        } else if (json->left.p[i] == '"') {
            advance(json, i + 1);
            return true;
        }
    }
    return fail(json);
}

/* Balances brackets only: what is skipped is nobody's business beyond where it ends. */
bool pp_answer_json_skip(struct pp_answer_json *json)
{
    unsigned depth = 0;

    do {
        int c = peek(json);

        if (c == '{' || c == '[') {
            advance(json, 1);
            if (++depth > PP_ANSWER_JSON_DEPTH_MAX) {
                return fail(json);
            }
        } else if (depth && (c == '}' || c == ']')) {
            advance(json, 1);
            depth--;
        } else if (depth && (c == ',' || c == ':')) {
            advance(json, 1);
        } else if (c < 0 || (c == '"' ? !skip_string(json) : !skip_word(json))) {
            return fail(json);
        }
    } while (depth);
    return true;
}

bool pp_answer_json_null(struct pp_answer_json *json)
{
    return literal(json, "null");
}

bool pp_answer_json_at_end(struct pp_answer_json *json)
{
    return peek(json) < 0 && !json->bad;
}
