#include "config/component_id.h"

#include <ctype.h>

struct range {
    uint32_t first, last;
};

/* The Collector refuses the Unicode classes Z (separators), C (control) and S (symbols). ASCII's
 * members of them are exact; beyond it these are the blocks that consist of them. */
static const struct range refused[] = {
    {0x00, 0x20},        {'$', '$'},       {'+', '+'},       {'<', '>'},       {'^', '^'},
    {'`', '`'},          {'|', '|'},       {0x7E, 0xA0},     {0xA2, 0xA6},     {0xA8, 0xA9},
    {0xAC, 0xB1},        {0xB4, 0xB4},     {0xB8, 0xB8},     {0xD7, 0xD7},     {0xF7, 0xF7},
    {0x1680, 0x1680},    {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F}, {0x20A0, 0x20CF},
    {0x2100, 0x214F},    {0x2190, 0x2307}, {0x230C, 0x2328}, {0x232B, 0x2767}, {0x2794, 0x27C4},
    {0x3000, 0x3000},    {0xE000, 0xF8FF}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFD}, {0x1F000, 0x1FAFF},
    {0xE0000, 0x10FFFF},
};

/* The first character of valid UTF-8, taken off `rest`. */
static uint32_t take_char(struct pp_str *rest)
{
    unsigned char lead = (unsigned char)rest->p[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t c = n == 1 ? lead : lead & (0xFFu >> (n + 1));

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)rest->p[i] & 0x3F);
    rest->p += n;
    rest->n -= n;
    return c;
}

static bool name_valid(struct pp_str name)
{
    size_t chars = 0;

    if (!pp_utf8_valid(name))
        return false;
    while (name.n) {
        uint32_t c = take_char(&name);
        if (++chars > PP_ID_NAME_CHARS_MAX)
            return false;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
            if (c >= refused[i].first && c <= refused[i].last)
                return false;
        }
    }
    return true;
}

static bool type_valid(struct pp_str type)
{
    if (type.n == 0 || type.n > PP_ID_TYPE_BYTES_MAX || !isalpha((unsigned char)type.p[0]))
        return false;
    for (size_t i = 0; i < type.n; i++) {
        if (!isalnum((unsigned char)type.p[i]) && type.p[i] != '_')
            return false;
    }
    return true;
}

bool pp_component_id_parse(struct pp_str text, struct pp_component_id *ret, struct pp_error *err)
{
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    struct pp_component_id id = {.type = pp_str_trim(text)};

    if (id.type.n == 0)
        return pp_error_set(err, PP_ERR_CONFIG, "an id must not be empty");
    if (slash) {
        id.type = pp_str_trim((struct pp_str){text.p, (size_t)(slash - text.p)});
        id.name = pp_str_trim((struct pp_str){slash + 1, (size_t)(text.p + text.n - slash) - 1});
        if (id.name.n == 0)
            return pp_error_set(err, PP_ERR_CONFIG, "the part behind the / must not be empty");
    }
    if (!type_valid(id.type))
        return pp_error_set(
            err, PP_ERR_CONFIG,
            "a type is a letter, then at most 62 letters, digits and _; a name comes behind a /");
    if (!name_valid(id.name))
        return pp_error_set(err, PP_ERR_CONFIG,
                            "a name must have no white space, control characters or symbols, and "
                            "at most %u characters",
                            PP_ID_NAME_CHARS_MAX);
    *ret = id;
    return true;
}
