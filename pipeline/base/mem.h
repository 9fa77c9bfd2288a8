/* The one door to the heap, so that tests can make any allocation fail. Sizes in bytes. */
#ifndef PP_BASE_MEM_H
#define PP_BASE_MEM_H

#include <stddef.h>

/* Each returns NULL when memory is out or the product overflows; pp_free accepts NULL. */
void *pp_malloc(size_t size);
void *pp_calloc(size_t count, size_t size);
void *pp_realloc(void *p, size_t size);
void *pp_reallocarray(void *p, size_t count, size_t size);
char *pp_strdup(const char *s);
void pp_free(void *p);

/* Whole pages straight from the system, zeroed, `size` a multiple of the page size; back to it at once. */
void *pp_pages_new(size_t size);
void pp_pages_free(void *pages, size_t size);

static inline void pp_freep(void *p)
{
    pp_free(*(void **)p);
}

/* Frees what the variable points to when it goes out of scope. */
#define PP_AUTOFREE __attribute__((cleanup(pp_freep)))

/* Only in builds with PP_ALLOC_FAULTS: the n-th allocation of this thread from now on fails (0: none does). */
void pp_alloc_fail_at(size_t n);
/* Allocations of this thread since the last pp_alloc_fail_at. */
size_t pp_alloc_count(void);

#endif
