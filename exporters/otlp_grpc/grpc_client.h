/* One gRPC method called unary on one server, over grpc core. The channel is shared by all workers;
 * each worker has a completion queue of its own and makes one call at a time. */
#ifndef PP_EXPORTERS_GRPC_CLIENT_H
#define PP_EXPORTERS_GRPC_CLIENT_H

#include "base/bytes.h"
#include "config/groups/grpc_client.h"
#include "otlp_client/otlp_answer.h"

struct pp_grpc_client;
struct pp_grpc_worker;

/* grpc core must be in use (grpc_library.h). `owner` is the exporter whose log and shutdown this
 * follows; `config` (borrowed) has been validated. No connection is made. NULL on failure:
 * certificates that cannot be read, an endpoint or headers that cannot be sent. */
struct pp_grpc_client *pp_grpc_client_new(struct pp_component *owner,
                                          const struct pp_grpc_client_config *config,
                                          struct pp_error *err);
/* After all its workers. Accepts NULL. */
void pp_grpc_client_free(struct pp_grpc_client *client);

struct pp_grpc_worker *pp_grpc_worker_new(struct pp_grpc_client *client, struct pp_error *err);
void pp_grpc_worker_free(struct pp_grpc_worker *worker);

struct pp_grpc_answer {
    int code; /* gRPC status */
    char message[PP_ANSWER_TEXT_MAX];
    int64_t retry_delay_ms; /* of the status's RetryInfo; -1: none */
    struct pp_str body; /* with code OK: the response message; lives until the worker's next call */
    bool body_valid;    /* false: there was none, or it cannot be inflated or is too long */
};

/* Sends `message`, which is gzip data if `gzip` says so, and waits for the answer, at most until
 * the deadline (pp_clock_mono_ms) or what pp_exporter_deadline makes of it meanwhile. */
void pp_grpc_call(struct pp_grpc_worker *worker, struct pp_bytes *message, bool gzip,
                  uint64_t deadline_mono_ms, struct pp_grpc_answer *ret);

#endif
