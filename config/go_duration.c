#include "config/go_duration.h"

#include <stdlib.h>

struct unit {
    const char *name;
    int64_t ns;
};

/* Longer names first where one begins with another. */
static const struct unit units[] = {
    {"ns", 1},           {"us", 1000},      {"\xC2\xB5s", 1000}, /* U+00B5, the micro sign */
    {"\xCE\xBCs", 1000},                                         /* U+03BC, the Greek letter */
    {"ms", 1000000},     {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static const struct unit *read_unit(struct pp_str *rest)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (pp_str_starts(*rest, units[i].name)) {
            rest->p += strlen(units[i].name);
            rest->n -= strlen(units[i].name);
            return &units[i];
        }
    }
    return NULL;
}

static size_t read_digits(struct pp_str *rest, struct pp_str *ret)
{
    ret->p = rest->p;
    ret->n = 0;
    while (rest->n && rest->p[0] >= '0' && rest->p[0] <= '9') {
        ret->n++;
        rest->p++;
        rest->n--;
    }
    return ret->n;
}

/* One number with its unit, in nanoseconds. */
static bool read_part(struct pp_str *rest, uint64_t *ret)
{
    struct pp_str whole, fraction = {0};
    const struct unit *unit;
    uint64_t ns = 0, scale;

    read_digits(rest, &whole);
    if (rest->n && rest->p[0] == '.') {
        rest->p++;
        rest->n--;
        read_digits(rest, &fraction);
    }
    unit = whole.n + fraction.n ? read_unit(rest) : NULL;
    if (!unit || (whole.n && !pp_str_to_u64(whole, &ns)) ||
        __builtin_mul_overflow(ns, (uint64_t)unit->ns, &ns))
        return false;
    scale = (uint64_t)unit->ns;
    for (size_t i = 0; i < fraction.n && scale; i++) {
        uint64_t digit = (uint64_t)(fraction.p[i] - '0');
        /* the remainder of scale / 10 matters only for hours and minutes, which divide by 10 down
         * to 36 ns and 6 ns */
        if (__builtin_add_overflow(ns, digit * scale / 10, &ns))
            return false;
        scale /= 10;
    }
    *ret = ns;
    return true;
}

bool pp_duration_parse(struct pp_str text, int64_t *ret_ns)
{
    bool negative = text.n && text.p[0] == '-';
    size_t sign = text.n && (text.p[0] == '-' || text.p[0] == '+');
    struct pp_str rest = {text.p + sign, text.n - sign};
    uint64_t total = 0, part;

    if (pp_str_eq_c(rest, "0")) {
        *ret_ns = 0;
        return true;
    }
    if (!rest.n)
        return false;
    while (rest.n) {
        if (!read_part(&rest, &part) || __builtin_add_overflow(total, part, &total) ||
            total > INT64_MAX)
            return false;
    }
    *ret_ns = negative ? -(int64_t)total : (int64_t)total;
    return true;
}

/* `value` of `unit`, with the fraction without trailing zeros. */
static void print_decimal(uint64_t value, uint64_t unit, const char *name, struct pp_buf *out)
{
    uint64_t fraction = value % unit;

    pp_buf_printf(out, "%llu", (unsigned long long)(value / unit));
    if (fraction) {
        pp_buf_add_byte(out, '.');
        for (uint64_t scale = unit / 10; fraction; scale /= 10) {
            pp_buf_add_byte(out, (char)('0' + fraction / scale));
            fraction %= scale;
        }
    }
    pp_buf_add_c(out, name);
}

void pp_duration_print(int64_t ns, struct pp_buf *out)
{
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t seconds = value / 1000000000;

    if (ns < 0)
        pp_buf_add_byte(out, '-');
    if (value == 0) {
        pp_buf_add_c(out, "0s");
        return;
    }
    if (value < 1000) {
        print_decimal(value, 1, "ns", out);
    } else if (value < 1000000) {
        print_decimal(value, 1000, "\xC2\xB5s", out);
    } else if (value < 1000000000) {
        print_decimal(value, 1000000, "ms", out);
    } else {
        if (seconds >= 3600)
            pp_buf_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
        if (seconds >= 60)
            pp_buf_printf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
        print_decimal(value % 60000000000ull, 1000000000, "s", out);
    }
}
