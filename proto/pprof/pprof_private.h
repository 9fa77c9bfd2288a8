/* What the parts of the decoder share. */
#ifndef PP_PPROF_PPROF_PRIVATE_H
#define PP_PPROF_PPROF_PRIVATE_H

#include "base/index.h"
#include "pprof/pprof.h"
#include "proto/wire.h"

/* From ids to positions. Ids that count up from 1, as almost every writer's do, need no table. */
struct pp_pprof_ids {
    const char *what; /* "mapping", for messages */
    const char *entries;
    size_t stride, n; /* entries begin with their id */
    bool dense;
    struct pp_index index;
};

/* `entries` is an array of n structs of `stride` bytes whose first member is the id. Fails on an id that is 0 or there twice. */
bool pp_pprof_ids_init(struct pp_pprof_ids *ids, const char *what, const void *entries, size_t n, size_t stride, struct pp_error *err);
/* PP_PPROF_NONE when there is no such id. */
uint32_t pp_pprof_ids_find(const struct pp_pprof_ids *ids, uint64_t id);
void pp_pprof_ids_done(struct pp_pprof_ids *ids);

struct pp_pprof_decoder {
    struct pp_pprof *p;
    struct pp_error *err;
    size_t budget; /* bytes of tables that may still be made */
    struct pp_pprof_ids functions, mappings, locations;
};

/* Appends within the decoder's budget; on failure the error is set. */
#define PP_PPROF_PUSH(d, vec, ...)                                                                                     \
    (pp_pprof_charge((d), sizeof(*(vec)->v)) && (pp_vec_push((vec), __VA_ARGS__) || pp_error_nomem((d)->err)))
bool pp_pprof_charge(struct pp_pprof_decoder *d, size_t bytes);

bool pp_pprof_malformed(struct pp_pprof_decoder *d, const char *what);
/* A varint field; a field of another wire type is an error. */
bool pp_pprof_number(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, uint64_t *ret);
/* The same for a number that is an index of the string table; checked once all strings are known. */
bool pp_pprof_string_ref(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, uint32_t *ret);
bool pp_pprof_message(struct pp_pprof_decoder *d, struct pp_wire *w, uint32_t tag, struct pp_wire *ret);

bool pp_pprof_read_sample(struct pp_pprof_decoder *d, struct pp_wire w);
bool pp_pprof_read_mapping(struct pp_pprof_decoder *d, struct pp_wire w);
bool pp_pprof_read_location(struct pp_pprof_decoder *d, struct pp_wire w);
bool pp_pprof_read_function(struct pp_pprof_decoder *d, struct pp_wire w);
bool pp_pprof_read_value_type(struct pp_pprof_decoder *d, struct pp_wire w, struct pp_pprof_value_type *ret);

#endif
