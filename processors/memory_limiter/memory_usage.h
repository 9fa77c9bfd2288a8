/* How much memory the process uses and may use, in bytes. */
#ifndef PP_MEMORY_LIMITER_MEMORY_USAGE_H
#define PP_MEMORY_LIMITER_MEMORY_USAGE_H

#include <stdint.h>

/* Resident set of this process; 0 when /proc does not say. */
uint64_t pp_memory_resident(void);

/* The smallest of the machine's memory and the limits of the cgroups (v2 and v1) that the process is in; 0 when nothing is known. */
uint64_t pp_memory_total(void);

#endif
