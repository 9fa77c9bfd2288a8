/* Latencies in logarithmic buckets, each about 1.6 % wide: nothing is allocated while a load runs. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64 /* buckets for each doubling */
#define HISTOGRAM_BUCKETS (48 * HISTOGRAM_STEPS)

struct histogram {
    uint64_t n;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* The value below which this share of all lies (upper edge of its bucket), in ns; 0 when there is none. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
