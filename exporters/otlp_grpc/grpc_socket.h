/* A non-blocking client socket, in the clear or under TLS: the system calls, without events. */
#ifndef PP_EXPORTERS_GRPC_SOCKET_H
#define PP_EXPORTERS_GRPC_SOCKET_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"

struct ssl_st;
struct pp_tls_client;

/* Slices of one write. */
#define PP_GRPC_SLICES_MAX 256

struct pp_grpc_socket {
    int fd;
    struct ssl_st *ssl; /* NULL: plaintext */
    char *record;       /* TLS: what is gathered for the next write */
};

/* Starts to connect. */
bool pp_grpc_socket_open(const struct sockaddr *address, socklen_t n, struct pp_grpc_socket *ret, struct pp_error *err);
void pp_grpc_socket_close(struct pp_grpc_socket *socket);

/* How a step of the way to an open connection went; WRITE and READ: again when the socket is ready for it. */
enum pp_grpc_step { PP_GRPC_DONE, PP_GRPC_WAIT_READ, PP_GRPC_WAIT_WRITE, PP_GRPC_FAILED };

/* Once the socket has become writable: whether it is connected. */
bool pp_grpc_socket_connected(struct pp_grpc_socket *socket, struct pp_error *err);
/* Prepares TLS for `name`, with ALPN h2; `ret_warning` as of pp_tls_client_context. */
bool pp_grpc_socket_use_tls(struct pp_grpc_socket *socket, struct pp_tls_client *tls, const char *name, bool verify,
                            struct pp_error *ret_warning, struct pp_error *err);
enum pp_grpc_step pp_grpc_socket_handshake(struct pp_grpc_socket *socket, struct pp_error *err);

/* Bytes read or written, 0: would block, -1: gone. */
ssize_t pp_grpc_socket_read(struct pp_grpc_socket *socket, void *data, size_t n, struct pp_error *err);
ssize_t pp_grpc_socket_write(struct pp_grpc_socket *socket, struct iovec *slices, int n, struct pp_error *err);

#endif
