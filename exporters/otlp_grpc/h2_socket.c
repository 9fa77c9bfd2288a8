#include "h2_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "pipeline/exporter_base.h"

void pp_h2_socket_wait(const struct pp_h2_socket *socket, bool also_write)
{
    struct pollfd fd = {socket->fd, (short)(POLLIN | (also_write ? POLLOUT : 0)), 0};

    if (!socket->ssl || also_write || SSL_pending(socket->ssl) == 0) {
        poll(&fd, 1, PP_EXPORTER_POLL_MS);
    }
}

void pp_h2_socket_close(struct pp_h2_socket *socket)
{
    if (socket->ssl) {
        SSL_shutdown(socket->ssl);
        SSL_free(socket->ssl);
        ERR_clear_error();
    }
    if (socket->fd >= 0) {
        close(socket->fd);
    }
    *socket = (struct pp_h2_socket){.fd = -1};
}

/* What an SSL call that moved nothing means: 0 wait, -1 gone. */
static ssize_t ssl_outcome(struct pp_h2_socket *socket, int rc)
{
    int why = SSL_get_error(socket->ssl, rc);

    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t fd_outcome(ssize_t n)
{
    if (n > 0) {
        return n;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

ssize_t pp_h2_socket_read(struct pp_h2_socket *socket, void *data, size_t n)
{
    size_t done;

    if (!socket->ssl) {
        errno = 0;
        return fd_outcome(recv(socket->fd, data, n, 0));
    }
    ERR_clear_error();
    return SSL_read_ex(socket->ssl, data, n, &done) == 1 ? (ssize_t)done : ssl_outcome(socket, 0);
}

ssize_t pp_h2_socket_write(struct pp_h2_socket *socket, const void *data, size_t n)
{
    size_t done;

    if (!socket->ssl) {
        return fd_outcome(send(socket->fd, data, n, MSG_NOSIGNAL));
    }
    ERR_clear_error();
    return SSL_write_ex(socket->ssl, data, n, &done) == 1 ? (ssize_t)done : ssl_outcome(socket, 0);
}

/* Waits for a connect under way; 0 or an errno. */
static int connect_wait(int fd, const struct pp_h2_patience *patience)
{
    struct pollfd ready = {fd, POLLOUT, 0};
    int error = 0;
    socklen_t n = sizeof(error);

    while (poll(&ready, 1, PP_EXPORTER_POLL_MS) <= 0) {
        if (patience->over(patience->arg)) {
            return ETIMEDOUT;
        }
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 ? error : errno;
}

/* A connected socket, or -1 with the reason in *ret_errno. */
static int connect_one(const struct sockaddr *address, socklen_t n,
                       const struct pp_h2_patience *patience, int *ret_errno)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0) {
        *ret_errno = errno;
        return -1;
    }
    *ret_errno = connect(fd, address, n) == 0 ? 0 : errno;
    if (*ret_errno == EINPROGRESS) {
        *ret_errno = connect_wait(fd, patience);
    }
    if (*ret_errno) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
               sizeof(one)); /* fails on unix sockets, which do not need it */
    return fd;
}

static int connect_unix(const struct pp_grpc_target *target, const struct pp_h2_patience *patience,
                        struct pp_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool abstract = strncmp(target->name, "unix-abstract:", 14) == 0;
    const char *path = strchr(target->name, ':') + 1;
    char *to = address.sun_path + abstract;
    int fd, error;

    path += !abstract && strncmp(path, "//", 2) == 0 ? 2 : 0;
    if (strlen(path) >= sizeof(address.sun_path) - 1) {
        pp_error_set(err, PP_ERR_IO, "the socket's path is longer than %zu bytes",
                     sizeof(address.sun_path) - 2);
        return -1;
    }
    memcpy(to, path, strlen(path));
    fd = connect_one((struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path)),
                     patience, &error);
    if (fd < 0) {
        pp_error_set(err, PP_ERR_IO, "cannot connect: %s", strerror(error));
    }
    return fd;
}

/* Host and port of "dns:///host:port", the host without brackets. */
static bool split(const struct pp_grpc_target *target, char host[PP_GRPC_TARGET_MAX],
                  const char **ret_port)
{
    const char *address = strrchr(target->name, '/') + 1;
    const char *colon = strrchr(address, ':');
    bool brackets = address[0] == '[';

    snprintf(host, PP_GRPC_TARGET_MAX, "%.*s", (int)(colon - address) - 2 * brackets,
             address + brackets);
    *ret_port = colon + 1;
    return host[0] != '\0';
}

/* The first of the name's addresses that answers. */
static int connect_tcp(const char *host, const char *port, const struct pp_h2_patience *patience,
                       struct pp_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV},
                    *list;
    int rc = getaddrinfo(host, port, &hints, &list);
    int fd = -1, error = 0;

    if (rc != 0) {
        pp_error_set(err, PP_ERR_IO, "cannot resolve %s: %s", host, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = connect_one(a->ai_addr, a->ai_addrlen, patience, &error);
    }
    freeaddrinfo(list);
    if (fd < 0) {
        pp_error_set(err, PP_ERR_IO, "cannot connect: %s", strerror(error));
    }
    return fd;
}

/* The name to ask for and to verify. */
static bool set_name(SSL *ssl, const struct pp_h2_peer *peer, const char *host)
{
    const char *name = peer->server_name && *peer->server_name ? peer->server_name : host;
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;

    if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1) {
        return false;
    }
    if (!peer->verify) {
        return true;
    }
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
                      : SSL_set1_host(ssl, name) == 1;
}

static bool tls_error(SSL *ssl, const char *what, struct pp_error *err)
{
    long verify = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_error();
    char text[256] = "the server hung up";

    if (verify != X509_V_OK) {
        snprintf(text, sizeof(text), "%s", X509_verify_cert_error_string(verify));
    } else if (code) {
        ERR_error_string_n(code, text, sizeof(text));
    }
    ERR_clear_error();
    return pp_error_set(err, PP_ERR_IO, "%s: %s", what, text);
}

static bool handshake(struct pp_h2_socket *socket, const struct pp_h2_patience *patience,
                      struct pp_error *err)
{
    const unsigned char *protocol;
    unsigned n;

    for (;;) {
        int rc, why;

        ERR_clear_error();
        rc = SSL_connect(socket->ssl);
        if (rc == 1) {
            break;
        }
        why = SSL_get_error(socket->ssl, rc);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            return tls_error(socket->ssl, "TLS handshake failed", err);
        }
        if (patience->over(patience->arg)) {
            return pp_error_set(err, PP_ERR_IO, "TLS handshake not done by the deadline");
        }
        pp_h2_socket_wait(socket, why == SSL_ERROR_WANT_WRITE);
    }
    SSL_get0_alpn_selected(socket->ssl, &protocol, &n);
    return (n == 2 && memcmp(protocol, "h2", 2) == 0) ||
           pp_error_set(err, PP_ERR_IO, "the server does not speak HTTP/2");
}

static bool start_tls(struct pp_h2_socket *socket, const struct pp_h2_peer *peer, const char *host,
                      const struct pp_h2_patience *patience, struct pp_error *ret_warning,
                      struct pp_error *err)
{
    SSL_CTX *context = pp_tls_client_context(peer->tls, ret_warning);

    socket->ssl = context ? SSL_new(context) : NULL;
    SSL_CTX_free(context);
    if (!socket->ssl || SSL_set_fd(socket->ssl, socket->fd) != 1 ||
        !set_name(socket->ssl, peer, host) ||
        SSL_set_alpn_protos(socket->ssl, (const unsigned char *)"\x02h2", 3) != 0) {
        ERR_clear_error();
        return pp_error_nomem(err);
    }
    SSL_set_mode(socket->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return handshake(socket, patience, err);
}

bool pp_h2_socket_open(const struct pp_h2_peer *peer, const struct pp_h2_patience *patience,
                       struct pp_h2_socket *ret, struct pp_error *ret_warning, struct pp_error *err)
{
    struct pp_h2_socket opened = {.fd = -1};
    char host[PP_GRPC_TARGET_MAX] = "localhost";
    const char *port;

    *ret_warning = (struct pp_error){0};
    if (peer->target->local) {
        opened.fd = connect_unix(peer->target, patience, err);
    } else if (split(peer->target, host, &port)) {
        opened.fd = connect_tcp(host, port, patience, err);
    } else {
        return pp_error_set(err, PP_ERR_INTERNAL, "no host in %s", peer->target->name);
    }
    if (opened.fd < 0) {
        return false;
    }
    if (peer->tls && !start_tls(&opened, peer, host, patience, ret_warning, err)) {
        pp_h2_socket_close(&opened);
        return false;
    }
    *ret = opened;
    return true;
}
