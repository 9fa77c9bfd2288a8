#include "http_test_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#define HEAD_MAX 16384

struct http_test_server {
    int listener, port;
    int stop[2]; /* pipe */
    pthread_t thread;
    SSL_CTX *tls;
    pthread_mutex_t lock;
    struct pp_str answer; /* under the lock, as the one below */
    int delay_ms;
    char head[HEAD_MAX]; /* written by the thread, read when the client has its answer */
    char *body;
    size_t body_n;
    atomic_uint requests, connections;
};

struct conn {
    int fd;
    SSL *ssl;
};

static bool wait_readable(struct http_test_server *server, int fd)
{
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

    return poll(fds, 2, 30000) > 0 && fds[1].revents == 0;
}

static ssize_t conn_read(struct http_test_server *server, struct conn *conn, char *data, size_t n)
{
    if (!(conn->ssl && SSL_pending(conn->ssl)) && !wait_readable(server, conn->fd)) {
        return -1;
    }
    return conn->ssl ? SSL_read(conn->ssl, data, (int)n) : read(conn->fd, data, n);
}

static void conn_write(struct conn *conn, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done =
            conn->ssl ? SSL_write(conn->ssl, data, (int)n) : send(conn->fd, data, n, MSG_NOSIGNAL);

        if (done <= 0) {
            return;
        }
        data += done;
        n -= (size_t)done;
    }
}

/* Reads a head, byte by byte so that nothing of the body is taken with it. */
static bool read_head(struct http_test_server *server, struct conn *conn)
{
    size_t n = 0;

    while (n < HEAD_MAX - 1 && conn_read(server, conn, server->head + n, 1) == 1) {
        server->head[++n] = '\0';
        if (n >= 4 && strcmp(server->head + n - 4, "\r\n\r\n") == 0) {
            return true;
        }
    }
    return false;
}

static bool read_body(struct http_test_server *server, struct conn *conn)
{
    const char *length = strcasestr(server->head, "content-length:");
    size_t have = 0;

    server->body_n = length ? strtoul(length + 15, NULL, 10) : 0;
    server->body = realloc(server->body, server->body_n + 1);
    while (have < server->body_n) {
        ssize_t n = conn_read(server, conn, server->body + have, server->body_n - have);

        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
    }
    return true;
}

/* A copy: the client may be done, and its test over, before the last write returns. */
static struct pp_str take_answer(struct http_test_server *server, int *ret_delay_ms)
{
    struct pp_str copy;

    pthread_mutex_lock(&server->lock);
    copy = (struct pp_str){malloc(server->answer.n + 1), server->answer.n};
    memcpy((char *)copy.p, server->answer.p ? server->answer.p : "", copy.n);
    *ret_delay_ms = server->delay_ms;
    pthread_mutex_unlock(&server->lock);
    return copy;
}

static void serve(struct http_test_server *server, struct conn *conn)
{
    bool more = true;

    while (more && read_head(server, conn) && read_body(server, conn)) {
        int delay_ms;
        struct pp_str answer = take_answer(server, &delay_ms);

        atomic_fetch_add(&server->requests, 1);
        usleep((useconds_t)delay_ms * 1000);
        conn_write(conn, answer.p, answer.n);
        more = answer.n > 0 && !memmem(answer.p, answer.n, "Connection: close", 17);
        free((char *)answer.p);
    }
}

static void accept_one(struct http_test_server *server)
{
    struct conn conn = {.fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)};

    if (conn.fd < 0) {
        return;
    }
    atomic_fetch_add(&server->connections, 1);
    if (server->tls) {
        conn.ssl = SSL_new(server->tls);
        SSL_set_fd(conn.ssl, conn.fd);
    }
    if (!conn.ssl || SSL_accept(conn.ssl) == 1) {
        serve(server, &conn);
    }
    if (conn.ssl) {
        SSL_shutdown(conn.ssl);
        SSL_free(conn.ssl);
    }
    close(conn.fd);
}

static void *server_main(void *server_)
{
    struct http_test_server *server = server_;
    struct pollfd fds[2] = {{server->listener, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        accept_one(server);
    }
    return NULL;
}

static SSL_CTX *tls_context(const char *cert, const char *key, const char *client_ca)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BIO *bio = BIO_new_mem_buf(cert, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *pkey;

    BIO_free(bio);
    bio = BIO_new_mem_buf(key, -1);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert(SSL_CTX_use_certificate(context, x509) == 1 &&
           SSL_CTX_use_PrivateKey(context, pkey) == 1);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    if (client_ca) {
        bio = BIO_new_mem_buf(client_ca, -1);
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), x509);
        X509_free(x509);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

struct http_test_server *http_test_server_new(const char *cert, const char *key,
                                              const char *client_ca)
{
    struct http_test_server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(server->listener, (struct sockaddr *)&address, n) == 0 &&
           listen(server->listener, 16) == 0);
    getsockname(server->listener, (struct sockaddr *)&address, &n);
    server->port = ntohs(address.sin_port);
    server->tls = cert ? tls_context(cert, key, client_ca) : NULL;
    pthread_mutex_init(&server->lock, NULL);
    assert(pipe2(server->stop, O_CLOEXEC) == 0);
    pthread_create(&server->thread, NULL, server_main, server);
    return server;
}

void http_test_server_free(struct http_test_server *server)
{
    assert(write(server->stop[1], "x", 1) == 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop[0]);
    close(server->stop[1]);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->lock);
    free(server->body);
    free(server);
}

int http_test_server_port(const struct http_test_server *server)
{
    return server->port;
}

void http_test_server_answer(struct http_test_server *server, struct pp_str answer, int delay_ms)
{
    pthread_mutex_lock(&server->lock);
    server->answer = answer;
    server->delay_ms = delay_ms;
    pthread_mutex_unlock(&server->lock);
}

const char *http_test_server_head(const struct http_test_server *server)
{
    return server->head;
}

struct pp_str http_test_server_body(const struct http_test_server *server)
{
    return (struct pp_str){server->body, server->body_n};
}

unsigned http_test_server_requests(const struct http_test_server *server)
{
    return atomic_load(&server->requests);
}

unsigned http_test_server_connections(const struct http_test_server *server)
{
    return atomic_load(&server->connections);
}
