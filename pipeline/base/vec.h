/* Typed growable arrays: PP_VEC(int) numbers = {0}; pp_vec_push(&numbers, 7). All zero is empty. */
#ifndef PP_BASE_VEC_H
#define PP_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define PP_VEC(type)                                                                               \
    struct {                                                                                       \
        type *v;                                                                                   \
        size_t n, cap;                                                                             \
    }

/* Makes room for `extra` more elements; false, vector untouched, when memory is out. */
#define pp_vec_reserve(vec, extra)                                                                 \
    pp_vec_grow((void **)&(vec)->v, &(vec)->cap, (vec)->n, (extra), sizeof(*(vec)->v))

/* Appends by value; false, vector untouched, when memory is out. */
#define pp_vec_push(vec, ...)                                                                      \
    (pp_vec_reserve((vec), 1) ? ((vec)->v[(vec)->n++] = (__VA_ARGS__), true) : false)

#define pp_vec_done(vec)                                                                           \
    do {                                                                                           \
        pp_free((vec)->v);                                                                         \
        (vec)->v = NULL;                                                                           \
        (vec)->n = (vec)->cap = 0;                                                                 \
    } while (0)

bool pp_vec_grow(void **data, size_t *cap, size_t n, size_t extra, size_t element_size);

#endif
