#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Thread_local size_t alloc_count;
static _Thread_local size_t alloc_fail_at;

void pp_alloc_fail_at(size_t n)
{
    alloc_count = 0;
    alloc_fail_at = n;
}

size_t pp_alloc_count(void)
{
    return alloc_count;
}

static inline bool fails_now(void)
{
#ifdef PP_ALLOC_FAULTS
    return ++alloc_count == alloc_fail_at;
#else
    return false;
#endif
}

void *pp_malloc(size_t size)
{
    return fails_now() ? NULL : malloc(size ? size : 1);
}

void *pp_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *pp_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : realloc(p, size ? size : 1);
}

void *pp_reallocarray(void *p, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return pp_realloc(p, total);
}

char *pp_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = pp_malloc(n);

    return copy ? memcpy(copy, s, n) : NULL;
}

void pp_free(void *p)
{
    free(p);
}

void *pp_pages_new(size_t size)
{
    void *pages = fails_now() ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void pp_pages_free(void *pages, size_t size)
{
    if (pages)
        munmap(pages, size);
}
