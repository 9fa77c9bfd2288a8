/* The batch itself. Private to profiles. */
#ifndef PP_PROFILES_BATCH_IMPL_H
#define PP_PROFILES_BATCH_IMPL_H

#include <pthread.h>

#include "profiles/data.h"

struct pp_batch {
    atomic_uint refs;
    struct pp_bytes *wire; /* the message, while the batch is as it came; NULL once built or edited */
    struct pp_bytes *packed;
    enum pp_encoding packed_encoding;
    struct pp_otlp_info info; /* of the message that the batch came as */
    struct pp_context *context;
    pthread_mutex_t decode_lock;    /* one thread decodes */
    _Atomic(struct pp_data *) data; /* NULL until somebody looks inside */
    /* Resources alone (origins.h), NULL until somebody looks at them before there is `data`. When both are NULL but for this, and there is no
     * `wire`, its resources were edited and the rest is as it came. */
    _Atomic(struct pp_data *) origins;
};

struct pp_batch *pp_batch_new(struct pp_context *context);
/* What the batch came as is no longer what it holds. Only by the one owner. */
void pp_batch_drop_wire(struct pp_batch *batch);
/* A batch of tables that were filled here; takes over `data`, also on failure. NULL when memory is out. */
struct pp_batch *pp_batch_from_data(struct pp_data *data, struct pp_context *context);
/* The decoded form, made on first use. */
struct pp_data *pp_batch_data(struct pp_batch *batch, struct pp_error *err);
/* The decoded form where there is one, else resources alone (`origins`). */
struct pp_data *pp_batch_origins_data(struct pp_batch *batch, struct pp_error *err);

#endif
