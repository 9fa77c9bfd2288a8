/* Bounds for duration rows, in seconds. */
#ifndef PP_CONFIG_GROUPS_DURATION_H
#define PP_CONFIG_GROUPS_DURATION_H

#define PP_NS(seconds) ((int64_t)((seconds)*1000000000.0))

/* "As long as you like": a hundred years, so that a deadline computed from now never overflows 64
 * bits of nanoseconds. */
#define PP_DURATION_MAX_S 3155760000.0

#endif
