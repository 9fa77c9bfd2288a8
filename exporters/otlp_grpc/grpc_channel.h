/* A grpc core channel made from a client's configuration, and made anew when its certificates have
 * changed. */
#ifndef PP_EXPORTERS_GRPC_CHANNEL_H
#define PP_EXPORTERS_GRPC_CHANNEL_H

#include "config/groups/grpc_client.h"
#include "otlp_client/client_tls.h"

struct grpc_channel;
struct pp_grpc_channels;

/* A channel in use; calls on it go on when a newer one has taken its place. */
struct pp_grpc_channel {
    struct grpc_channel *core;
};

struct pp_grpc_channels *pp_grpc_channels_new(const struct pp_grpc_client_config *config,
                                              struct pp_error *err);
void pp_grpc_channels_free(struct pp_grpc_channels *channels);

/* The channel for the next call, one reference. NULL when memory is out. `ret_warning` as of
 * pp_client_tls_material. Any thread. */
struct pp_grpc_channel *pp_grpc_channels_get(struct pp_grpc_channels *channels,
                                             struct pp_error *ret_warning);
void pp_grpc_channel_unref(struct pp_grpc_channel *channel);

#endif
