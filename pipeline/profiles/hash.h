/* Hashes of dictionary entries by value: field by field, for structs have padding. Private to profiles. */
#ifndef PP_PROFILES_HASH_H
#define PP_PROFILES_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "profiles/tables.h"

static inline uint64_t pp_hash_bytes(const void *data, size_t n)
{
    return n ? XXH3_64bits(data, n) : 0;
}

static inline uint64_t pp_hash_str(struct pp_str s)
{
    return pp_hash_bytes(s.p, s.n);
}

static inline uint64_t pp_hash_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 32;
}

static inline uint64_t pp_hash_function(const struct pp_function *f)
{
    uint64_t hash = pp_hash_mix((uint32_t)f->name, (uint32_t)f->system_name);

    return pp_hash_mix(pp_hash_mix(hash, (uint32_t)f->filename), (uint64_t)f->start_line);
}

static inline uint64_t pp_hash_mapping(const struct pp_mapping *m, const int32_t *attrs, size_t attrs_n)
{
    uint64_t hash = pp_hash_mix(pp_hash_mix(m->memory_start, m->memory_limit), m->file_offset);

    return pp_hash_mix(pp_hash_mix(hash, (uint32_t)m->filename), pp_hash_bytes(attrs, attrs_n * sizeof(*attrs)));
}

static inline uint64_t pp_hash_location(const struct pp_location *l, const struct pp_line *lines, size_t lines_n,
                                        const int32_t *attrs, size_t attrs_n)
{
    uint64_t hash = pp_hash_mix(pp_hash_mix(l->address, (uint32_t)l->mapping), lines_n);

    for (size_t i = 0; i < lines_n; i++) {
        hash = pp_hash_mix(hash, (uint32_t)lines[i].function);
        hash = pp_hash_mix(hash, (uint64_t)lines[i].line);
        if (lines[i].column)
            hash = pp_hash_mix(hash, (uint64_t)lines[i].column);
    }
    return pp_hash_mix(hash, pp_hash_bytes(attrs, attrs_n * sizeof(*attrs)));
}

#endif
