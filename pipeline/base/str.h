/* Borrowed byte slices: strings and binary data alike, never NUL-terminated by contract. */
#ifndef PP_BASE_STR_H
#define PP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `p` may be NULL only when `n` is 0. The bytes belong to somebody else, who outlives the slice. */
struct pp_str {
    const char *p;
    size_t n;
};

#define PP_STR(literal) ((struct pp_str){(literal), sizeof(literal) - 1})
#define PP_STR_FMT "%.*s"
#define PP_STR_ARG(s) (int)(s).n, (s).p

static inline struct pp_str pp_str_c(const char *c)
{
    return (struct pp_str){c, c ? strlen(c) : 0};
}

static inline bool pp_str_eq(struct pp_str a, struct pp_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool pp_str_eq_c(struct pp_str a, const char *b)
{
    return pp_str_eq(a, pp_str_c(b));
}

static inline bool pp_str_starts(struct pp_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* ASCII case-insensitive, as HTTP header names and media types compare. */
bool pp_str_eq_nocase(struct pp_str a, struct pp_str b);

/* Without leading and trailing ASCII white space. */
struct pp_str pp_str_trim(struct pp_str s);

/* Decimal digits only, no sign, no overflow; `ret` is untouched on failure. */
bool pp_str_to_u64(struct pp_str s, uint64_t *ret);

/* A NUL-terminated copy owned by the caller (pp_free); NULL when memory is out. */
char *pp_str_dup(struct pp_str s);

/* Strict UTF-8 (no surrogates, no overlong forms, at most U+10FFFF), as protobuf strings must be. */
bool pp_utf8_valid(struct pp_str s);

/* The name among `names` (NULL-terminated) closest to `s`, for "did you mean"; NULL when none is near enough. */
const char *pp_str_nearest(struct pp_str s, const char *const *names);

#endif
