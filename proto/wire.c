#include "proto/wire.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CONTINUATIONS 0x8080808080808080ull

/* Three to eight bytes at once: the groups of seven bits are pushed together in three steps. */
static const uint8_t *varint_word(const uint8_t *p, uint64_t *ret)
{
    uint64_t x, ends;

    memcpy(&x, p, sizeof(x));
    ends = ~x & CONTINUATIONS;
    if (!ends)
        return NULL;
    x &= (ends ^ (ends - 1)) & ~CONTINUATIONS;
    x = (x & 0x007F007F007F007Full) | (x & 0x7F007F007F007F00ull) >> 1;
    x = (x & 0x00003FFF00003FFFull) | (x & 0x3FFF00003FFF0000ull) >> 2;
    *ret = (x & 0x000000000FFFFFFFull) | (x & 0x0FFFFFFF00000000ull) >> 4;
    return p + (unsigned)__builtin_ctzll(ends) / 8 + 1;
}

const uint8_t *pp_wire_varint_slow(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *quick = end - p >= 8 ? varint_word(p, ret) : NULL;

    if (quick)
        return quick;
    for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return NULL;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            return p;
        }
    }
    return NULL;
}

static bool skip_bytes(struct pp_wire *w, uint64_t n)
{
    if (n > (uint64_t)(w->end - w->p))
        return false;
    w->p += n;
    return true;
}

static bool skip_scalar(struct pp_wire *w, uint32_t tag)
{
    uint64_t n;

    switch (PP_WIRE_TYPE(tag)) {
    case PP_WIRE_VARINT:
        return pp_wire_varint(w, &n);
    case PP_WIRE_FIXED64:
        return skip_bytes(w, 8);
    case PP_WIRE_FIXED32:
        return skip_bytes(w, 4);
    case PP_WIRE_LEN:
        return pp_wire_varint(w, &n) && skip_bytes(w, n);
    default:
        return false;
    }
}

/* Groups end with a tag of their own field number; nesting is followed on a small stack instead of by recursion. */
static bool skip_group(struct pp_wire *w, uint32_t tag)
{
    uint32_t open[PP_WIRE_GROUP_DEPTH_MAX];
    unsigned depth = 0;

    for (open[depth++] = PP_WIRE_FIELD(tag); depth > 0;) {
        if (!pp_wire_tag(w, &tag))
            return false;
        if (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP) {
            if (depth == PP_WIRE_GROUP_DEPTH_MAX)
                return false;
            open[depth++] = PP_WIRE_FIELD(tag);
        } else if (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP_END) {
            if (open[--depth] != PP_WIRE_FIELD(tag))
                return false;
        } else if (!skip_scalar(w, tag)) {
            return false;
        }
    }
    return true;
}

const uint8_t *pp_wire_skip_slow(const uint8_t *p, const uint8_t *end, uint32_t tag)
{
    struct pp_wire w = {p, end};

    return (PP_WIRE_TYPE(tag) == PP_WIRE_GROUP ? skip_group(&w, tag) : skip_scalar(&w, tag)) ? w.p : NULL;
}

size_t pp_wire_packed_count(struct pp_wire packed)
{
    size_t n = 0;

    for (const uint8_t *p = packed.p; p < packed.end; p++)
        n += *p < 0x80;
    return n;
}

#ifdef __SSE2__
#define CHUNK 16u
#define CHUNKS_COUNTED_MAX 255u /* a byte counts this far */

/* A byte behind a continuation byte is the upper half of a two-byte varint: below limit / 128 it keeps the value below the limit, and if
 * it goes on itself the varint is longer. All other bytes are values below 128. */
bool pp_wire_packed_below(struct pp_wire *packed, uint32_t limit, uint32_t *count)
{
    const __m128i zero = _mm_setzero_si128();
    const __m128i high_max = _mm_set1_epi8((char)((limit >> 7 < 128 ? limit >> 7 : 128) - 1));
    const uint8_t *p = packed->p;

    if (limit < 128)
        return false;
    while (packed->end - p >= CHUNK) {
        __m128i ended = zero;
        unsigned bad = 0, chunks = 0;

        for (; chunks < CHUNKS_COUNTED_MAX && packed->end - p >= CHUNK; chunks++, p += CHUNK) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)p);
            __m128i continues = _mm_cmplt_epi8(bytes, zero);
            __m128i after = _mm_cmplt_epi8(_mm_loadu_si128((const __m128i *)(p - 1)), zero);
            __m128i wrong = _mm_and_si128(after, _mm_or_si128(continues, _mm_cmpgt_epi8(bytes, high_max)));

            bad |= (unsigned)_mm_movemask_epi8(wrong);
            ended = _mm_sub_epi8(ended, _mm_andnot_si128(continues, _mm_set1_epi8(-1)));
        }
        if (bad)
            return false;
        ended = _mm_sad_epu8(ended, zero);
        *count += (uint32_t)_mm_cvtsi128_si32(ended) + (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(ended, 8));
    }
    packed->p = p[-1] < 0x80 ? p : p - 1; /* back to where a varint begins */
    return true;
}
#else
bool pp_wire_packed_below(struct pp_wire *packed, uint32_t limit, uint32_t *count)
{
    (void)packed;
    (void)limit;
    (void)count;
    return true; /* nothing looked at, nothing wrong */
}
#endif
