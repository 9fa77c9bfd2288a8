/* For receivers with a thread of their own (files, scrapers): hand a batch on and wait for the result, so that no more than one is under way. */
#ifndef PP_PIPELINE_WAIT_H
#define PP_PIPELINE_WAIT_H

#include <stdatomic.h>

#include "pipeline/component.h"

#define PP_WAIT_STOP_GRACE_MS 2000u /* a batch under way is waited for so long after a stop */
#define PP_WAIT_MESSAGE_BYTES 256u

/* pp_receiver_emit, and its result. Waits at most PP_WAIT_STOP_GRACE_MS longer than *stop is false: then the outcome is PP_RETRY, and the answer that comes
 * later goes nowhere. `ret_message` gets the result's words, "" when accepted. */
enum pp_outcome pp_emit_and_wait(struct pp_component *self, const char *transport, struct pp_batch *batch, const atomic_bool *stop,
                                 char ret_message[PP_WAIT_MESSAGE_BYTES]);

#endif
