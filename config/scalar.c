#include <math.h>
#include <stdlib.h>

#include "config/tree.h"

#define NUMBER_CHARS_MAX 128 /* anything longer is a string; no number a person writes is */

static bool is_one_of(struct pp_str text, const char *const *names)
{
    for (; *names; names++) {
        if (pp_str_eq_c(text, *names))
            return true;
    }
    return false;
}

static bool is_null(struct pp_str text)
{
    static const char *const names[] = {"", "~", "null", "Null", "NULL", NULL};

    return is_one_of(text, names);
}

/* Digits of `base` only, at least one; false also past 64 bits. */
static bool read_digits(const char *digits, int base, uint64_t *ret)
{
    uint64_t value = 0;

    if (!*digits)
        return false;
    for (; *digits; digits++) {
        int d = *digits >= '0' && *digits <= '9'   ? *digits - '0'
                : *digits >= 'a' && *digits <= 'f' ? *digits - 'a' + 10
                : *digits >= 'A' && *digits <= 'F' ? *digits - 'A' + 10
                                                   : 99;
        if (d >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)d, &value))
            return false;
    }
    *ret = value;
    return true;
}

static int number_base(const char **digits)
{
    const char *p = *digits;
    int kind = p[0] == '0' ? p[1] | 0x20 : 0;

    if (kind == 'x' || kind == 'o' || kind == 'b') {
        *digits = p + 2;
        return kind == 'x' ? 16 : kind == 'o' ? 8 : 2;
    }
    return p[0] == '0' && p[1] ? 8 : 10;
}

static bool read_int(const char *text, struct pp_scalar *ret)
{
    bool negative = text[0] == '-';
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    uint64_t magnitude, limit = (uint64_t)INT64_MAX + negative;
    int base = number_base(&digits);

    if (!read_digits(digits, base, &magnitude))
        return false;
    if (magnitude > limit) {
        *ret = (struct pp_scalar){.type = PP_SCALAR_FLOAT,
                                  .f = negative ? -(double)magnitude : (double)magnitude};
        return true;
    }
    *ret = (struct pp_scalar){.type = PP_SCALAR_INT};
    ret->i = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool looks_like_float(const char *p)
{
    size_t before, after = 0;

    p += *p == '-' || *p == '+';
    before = strspn(p, "0123456789");
    p += before;
    if (*p == '.') {
        p++;
        after = strspn(p, "0123456789");
        p += after;
    }
    if (before + after == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        if (!strspn(p, "0123456789"))
            return false;
        p += strspn(p, "0123456789");
    }
    return *p == '\0';
}

static bool read_special_float(struct pp_str text, struct pp_scalar *ret)
{
    static const char *const nan_names[] = {".nan", ".NaN", ".NAN", NULL};
    static const char *const inf_names[] = {".inf", ".Inf", ".INF", NULL};
    bool sign = text.n && (text.p[0] == '-' || text.p[0] == '+');
    struct pp_str rest = {text.p + sign, text.n - sign};

    *ret = (struct pp_scalar){.type = PP_SCALAR_FLOAT};
    if (is_one_of(text, nan_names))
        ret->f = NAN;
    else if (is_one_of(rest, inf_names))
        ret->f = sign && text.p[0] == '-' ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

static bool read_number(struct pp_str text, struct pp_scalar *ret)
{
    char plain[NUMBER_CHARS_MAX + 1];
    size_t n = 0;

    if (text.n > NUMBER_CHARS_MAX || !memchr("0123456789+-.", text.p[0], 13))
        return false;
    if (read_special_float(text, ret))
        return true;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '_')
            plain[n++] = text.p[i];
    }
    plain[n] = '\0';
    if (read_int(plain, ret))
        return true;
    if (!looks_like_float(plain))
        return false;
    *ret = (struct pp_scalar){.type = PP_SCALAR_FLOAT, .f = strtod(plain, NULL)};
    return true;
}

struct pp_scalar pp_scalar_read(struct pp_str text)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    struct pp_scalar number;

    if (is_null(text))
        return (struct pp_scalar){.type = PP_SCALAR_NULL};
    if (is_one_of(text, yes))
        return (struct pp_scalar){.type = PP_SCALAR_BOOL, .b = true};
    if (is_one_of(text, no))
        return (struct pp_scalar){.type = PP_SCALAR_BOOL};
    if (read_number(text, &number))
        return number;
    return (struct pp_scalar){.type = PP_SCALAR_STRING};
}

struct pp_scalar pp_node_scalar(const struct pp_node *node)
{
    if (node->kind == PP_NODE_NULL)
        return (struct pp_scalar){.type = PP_SCALAR_NULL};
    if (node->quoted)
        return (struct pp_scalar){.type = PP_SCALAR_STRING};
    return pp_scalar_read(node->text);
}
