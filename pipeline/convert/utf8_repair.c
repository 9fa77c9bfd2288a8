#include "convert/utf8_repair.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define SEQUENCE_BYTES_MAX 4u

/* Length of the well-formed sequence that begins at `s`, or 0. */
static size_t sequence_length(struct pp_str s)
{
    for (size_t n = 1; n <= SEQUENCE_BYTES_MAX && n <= s.n; n++)
        if (pp_utf8_valid((struct pp_str){s.p, n}))
            return n;
    return 0;
}

bool pp_utf8_repair(struct pp_arena *arena, struct pp_str s, struct pp_str *ret)
{
    char *out;
    size_t n = 0;

    if (pp_utf8_valid(s)) {
        *ret = s;
        return true;
    }
    out = pp_arena_array(arena, s.n, sizeof(REPLACEMENT) - 1);
    if (!out)
        return false;
    while (s.n > 0) {
        size_t len = sequence_length(s), step = len ? len : 1;

        memcpy(out + n, len ? s.p : REPLACEMENT, len ? len : sizeof(REPLACEMENT) - 1);
        n += len ? len : sizeof(REPLACEMENT) - 1;
        s.p += step;
        s.n -= step;
    }
    *ret = (struct pp_str){out, n};
    return true;
}
