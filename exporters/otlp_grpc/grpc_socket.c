#include "grpc_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/tls.h"

/* TLS: gathered for one write, in bytes; a few records. */
#define RECORD_BYTES (64u * 1024)

bool pp_grpc_socket_open(const struct sockaddr *address, socklen_t n, struct pp_grpc_socket *ret, struct pp_error *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0) {
        return pp_error_set(err, PP_ERR_IO, "cannot open a socket: %s", strerror(errno));
    }
    if (connect(fd, address, n) != 0 && errno != EINPROGRESS) {
        pp_error_set(err, PP_ERR_IO, "cannot connect: %s", strerror(errno));
        close(fd);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails on unix sockets, which do not need it */
    *ret = (struct pp_grpc_socket){.fd = fd};
    return true;
}

void pp_grpc_socket_close(struct pp_grpc_socket *socket)
{
    if (socket->ssl) {
        SSL_shutdown(socket->ssl);
        SSL_free(socket->ssl);
        ERR_clear_error();
    }
    pp_free(socket->record);
    close(socket->fd);
    *socket = (struct pp_grpc_socket){.fd = -1};
}

bool pp_grpc_socket_connected(struct pp_grpc_socket *socket, struct pp_error *err)
{
    int error = 0;
    socklen_t n = sizeof(error);

    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) {
        error = errno;
    }
    return error == 0 || pp_error_set(err, PP_ERR_IO, "cannot connect: %s", strerror(error));
}

static bool set_name(SSL *ssl, const char *name, bool verify)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;

    if (!is_address && SSL_set_tlsext_host_name(ssl, name) != 1) {
        return false;
    }
    if (!verify) {
        return true;
    }
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 : SSL_set1_host(ssl, name) == 1;
}

bool pp_grpc_socket_use_tls(struct pp_grpc_socket *socket, struct pp_tls_client *tls, const char *name, bool verify,
                            struct pp_error *ret_warning, struct pp_error *err)
{
    SSL_CTX *context = pp_tls_client_context(tls, ret_warning);

    socket->ssl = context ? SSL_new(context) : NULL;
    SSL_CTX_free(context);
    socket->record = pp_malloc(RECORD_BYTES);
    if (!socket->ssl || !socket->record || SSL_set_fd(socket->ssl, socket->fd) != 1 || !set_name(socket->ssl, name, verify) ||
        SSL_set_alpn_protos(socket->ssl, (const unsigned char *)"\x02h2", 3) != 0) {
        ERR_clear_error();
        return pp_error_nomem(err);
    }
    SSL_set_mode(socket->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_connect_state(socket->ssl);
    return true;
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

enum pp_grpc_step pp_grpc_socket_handshake(struct pp_grpc_socket *socket, struct pp_error *err)
{
    const unsigned char *protocol;
    unsigned n;
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(socket->ssl);
    if (rc != 1) {
        switch (SSL_get_error(socket->ssl, rc)) {
        case SSL_ERROR_WANT_READ:
            return PP_GRPC_WAIT_READ;
        case SSL_ERROR_WANT_WRITE:
            return PP_GRPC_WAIT_WRITE;
        default:
            tls_error(socket->ssl, "TLS handshake failed", err);
            return PP_GRPC_FAILED;
        }
    }
    SSL_get0_alpn_selected(socket->ssl, &protocol, &n);
    if (n == 2 && memcmp(protocol, "h2", 2) == 0) {
        return PP_GRPC_DONE;
    }
    pp_error_set(err, PP_ERR_IO, "the server does not speak HTTP/2");
    return PP_GRPC_FAILED;
}

/* What an SSL call that moved nothing means. */
static ssize_t ssl_outcome(struct pp_grpc_socket *socket, struct pp_error *err)
{
    switch (SSL_get_error(socket->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        pp_error_set(err, PP_ERR_IO, "the server closed the connection");
        return -1;
    default:
        tls_error(socket->ssl, "TLS failed", err);
        return -1;
    }
}

static ssize_t outcome(ssize_t n, struct pp_error *err)
{
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
        return n > 0 ? n : 0;
    }
    if (n == 0 || errno == ECONNRESET || errno == EPIPE) {
        pp_error_set(err, PP_ERR_IO, "the server closed the connection");
    } else {
        pp_error_set(err, PP_ERR_IO, "the connection broke: %s", strerror(errno));
    }
    return -1;
}

ssize_t pp_grpc_socket_read(struct pp_grpc_socket *socket, void *data, size_t n, struct pp_error *err)
{
    size_t done;

    if (!socket->ssl) {
        return outcome(recv(socket->fd, data, n, 0), err);
    }
    ERR_clear_error();
    return SSL_read_ex(socket->ssl, data, n, &done) == 1 ? (ssize_t)done : ssl_outcome(socket, err);
}

/* Small slices share a record. */
static size_t gather(char *to, const struct iovec *slices, int n)
{
    size_t filled = 0;

    for (int i = 0; i < n && filled < RECORD_BYTES; i++) {
        size_t room = RECORD_BYTES - filled, part = slices[i].iov_len < room ? slices[i].iov_len : room;

        memcpy(to + filled, slices[i].iov_base, part);
        filled += part;
    }
    return filled;
}

ssize_t pp_grpc_socket_write(struct pp_grpc_socket *socket, struct iovec *slices, int n, struct pp_error *err)
{
    size_t done;

    if (!socket->ssl) {
        struct msghdr message = {.msg_iov = slices, .msg_iovlen = (size_t)n};

        return outcome(sendmsg(socket->fd, &message, MSG_NOSIGNAL), err);
    }
    ERR_clear_error();
    return SSL_write_ex(socket->ssl, socket->record, gather(socket->record, slices, n), &done) == 1 ? (ssize_t)done
                                                                                                    : ssl_outcome(socket, err);
}
