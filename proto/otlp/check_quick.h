/* The quick way through what nearly every entry of a message looks like: short lengths, fields in order, small indices. It says "right, and
 * counted" or nothing; whatever it does not vouch for goes the long way, which alone refuses, so that verdicts and their texts have one
 * source. It branches on which fields there are, which is the same from one entry to the next, and never on their values or sizes, for a
 * mispredicted branch costs as much as half an entry. Private to proto/otlp. */
#ifndef PP_PROTO_OTLP_CHECK_QUICK_H
#define PP_PROTO_OTLP_CHECK_QUICK_H

#include "proto/otlp/check_state.h"

/* An entry's fields are read in words of eight bytes, and what follows its end may look like a field of it until the end is compared: entries
 * with fewer bytes of the message behind them are left to the long way. */
#define CHECK_QUICK_SLACK_BYTES 64u
#define CHECK_QUICK_BYTES_MAX 127u /* of an entry: lengths of one byte */

/* Each goes from `p` over as many fields as it vouches for and returns where it stopped, at a field's tag or at `end`. */
const uint8_t *check_quick_entries(struct check *c, const uint8_t *p, const uint8_t *end);
const uint8_t *check_quick_samples(struct check *c, const uint8_t *p, const uint8_t *end, uint32_t *samples);

static inline uint64_t quick_load(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* The index at `*p`, past its tag, in up to three bytes; CHECK_NO_INDEX, above any limit, when it is longer. */
static inline uint32_t quick_index(const uint8_t **p)
{
    uint32_t bytes, ends;

    memcpy(&bytes, *p, sizeof(bytes));
    ends = ~bytes & 0x808080u;
    if (__builtin_expect(!ends, 0))
        return CHECK_NO_INDEX;
    *p += ((uint32_t)__builtin_ctz(ends) >> 3) + 1;
    bytes &= ends - 1;
    return (bytes & 0x7Fu) | (bytes & 0x7F00u) >> 1 | (bytes & 0x7F0000u) >> 2;
}

/* The same for a field that may be left out, 0 then. */
static inline uint32_t quick_index_field(const uint8_t **p, uint8_t tag)
{
    if (**p != tag)
        return 0;
    ++*p;
    return quick_index(p);
}

/* Passes over a number of any size, which may be left out; stays in front of one that is malformed. */
static inline void quick_skip_field(const uint8_t **p, uint8_t tag)
{
    uint64_t ends;

    if (**p != tag)
        return;
    ends = ~quick_load(*p + 1) & 0x8080808080808080ull;
    if (__builtin_expect(ends != 0, 1))
        *p += ((uint32_t)__builtin_ctzll(ends) >> 3) + 2;
    else if ((*p)[9] < 0x80)
        *p += 10;
    else if ((*p)[10] <= 1) /* 64 bits end there */
        *p += 11;
}

/* Where the entry whose tag is at `p` ends, NULL when it is too long for the quick way. */
static inline const uint8_t *quick_entry_end(const struct check *c, const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2 || p[1] > CHECK_QUICK_BYTES_MAX || end - p < 2 + (ptrdiff_t)p[1] ||
        c->end - p < 2 + (ptrdiff_t)p[1] + (ptrdiff_t)CHECK_QUICK_SLACK_BYTES)
        return NULL;
    return p + 2 + p[1];
}

#endif
