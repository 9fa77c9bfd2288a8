/* What stands behind the otlp receiver's request handling in fuzz targets: takes every batch, or refuses it, and looks at it first. Link
 * received.c into the target before the libraries, in place of pipeline/receiver_emit.c. */
#ifndef PP_FUZZ_RECEIVED_H
#define PP_FUZZ_RECEIVED_H

#include "otlp_server.h"

/* Gives the server its component and counters. */
void received_fill(struct pp_otlp_server *server);
/* What the next batches are answered with. */
void received_answer(enum pp_outcome outcome);
/* Batches since the last call. */
unsigned received_count(void);

#endif
