/* Bump allocator: many small objects with one lifetime. Memory is zeroed. Not thread-safe. */
#ifndef PP_BASE_ARENA_H
#define PP_BASE_ARENA_H

#include "base/str.h"

struct pp_arena_chunk;

/* All zero is a valid empty arena without a limit. */
struct pp_arena {
    struct pp_arena_chunk *chunks;
    size_t bytes_used;  /* handed out, rounded up to alignment */
    size_t bytes_limit; /* 0: none; past it allocation fails */
    bool failed;        /* sticky: one failed allocation fails all later ones, so that a caller may test once at the end */
};

/* Aligned for any type; NULL when memory is out, the limit is reached, or an earlier call failed. */
void *pp_arena_alloc(struct pp_arena *arena, size_t size);
void *pp_arena_array(struct pp_arena *arena, size_t count, size_t size);
/* Copies with a NUL behind; NULL as above. */
char *pp_arena_strdup(struct pp_arena *arena, struct pp_str s);
char *pp_arena_printf(struct pp_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena is empty and usable again, its limit kept. */
void pp_arena_done(struct pp_arena *arena);

#endif
