#include "detector.h"

bool pp_detected_add(struct pp_detected *detected, struct pp_str key, struct pp_str value, struct pp_error *err)
{
    char *key_copy, *value_copy;

    for (size_t i = 0; i < detected->n; i++)
        if (pp_str_eq(detected->v[i].key, key))
            return true;
    if (detected->n == PP_DETECTED_ATTRIBUTES_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u attributes detected", PP_DETECTED_ATTRIBUTES_MAX);
    key_copy = pp_arena_strdup(&detected->arena, key);
    value_copy = pp_arena_strdup(&detected->arena, value);
    if (!key_copy || !value_copy)
        return pp_error_nomem(err);
    detected->v[detected->n].key = (struct pp_str){key_copy, key.n};
    detected->v[detected->n++].value = (struct pp_str){value_copy, value.n};
    return true;
}

void pp_detected_done(struct pp_detected *detected)
{
    pp_arena_done(&detected->arena);
    detected->n = 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place; a percent sign that begins no escape stands for itself. */
static struct pp_str percent_decode(char *text, size_t n)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        int high = text[i] == '%' && i + 2 < n ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

        text[out++] = low >= 0 ? (char)(high * 16 + low) : text[i];
        i += low >= 0 ? 2 : 0;
    }
    return (struct pp_str){text, out};
}

static bool pair_error(struct pp_error *err, struct pp_str pair, const char *what)
{
    return pp_error_set(err, PP_ERR_CONFIG, "OTEL_RESOURCE_ATTRIBUTES: \"" PP_STR_FMT "\" %s", PP_STR_ARG(pair), what);
}

static bool add_pair(struct pp_str pair, struct pp_detected *detected, struct pp_error *err)
{
    const char *equals = memchr(pair.p, '=', pair.n);
    struct pp_str key, value;
    char *copy;

    if (!equals)
        return pair_error(err, pair, "is not key=value");
    key = pp_str_trim((struct pp_str){pair.p, (size_t)(equals - pair.p)});
    value = pp_str_trim((struct pp_str){equals + 1, pair.n - (size_t)(equals - pair.p) - 1});
    if (key.n == 0)
        return pair_error(err, pair, "has no key");
    copy = pp_arena_strdup(&detected->arena, value);
    if (!copy)
        return pp_error_nomem(err);
    value = percent_decode(copy, value.n);
    if (!pp_utf8_valid(value) || !pp_utf8_valid(key))
        return pair_error(err, pair, "is not UTF-8");
    return pp_detected_add(detected, key, value, err);
}

bool pp_detect_env(const char *list, struct pp_detected *detected, struct pp_error *err)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        struct pp_str pair = pp_str_trim((struct pp_str){list, n});

        if (pair.n && !add_pair(pair, detected, err))
            return false;
        list += n + (list[n] == ',');
    }
    return true;
}
