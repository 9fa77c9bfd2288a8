/* One connection to one address of a gRPC server: socket, TLS, keepalive, and the calls on it. On
 * one loop's thread. */
#ifndef PP_EXPORTERS_GRPC_CONNECTION_H
#define PP_EXPORTERS_GRPC_CONNECTION_H

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include "grpc_call.h"
#include "net/loop.h"

struct pp_grpc_connection;
struct pp_tls_client;

/* Time for connecting, the TLS handshake and the server's first word, as grpc has it. */
#define PP_GRPC_CONNECT_MS_MAX 20000u

struct pp_grpc_keepalive {
    uint64_t time_ms; /* without a word from the server until it is asked; 0: never asked */
    uint64_t timeout_ms;
    bool without_calls;
};

/* What a connection needs to know; lives longer than it. */
struct pp_grpc_peer {
    struct pp_tls_client *tls; /* NULL: plaintext */
    const char *server_name;   /* to ask for and to verify */
    bool verify;
    const nghttp2_nv *headers; /* of every call */
    size_t headers_n;
    const char *log_id;
};

struct pp_grpc_connection_events {
    /* Calls may be made. */
    void (*on_ready)(void *arg);
    /* The server lets those under way end and takes no more; on_closed follows. `calm_down`: for pinging too often. */
    void (*on_going_away)(void *arg, bool calm_down);
    /* The connection is gone, and may be freed from within. Its calls have ended. `why` is one line. */
    void (*on_closed)(void *arg, const char *why);
    /* The call was not processed and may be made again, elsewhere; `why` if not. */
    void (*on_refused)(void *arg, struct pp_grpc_call *call, const char *why);
};

/* Starts to connect; events come later. NULL when memory or sockets are out. */
struct pp_grpc_connection *pp_grpc_connection_new(struct pp_loop *loop, const struct sockaddr *address, socklen_t address_n,
                                                  const struct pp_grpc_peer *peer, const struct pp_grpc_keepalive *keepalive,
                                                  const struct pp_grpc_connection_events *events, void *arg, struct pp_error *err);
/* Closes at once; no event comes any more. There are no calls on it. Accepts NULL. */
void pp_grpc_connection_free(struct pp_grpc_connection *connection);

bool pp_grpc_connection_ready(const struct pp_grpc_connection *connection);
bool pp_grpc_connection_has_calls(const struct pp_grpc_connection *connection);

/* The bytes leave at the end of the loop's turn. False, call untouched: it cannot be made here. */
bool pp_grpc_connection_call(struct pp_grpc_connection *connection, struct pp_grpc_call *call, struct pp_error *err);
/* No more calls come: on_closed follows the last one. There is at least one. */
void pp_grpc_connection_drain(struct pp_grpc_connection *connection);
void pp_grpc_connection_cancel(struct pp_grpc_connection *connection, struct pp_grpc_call *call);

#endif
