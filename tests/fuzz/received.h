/* What stands behind the otlp receiver's request handling in fuzz targets: takes every batch, or refuses it, and looks at it first. Link
 * received.c into the target before the libraries, in place of pipeline/receiver_emit.c. */
#ifndef PP_FUZZ_RECEIVED_H
#define PP_FUZZ_RECEIVED_H

#include "otlp_server.h"

/* The component that the server belongs to. */
struct pp_component *received_component(void);
/* Its counter. */
struct pp_counter *received_rejected(void);
/* What the next batches are answered with. */
void received_answer(enum pp_outcome outcome);
/* Batches since the last call. */
unsigned received_count(void);

#endif
