/* Slabs: large blocks of memory (bodies, inflated messages) that are kept for a while after use: faulting fresh pages in costs more than
 * filling them. One bounded store for the process; any thread. */
#ifndef PP_BASE_SLAB_H
#define PP_BASE_SLAB_H

#include <stddef.h>

/* Less is better left to malloc. */
#define PP_SLAB_BYTES_MIN (64u * 1024)
/* Kept at most, all slabs together. */
#define PP_SLABS_KEPT_BYTES_MAX (16u * 1024 * 1024)

/* At least `size` uninitialised bytes; *ret_cap is what there is, which pp_slab_free wants to know. NULL when memory is out. */
void *pp_slab_new(size_t size, size_t *ret_cap);
/* Accepts NULL. */
void pp_slab_free(void *block, size_t cap);

/* Gives back to the system what has been kept, unused, since the call before this one. Returns the bytes still kept: whoever calls
 * this now and then may stop when nothing is left. */
size_t pp_slabs_trim(void);
/* `wake` is called when a slab is kept for the first time, and for the first time after a pp_slabs_trim that left nothing: time to
 * begin with trimming. From any thread and under a lock: it must not use slabs. NULL: nobody is called any more. */
void pp_slabs_on_kept(void (*wake)(void *arg), void *arg);

#endif
