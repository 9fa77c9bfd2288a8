/* The same method over HTTP/2 of our own (nghttp2), for the compressions that grpc core cannot
 * send: snappy and zstd. Each worker has its own connection; there is no balancing over several
 * addresses, no keepalive ping and no waiting for a connection. */
#ifndef PP_EXPORTERS_GRPC_H2_CLIENT_H
#define PP_EXPORTERS_GRPC_H2_CLIENT_H

#include "base/encoding.h"
#include "grpc_client.h"

struct pp_grpc_h2_client;
struct pp_grpc_h2_worker;

/* As pp_grpc_client_new; messages will come in `encoding`. */
struct pp_grpc_h2_client *pp_grpc_h2_client_new(struct pp_component *owner,
                                                const struct pp_grpc_client_config *config,
                                                enum pp_encoding encoding, struct pp_error *err);
void pp_grpc_h2_client_free(struct pp_grpc_h2_client *client);

struct pp_grpc_h2_worker *pp_grpc_h2_worker_new(struct pp_grpc_h2_client *client,
                                                struct pp_error *err);
void pp_grpc_h2_worker_free(struct pp_grpc_h2_worker *worker);

/* As pp_grpc_call. */
void pp_grpc_h2_call(struct pp_grpc_h2_worker *worker, struct pp_bytes *message,
                     uint64_t deadline_mono_ms, struct pp_grpc_answer *ret);

#endif
