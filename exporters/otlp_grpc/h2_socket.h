/* A connection for HTTP/2: TCP or unix socket, in the clear or TLS with ALPN. Never blocks but in
 * waits that ask whether to give up. */
#ifndef PP_EXPORTERS_H2_SOCKET_H
#define PP_EXPORTERS_H2_SOCKET_H

#include <sys/types.h>

#include "base/error.h"
#include "grpc_target.h"
#include "net/tls.h"

struct ssl_st;

/* Says that a wait has lasted long enough. Asked at least every PP_EXPORTER_POLL_MS. */
struct pp_h2_patience {
    bool (*over)(void *arg);
    void *arg;
};

struct pp_h2_peer {
    const struct pp_grpc_target *target;
    struct pp_tls_client *tls; /* NULL: in the clear */
    const char *server_name;   /* to verify in place of the host; NULL: the host */
    bool verify;               /* the name too */
};

struct pp_h2_socket {
    int fd; /* -1: closed */
    struct ssl_st *ssl;
};

/* `ret_warning` is what reading changed certificates said (kind PP_ERR_NONE: nothing). */
bool pp_h2_socket_open(const struct pp_h2_peer *peer, const struct pp_h2_patience *patience,
                       struct pp_h2_socket *ret, struct pp_error *ret_warning,
                       struct pp_error *err);
void pp_h2_socket_close(struct pp_h2_socket *socket);

/* Bytes moved; 0: nothing can be moved now; -1: the connection is gone (end of stream too), errno
 * or OpenSSL's queue says why. */
ssize_t pp_h2_socket_read(struct pp_h2_socket *socket, void *data, size_t n);
ssize_t pp_h2_socket_write(struct pp_h2_socket *socket, const void *data, size_t n);

/* Until it can be read, or written if `also_write`; at most PP_EXPORTER_POLL_MS. */
void pp_h2_socket_wait(const struct pp_h2_socket *socket, bool also_write);

#endif
