#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define ARENA_CHUNK_BYTES_MIN 4096u
#define ARENA_CHUNK_BYTES_MAX (1u << 20)
#define ARENA_ALIGN 16u

struct pp_arena_chunk {
    struct pp_arena_chunk *next;
    size_t used;
    size_t size;
    _Alignas(ARENA_ALIGN) char data[];
};

static struct pp_arena_chunk *add_chunk(struct pp_arena *arena, size_t need)
{
    size_t size = arena->chunks ? arena->chunks->size * 2 : ARENA_CHUNK_BYTES_MIN;
    struct pp_arena_chunk *chunk;

    if (size > ARENA_CHUNK_BYTES_MAX)
        size = ARENA_CHUNK_BYTES_MAX;
    if (size < need)
        size = need;
    chunk = pp_malloc(sizeof(*chunk) + size);
    if (!chunk)
        return NULL;
    *chunk = (struct pp_arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    return chunk;
}

void *pp_arena_alloc(struct pp_arena *arena, size_t size)
{
    struct pp_arena_chunk *chunk = arena->chunks;
    void *p;

    if (arena->failed || size > SIZE_MAX / 4)
        goto fail;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (arena->bytes_limit && size > arena->bytes_limit - arena->bytes_used)
        goto fail;
    if (!chunk || chunk->size - chunk->used < size) {
        chunk = add_chunk(arena, size);
        if (!chunk)
            goto fail;
    }
    p = chunk->data + chunk->used;
    chunk->used += size;
    arena->bytes_used += size;
    return memset(p, 0, size);
fail:
    arena->failed = true;
    return NULL;
}

void *pp_arena_array(struct pp_arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        arena->failed = true;
        return NULL;
    }
    return pp_arena_alloc(arena, total);
}

char *pp_arena_strdup(struct pp_arena *arena, struct pp_str s)
{
    char *copy = pp_arena_alloc(arena, s.n + 1);

    if (copy && s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

char *pp_arena_printf(struct pp_arena *arena, const char *fmt, ...)
{
    va_list args;
    int n;
    char *text;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = n < 0 ? NULL : pp_arena_alloc(arena, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

void pp_arena_done(struct pp_arena *arena)
{
    struct pp_arena_chunk *chunk = arena->chunks;

    while (chunk) {
        struct pp_arena_chunk *next = chunk->next;
        pp_free(chunk);
        chunk = next;
    }
    *arena = (struct pp_arena){.bytes_limit = arena->bytes_limit};
}
