/* Samples, most of a message. */
#include "proto/otlp/check_quick.h"

#define WORD_BYTES 8u
#define LIST_BYTES_MAX 7u /* beside their number in a word */
#define LIST_MAX 4u /* attributes of a sample whose keys are compared here */
#define CONTINUATIONS 0x8080808080808080ull

/* Where varints end in the first `n` bytes (1 to 8) of a word. */
static inline uint64_t ends_in(uint64_t word, uint32_t n)
{
    return ~word & CONTINUATIONS & ~0ull >> (64 - 8 * n);
}

static inline uint32_t count_of(uint64_t ends)
{
    return (uint32_t)((ends >> 7) * 0x0101010101010101ull >> 56);
}

/* The value of the varint at the front of a word, which ends at the lowest bit of `ends`. */
static inline uint64_t front_value(uint64_t word, uint64_t ends)
{
    word &= (ends ^ (ends - 1)) & ~CONTINUATIONS;
    word = (word & 0x007F007F007F007Full) | (word & 0x7F007F007F007F00ull) >> 1;
    word = (word & 0x00003FFF00003FFFull) | (word & 0x3FFF00003FFF0000ull) >> 2;
    return (word & 0x0FFFFFFFull) | (word & 0x0FFFFFFF00000000ull) >> 4;
}

/* What a run of samples adds up to; in registers while it goes. */
struct sums {
    uint32_t attrs, values, timestamps;
};

/* Whether the keys of a list of up to LIST_MAX attributes differ. Whatever two have in common is left to the long way. */
static bool distinct_keys(const struct check *c, uint64_t word, uint64_t ends)
{
    int32_t before[LIST_MAX] = {-1, -1, -1, -1};
    uint32_t limit = c->limit[CHECK_ATTRIBUTE];
    bool wrong = false;

    while (ends) {
        uint64_t value = front_value(word, ends);
        uint32_t shift = (uint32_t)__builtin_ctzll(ends) + 1;
        bool bad = value >= limit;
        int32_t key = c->keys.v[bad ? 0 : value];

        wrong |= bad | (key == before[0]) | (key == before[1]) | (key == before[2]) | (key == before[3]);
        before[3] = before[2], before[2] = before[1], before[1] = before[0], before[0] = key;
        word = word >> shift;
        ends = ends >> shift;
    }
    return !wrong;
}

/* A new list, kept in `slot`. */
static bool learn_list(const struct check *c, struct check_list *slot, uint64_t word, uint32_t n)
{
    uint64_t ends = ends_in(word, n);
    uint32_t count = count_of(ends);

    if (!(ends >> (8 * n - 1)) || count > LIST_MAX || !distinct_keys(c, word, ends))
        return false;
    *slot = (struct check_list){word | (uint64_t)n << 56, count};
    return true;
}

/* Packed attributes at `*p`, past their tag. Their number, 0 when there is nothing to vouch for. */
static inline uint32_t quick_list(struct check *c, const uint8_t **p)
{
    uint32_t n = **p;
    struct check_list *slot;
    uint64_t word;

    if (n - 1 >= LIST_BYTES_MAX)
        return 0;
    word = quick_load(*p + 1) & ~0ull >> (64 - 8 * n);
    *p += 1 + n;
    slot = &c->lists_seen[word * 0x9E3779B97F4A7C15ull >> (64 - CHECK_LISTS_SEEN_BITS)];
    if (__builtin_expect(slot->key != (word | (uint64_t)n << 56), 0) && !learn_list(c, slot, word, n))
        return 0;
    return slot->count;
}

/* Packed values of up to eight bytes at `*p`, past their tag; their number, 0 when there is nothing to vouch for. */
static inline uint32_t quick_values(const uint8_t **p)
{
    uint32_t n = **p;
    uint64_t ends;

    if (n - 1 >= WORD_BYTES)
        return 0;
    ends = ends_in(quick_load(*p + 1), n);
    *p += 1 + n;
    return ends >> (8 * n - 1) ? count_of(ends) : 0; /* or the last one does not end */
}

/* One sample from `p` to `end`. */
static inline bool quick_sample(struct check *c, const uint8_t *p, const uint8_t *end, struct sums *sums)
{
    uint32_t attrs = 0, values = 0, timestamps = 0;

    if (quick_index_field(&p, PP_TAG_VARINT(PP_SAMPLE_STACK)) >= c->limit[CHECK_STACK])
        return false;
    if (*p == PP_TAG_LEN(PP_SAMPLE_ATTRIBUTES) && (p++, (attrs = quick_list(c, &p)) == 0))
        return false;
    if (quick_index_field(&p, PP_TAG_VARINT(PP_SAMPLE_LINK)) >= c->limit[CHECK_LINK])
        return false;
    if (*p == PP_TAG_LEN(PP_SAMPLE_VALUES) && (p++, (values = quick_values(&p)) == 0))
        return false;
    if (*p == PP_TAG_LEN(PP_SAMPLE_TIMESTAMPS)) {
        timestamps = p[1] / 8u;
        if (p[1] & ~0x78u || timestamps == 0 || (values && values != timestamps))
            return false;
        p += 2 + p[1];
    } else if (values != 1) {
        return false;
    }
    sums->attrs += attrs;
    sums->values += values;
    sums->timestamps += timestamps;
    return p == end;
}

const uint8_t *check_quick_samples(struct check *c, const uint8_t *p, const uint8_t *end, uint32_t *samples)
{
    struct sums sums = {0}, good = {0};
    uint32_t n = 0;

    for (; p < end && *p == PP_TAG_LEN(PP_PROFILE_SAMPLES); n++) {
        const uint8_t *next = quick_entry_end(c, p, end);

        if (!next || !quick_sample(c, p + 2, next, &sums))
            break;
        good = sums;
        p = next;
    }
    c->info.counts.attr_indices += good.attrs;
    c->info.counts.values += good.values;
    c->info.counts.timestamps += good.timestamps;
    *samples += n;
    return p;
}
