/* Packed arrays of varints looked at many bytes at a time. SSE2 is what every x86-64 has; with wider vectors the arrays of real messages,
 * some fifty bytes each, gain nothing. */
#include "proto/wire.h"

#define CONTINUATIONS 0x8080808080808080ull

/* Eight bytes at a time, each word beginning where a varint does: a varint that ends inside the word is short enough to be right. */
bool pp_wire_packed_count(struct pp_wire packed, uint32_t *ret)
{
    uint32_t count = 0;

    while (packed.end - packed.p >= 8) {
        uint64_t word, ends;

        memcpy(&word, packed.p, sizeof(word));
        ends = ~word & CONTINUATIONS;
        if (!ends) {
            if (!pp_wire_varint(&packed, &word))
                return false;
            count++;
            continue;
        }
        packed.p += 8 - (unsigned)__builtin_clzll(ends) / 8;
        count += (uint32_t)((ends >> 7) * 0x0101010101010101ull >> 56);
    }
    while (pp_wire_more(&packed)) {
        uint64_t value;

        if (!pp_wire_varint(&packed, &value))
            return false;
        count++;
    }
    *ret = count;
    return true;
}

#ifdef __SSE2__
#include <emmintrin.h>

#define CHUNK 16u
#define CHUNKS_COUNTED_MAX 255u /* a byte counts this far */
#define TWO_BYTES_MAX ((1u << 14) - 1)
#define THREE_BYTES_MAX ((1u << 21) - 1)

/* The largest value that is good, as bytes of a varint. A byte is good by itself up to `alone`; behind one continuation byte or two it is the top
 * of a value, which it decides unless it equals the limit's. */
struct bound {
    __m128i alone, low, middle, high;
    bool wide; /* three bytes */
};

static __m128i all(uint32_t byte)
{
    return _mm_set1_epi8((char)byte);
}

static struct bound bound_of(uint32_t max)
{
    return (struct bound){
        .alone = all(max < 127 ? max : 127),
        .low = all(0x80 | (max & 127)), /* as they stand on the wire: comparisons are signed */
        .middle = all(max > TWO_BYTES_MAX ? 0x80 | (max >> 7 & 127) : max >> 7),
        .high = all(max >> 14),
        .wide = max > TWO_BYTES_MAX,
    };
}

/* Lanes where `top` makes the value too large, `below` being whether the lower bytes are above the limit's. */
static __m128i over(__m128i top, __m128i top_max, __m128i below)
{
    return _mm_or_si128(_mm_cmpgt_epi8(top, top_max), _mm_and_si128(_mm_cmpeq_epi8(top, top_max), below));
}

/* Lanes that make the array not plainly good; those where a varint ends in *ended. */
static inline __m128i look(const uint8_t *p, const struct bound *b, __m128i *ended)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i bytes = _mm_loadu_si128((const __m128i *)p), before = _mm_loadu_si128((const __m128i *)(p - 1));
    __m128i goes_on = _mm_cmplt_epi8(bytes, zero), after = _mm_cmplt_epi8(before, zero);
    __m128i low_over = _mm_cmpgt_epi8(before, b->low), wrong;

    *ended = _mm_andnot_si128(goes_on, all(0xFF));
    if (!b->wide) {
        wrong = _mm_and_si128(after, _mm_or_si128(goes_on, over(bytes, b->middle, low_over)));
    } else {
        __m128i first = _mm_loadu_si128((const __m128i *)(p - 2));
        __m128i third = _mm_and_si128(after, _mm_cmplt_epi8(first, zero));
        __m128i below = over(before, b->middle, _mm_cmpgt_epi8(first, b->low));

        wrong = _mm_and_si128(third, _mm_or_si128(goes_on, over(bytes, b->high, below)));
    }
    return _mm_or_si128(wrong, _mm_andnot_si128(after, _mm_cmpgt_epi8(bytes, b->alone)));
}

/* The first `n` lanes. */
static __m128i lanes(size_t n)
{
    static const int8_t edge[2 * CHUNK] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

    return _mm_loadu_si128((const __m128i *)(edge + CHUNK - n));
}

static uint32_t sum(__m128i bytes)
{
    bytes = _mm_sad_epu8(bytes, _mm_setzero_si128());
    return (uint32_t)_mm_cvtsi128_si32(bytes) + (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(bytes, 8));
}

bool pp_wire_packed_below(const uint8_t *p, size_t n, uint32_t limit, uint32_t *count)
{
    const struct bound b = bound_of(limit - 1);
    const uint8_t *end = p + n;
    uint32_t values = 0;

    if (n == 0)
        return true;
    if (limit == 0 || limit - 1 > THREE_BYTES_MAX || end[-1] >= 0x80)
        return false;
    while (end - p >= (ptrdiff_t)CHUNK) {
        __m128i bad = _mm_setzero_si128(), ends = bad, ended;

        for (unsigned i = 0; i < CHUNKS_COUNTED_MAX && end - p >= (ptrdiff_t)CHUNK; i++, p += CHUNK) {
            bad = _mm_or_si128(bad, look(p, &b, &ended));
            ends = _mm_sub_epi8(ends, ended);
        }
        if (_mm_movemask_epi8(bad))
            return false;
        values += sum(ends);
    }
    if (p < end) {
        __m128i mask = lanes((size_t)(end - p)), ended, bad = look(p, &b, &ended);

        if (_mm_movemask_epi8(_mm_and_si128(bad, mask)))
            return false;
        values += sum(_mm_and_si128(_mm_and_si128(ended, mask), all(1)));
    }
    *count += values;
    return true;
}
#else
bool pp_wire_packed_below(const uint8_t *p, size_t n, uint32_t limit, uint32_t *count)
{
    (void)p;
    (void)n;
    (void)limit;
    (void)count;
    return false;
}
#endif
