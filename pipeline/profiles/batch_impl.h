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
    struct pp_otlp_info info; /* of `wire` */
    struct pp_context *context;
    pthread_mutex_t decode_lock;    /* one thread decodes */
    _Atomic(struct pp_data *) data; /* NULL until somebody looks inside */
};

struct pp_batch *pp_batch_new(struct pp_context *context);
/* A batch of tables that were filled here; takes over `data`, also on failure. NULL when memory is out. */
struct pp_batch *pp_batch_from_data(struct pp_data *data, struct pp_context *context);
/* The decoded form, made on first use. */
struct pp_data *pp_batch_data(struct pp_batch *batch, struct pp_error *err);

#endif
