#ifndef PP_BASE_CLOCK_H
#define PP_BASE_CLOCK_H

#include <stdint.h>

#define PP_MS_PER_S 1000ull
#define PP_NS_PER_MS 1000000ull
#define PP_NS_PER_S 1000000000ull

/* Nanoseconds since the Unix epoch; may jump. */
uint64_t pp_clock_unix_ns(void);
/* Milliseconds and nanoseconds that never go back; only differences mean anything. */
uint64_t pp_clock_mono_ms(void);
uint64_t pp_clock_mono_ns(void);

/* A pseudo-random number in [0, 1), seeded from the kernel once per thread; for jitter, never for secrets. */
double pp_random_unit(void);

#endif
