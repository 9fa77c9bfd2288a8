#include "histogram.h"

/* The first HISTOGRAM_STEPS values have a bucket each; from there on each doubling has as many. */
static uint32_t bucket_of(uint64_t ns)
{
    uint32_t top, bucket;

    if (ns < HISTOGRAM_STEPS)
        return (uint32_t)ns;
    top = 63 - (uint32_t)__builtin_clzll(ns) - 6; /* doublings beyond the first 64 */
    bucket = HISTOGRAM_STEPS + top * HISTOGRAM_STEPS + (uint32_t)((ns >> top) & (HISTOGRAM_STEPS - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t edge_of(uint32_t bucket)
{
    uint32_t top;

    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    top = (bucket - HISTOGRAM_STEPS) / HISTOGRAM_STEPS;
    return ((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << top) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->buckets[bucket_of(ns)]++;
    h->n++;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->n + 0.5), seen = 0;

    if (h->n == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted)
            return edge_of(i);
    }
    return edge_of(HISTOGRAM_BUCKETS - 1);
}
