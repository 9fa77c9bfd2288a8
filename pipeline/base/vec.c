#include "base/vec.h"

#include <stdint.h>

bool pp_vec_grow(void **data, size_t *cap, size_t n, size_t extra, size_t element_size)
{
    size_t want, grown = *cap ? *cap : 8;
    void *moved;

    if (__builtin_add_overflow(n, extra, &want) || want > SIZE_MAX / 4)
        return false;
    if (want <= *cap)
        return true;
    while (grown < want)
        grown *= 2;
    moved = pp_reallocarray(*data, grown, element_size);
    if (!moved)
        return false;
    *data = moved;
    *cap = grown;
    return true;
}
