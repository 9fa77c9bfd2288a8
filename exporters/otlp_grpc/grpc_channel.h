/* Calls to a gRPC server wherever it is: resolves its name, connects, spreads calls over its
 * addresses, connects again with growing pauses. One per loop, used on that loop's thread. Nothing
 * happens without calls: an idle channel neither connects nor wakes up (but for keepalive with
 * permit_without_stream).
 * Rules: the gRPC project's load-balancing.md, connection-backoff.md, wait-for-ready.md. */
#ifndef PP_EXPORTERS_GRPC_CHANNEL_H
#define PP_EXPORTERS_GRPC_CHANNEL_H

#include "grpc_connection.h"
#include "grpc_target.h"

/* Pauses between two tries to connect to an address, in milliseconds, growing by 1.6 and spread by 20 %. The exporter base spaces the attempts of a
 * request out by its own rules, so that there is no need for gRPC's two minutes on top: a server that is back is found soon. */
#define PP_GRPC_BACKOFF_MS_MIN 100u
#define PP_GRPC_BACKOFF_MS_MAX 5000u
/* A name is asked for again when a connection was lost, at most once in this time, in milliseconds. */
#define PP_GRPC_RESOLVE_MS_MIN 1000u

/* The same for all loops; lives longer than the channels. */
struct pp_grpc_channel_config {
    struct pp_grpc_target target;
    struct pp_grpc_peer peer;
    struct pp_grpc_keepalive keepalive;
    bool round_robin; /* else pick_first */
    bool wait_for_ready;
};

struct pp_grpc_channel;

struct pp_grpc_channel *pp_grpc_channel_new(struct pp_loop *loop, const struct pp_grpc_channel_config *config, struct pp_error *err);
/* No call is under way. Accepts NULL. */
void pp_grpc_channel_free(struct pp_grpc_channel *channel);

/* `done` may be called before it returns. */
void pp_grpc_channel_call(struct pp_grpc_channel *channel, struct pp_grpc_call *call);
/* Forgets the call; `done` is not called. */
void pp_grpc_channel_cancel(struct pp_grpc_channel *channel, struct pp_grpc_call *call);
/* Why there is no connection, "" when nobody has tried or there is one: for the text of a deadline that has passed. */
const char *pp_grpc_channel_trouble(const struct pp_grpc_channel *channel);

#endif
