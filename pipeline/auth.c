#include "pipeline/auth.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* application/x-www-form-urlencoded: %XX and '+'. What is no escape stands for itself. */
static struct pp_str decode(struct pp_arena *arena, struct pp_str text)
{
    char *to = pp_arena_alloc(arena, text.n + 1);
    size_t n = 0;

    if (!to)
        return (struct pp_str){0};
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && i + 2 < text.n && hex_digit(text.p[i + 1]) >= 0 && hex_digit(text.p[i + 2]) >= 0) {
            to[n++] = (char)(hex_digit(text.p[i + 1]) << 4 | hex_digit(text.p[i + 2]));
            i += 2;
        } else {
            to[n++] = text.p[i] == '+' ? ' ' : text.p[i];
        }
    }
    return (struct pp_str){to, n};
}

static struct pp_str until(struct pp_str text, char c)
{
    const char *end = text.n ? memchr(text.p, c, text.n) : NULL;

    return (struct pp_str){text.p, end ? (size_t)(end - text.p) : text.n};
}

static struct pp_str query_param(const struct pp_auth_check *check, struct pp_str name)
{
    struct pp_str rest = check->request->query;

    while (rest.n > 0) {
        struct pp_str pair = until(rest, '&'), key = until(pair, '=');
        size_t skip = pair.n < rest.n ? pair.n + 1 : pair.n;

        if (pp_str_eq_nocase(decode(&check->request->arena, key), name)) {
            size_t value_at = key.n < pair.n ? key.n + 1 : key.n;

            return decode(&check->request->arena, (struct pp_str){pair.p + value_at, pair.n - value_at});
        }
        rest = (struct pp_str){rest.p + skip, rest.n - skip};
    }
    return (struct pp_str){0};
}

struct pp_str pp_auth_credential(const struct pp_auth_check *check, const char *name)
{
    const struct pp_http_request *request = check->request;

    for (size_t i = 0; i < request->headers_n; i++)
        if (pp_str_eq_nocase(request->headers[i].name, pp_str_c(name)))
            return request->headers[i].value;
    for (size_t i = 0; check->request_params && i < check->request_params->n; i++)
        if (pp_str_eq_nocase(pp_str_c(check->request_params->v[i]), pp_str_c(name)))
            return query_param(check, pp_str_c(name));
    return (struct pp_str){0};
}

const struct pp_http_header *pp_header_set_find(const struct pp_header_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (pp_str_eq_nocase(set->v[i].name, pp_str_c(name)))
            return &set->v[i];
    return NULL;
}

void pp_header_set_remove(struct pp_header_set *set, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        if (!pp_str_eq_nocase(set->v[i].name, pp_str_c(name)))
            set->v[n++] = set->v[i];
    set->n = n;
}

/* RFC 9110, section 5.6.2: tchar. */
static bool name_valid(struct pp_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.n > 0;
}

static bool value_valid(struct pp_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

static bool grow(struct pp_header_set *set)
{
    size_t cap = set->cap ? 2 * set->cap : 16;
    struct pp_http_header *v;

    if (set->n < set->cap)
        return true;
    v = pp_arena_array(set->arena, cap, sizeof(*v));
    if (!v)
        return false;
    if (set->n)
        memcpy(v, set->v, set->n * sizeof(*v));
    set->v = v;
    set->cap = cap;
    return true;
}

bool pp_header_set_put(struct pp_header_set *set, const char *name, struct pp_str value, struct pp_error *err)
{
    struct pp_http_header header = {.name.n = strlen(name), .value.n = value.n};

    if (!name_valid(pp_str_c(name)))
        return pp_error_set(err, PP_ERR_INVALID, "\"%.64s\" cannot be the name of a header", name);
    if (!value_valid(value))
        return pp_error_set(err, PP_ERR_INVALID, "the value for header \"%.64s\" has a control character in it", name);
    pp_header_set_remove(set, name);
    if (set->n >= PP_AUTH_HEADERS_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u headers", PP_AUTH_HEADERS_MAX);
    header.name.p = pp_arena_strdup(set->arena, pp_str_c(name));
    header.value.p = pp_arena_strdup(set->arena, value);
    if (!header.name.p || !header.value.p || !grow(set))
        return pp_error_nomem(err);
    set->v[set->n++] = header;
    return true;
}
