/* Batches for tests: random ones, and a text of their content that does not depend on the order of dictionaries. */
#ifndef PP_PROFILES_TESTING_BATCH_TESTING_H
#define PP_PROFILES_TESTING_BATCH_TESTING_H

#include "base/buf.h"
#include "profiles/batch.h"

struct pp_test_shape {
    unsigned resources, scopes, profiles, samples; /* of each: per batch, resource, scope, profile */
    unsigned functions, stacks, depth;             /* to choose from; depth is the deepest stack */
    bool rich; /* attributes everywhere, links, ids, payloads, odd values; else plain CPU samples with timestamps */
};

/* The same seed and shape give the same batch. NULL when memory is out. */
struct pp_batch *pp_test_batch(const struct pp_test_shape *shape, uint64_t seed);

/* One line for each sample, with all that belongs to it resolved (resource, scope, profile, stack, attributes), in order. The
 * original payload is left out: a profile that is cut keeps it in its first part only. */
void pp_test_dump(const struct pp_tables *tables, struct pp_buf *out);
/* The same lines sorted: equal for batches that hold the same samples. */
char *pp_test_dump_sorted(struct pp_batch *const *batches, size_t n);

#endif
