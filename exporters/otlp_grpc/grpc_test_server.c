#include "grpc_test_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "net/grpc.h"

#define TEXT_MAX 512
#define METADATA_MAX 32
#define CONNECTIONS_MAX 64
#define POLL_MS 5
#define READ_BYTES (256 * 1024)
#define MESSAGE_BYTES_MAX (64u << 20)

struct pair {
    char key[64], value[TEXT_MAX];
};

struct stream {
    struct stream *next;
    int32_t id;
    struct pair metadata[METADATA_MAX];
    size_t metadata_n;
    struct pp_buf body, answer;
    size_t answered; /* bytes of `answer` that have gone */
    uint64_t answer_at_ms;
    bool whole, done;
};

struct connection {
    struct test_server *server;
    int fd;
    SSL *ssl;
    nghttp2_session *h2; /* NULL until a TLS handshake is done */
    struct stream *streams;
    bool over;
};

struct test_server {
    struct test_server_options options;
    SSL_CTX *tls;
    pthread_t thread;
    int listener, port;
    struct connection *connections[CONNECTIONS_MAX]; /* the thread's, as the buffer */
    char buf[READ_BYTES];
    pthread_mutex_t lock;                            /* for all below */
    bool stop;
    struct test_answer answer;
    struct pair metadata[METADATA_MAX];
    size_t metadata_n;
    char *message;
    size_t message_n;
    bool compressed;
    unsigned calls, accepted, pings, streams_most, resets;
    char *shown; /* the message that a test looks at; its thread's alone */
};

static struct stream *stream_of(struct connection *c, int32_t id)
{
    return nghttp2_session_get_stream_user_data(c->h2, id);
}

/* ---- what has come ---- */

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *c_)
{
    struct connection *c = c_;
    struct stream *stream;
    unsigned n = 1;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = calloc(1, sizeof(*stream));
    stream->id = frame->hd.stream_id;
    pp_buf_init(&stream->body, MESSAGE_BYTES_MAX);
    pp_buf_init(&stream->answer, MESSAGE_BYTES_MAX);
    for (struct stream *s = c->streams; s; s = s->next)
        n++;
    stream->next = c->streams;
    c->streams = stream;
    nghttp2_session_set_stream_user_data(h2, stream->id, stream);
    pthread_mutex_lock(&c->server->lock);
    if (n > c->server->streams_most)
        c->server->streams_most = n;
    pthread_mutex_unlock(&c->server->lock);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *c)
{
    struct stream *stream = stream_of(c, frame->hd.stream_id);
    struct pair *pair;

    (void)h2, (void)flags;
    if (!stream || stream->metadata_n == METADATA_MAX)
        return 0;
    pair = &stream->metadata[stream->metadata_n++];
    snprintf(pair->key, sizeof(pair->key), "%.*s", (int)name_n, (const char *)name);
    snprintf(pair->value, sizeof(pair->value), "%.*s", (int)value_n, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *c)
{
    struct stream *stream = stream_of(c, id);

    (void)h2, (void)flags;
    if (stream)
        assert(pp_buf_add(&stream->body, data, n));
    return 0;
}

static void keep(struct test_server *server, struct stream *stream)
{
    size_t n = stream->body.len > PP_GRPC_PREFIX_SIZE ? stream->body.len - PP_GRPC_PREFIX_SIZE : 0;

    pthread_mutex_lock(&server->lock);
    server->calls++;
    server->metadata_n = stream->metadata_n;
    memcpy(server->metadata, stream->metadata, sizeof(stream->metadata));
    free(server->message);
    server->message = malloc(n + 1);
    server->message_n = n;
    if (n)
        memcpy(server->message, stream->body.data + PP_GRPC_PREFIX_SIZE, n);
    server->compressed = stream->body.len > 0 && stream->body.data[0] == 1;
    stream->answer_at_ms = server->answer.delay_ms < 0 ? UINT64_MAX : pp_clock_mono_ms() + (uint64_t)server->answer.delay_ms;
    pthread_mutex_unlock(&server->lock);
    stream->whole = true;
}

static bool answers_early(struct test_server *server)
{
    bool early;

    pthread_mutex_lock(&server->lock);
    early = server->answer.early;
    pthread_mutex_unlock(&server->lock);
    return early;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *c_)
{
    struct connection *c = c_;
    struct stream *stream;

    (void)h2;
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        pthread_mutex_lock(&c->server->lock);
        c->server->pings++;
        pthread_mutex_unlock(&c->server->lock);
        return 0;
    }
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    stream = stream_of(c, frame->hd.stream_id);
    if (stream && !stream->whole &&
        ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || (frame->hd.type == NGHTTP2_HEADERS && answers_early(c->server))))
        keep(c->server, stream);
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *c_)
{
    struct connection *c = c_;
    struct stream **at = &c->streams, *stream = stream_of(c, id);

    (void)h2;
    if (!stream)
        return 0;
    pthread_mutex_lock(&c->server->lock);
    c->server->resets += code == NGHTTP2_CANCEL;
    pthread_mutex_unlock(&c->server->lock);
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    pp_buf_done(&stream->body);
    pp_buf_done(&stream->answer);
    free(stream);
    return 0;
}

/* ---- what goes back ---- */

static nghttp2_nv nv(const char *name, struct pp_str value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value.p, strlen(name), value.n, 0};
}

static void submit_trailers(struct connection *c, struct stream *stream, const struct test_answer *answer)
{
    struct pp_buf message, details;
    char code[16];
    nghttp2_nv fields[3];
    size_t n = 0;

    snprintf(code, sizeof(code), "%d", answer->code);
    pp_buf_init(&message, TEXT_MAX);
    pp_buf_init(&details, TEXT_MAX);
    fields[n++] = nv("grpc-status", pp_str_c(code));
    if (answer->message && pp_grpc_message_escape(pp_str_c(answer->message), &message))
        fields[n++] = nv("grpc-message", pp_buf_str(&message));
    if (answer->details_bin.n && pp_base64_add(&details, answer->details_bin))
        fields[n++] = nv("grpc-status-details-bin", pp_buf_str(&details));
    nghttp2_submit_trailer(c->h2, stream->id, fields, n);
    pp_buf_done(&message);
    pp_buf_done(&details);
}

static ssize_t read_answer(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t n, uint32_t *flags, nghttp2_data_source *source,
                           void *c_)
{
    struct connection *c = c_;
    struct stream *stream = source->ptr;
    size_t left = stream->answer.len - stream->answered;
    struct test_answer answer;

    (void)h2, (void)id;
    n = left < n ? left : n;
    if (n)
        memcpy(buf, stream->answer.data + stream->answered, n);
    stream->answered += n;
    if (stream->answered == stream->answer.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        pthread_mutex_lock(&c->server->lock);
        answer = c->server->answer;
        pthread_mutex_unlock(&c->server->lock);
        submit_trailers(c, stream, &answer);
    }
    return (ssize_t)n;
}

static void submit_answer(struct connection *c, struct stream *stream, const struct test_answer *answer)
{
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_answer};
    char status[16];
    nghttp2_nv fields[] = {
        nv(":status", (struct pp_str){0}),
        nv("content-type", PP_STR("application/grpc")),
        nv("grpc-encoding", answer->body_gzip ? PP_STR("gzip") : PP_STR("identity")),
    };

    snprintf(status, sizeof(status), "%d", answer->http_status ? answer->http_status : 200);
    fields[0] = nv(":status", pp_str_c(status));
    if (answer->http_status) {
        nghttp2_submit_response(c->h2, stream->id, fields, 1, NULL);
        return;
    }
    if (answer->code == 0 && !answer->no_body) {
        uint32_t n = htonl((uint32_t)answer->body.n);

        pp_buf_add_byte(&stream->answer, answer->body_gzip);
        pp_buf_add(&stream->answer, &n, sizeof(n));
        pp_buf_add_str(&stream->answer, answer->body);
    }
    nghttp2_submit_response(c->h2, stream->id, fields, 3, &provider);
}

static void answer_stream(struct connection *c, struct stream *stream)
{
    struct test_server *server = c->server;
    struct test_answer answer;

    pthread_mutex_lock(&server->lock);
    answer = server->answer;
    if (answer.reset && answer.reset_once)
        server->answer.reset = 0;
    pthread_mutex_unlock(&server->lock);
    stream->done = true;
    if (answer.hang_up)
        c->over = true;
    else if (answer.reset)
        nghttp2_submit_rst_stream(c->h2, NGHTTP2_FLAG_NONE, stream->id, answer.reset);
    else
        submit_answer(c, stream, &answer);
    if (answer.goaway)
        nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, stream->id, answer.goaway_error, NULL, 0);
}

static void answer_due(struct connection *c)
{
    uint64_t now_ms = pp_clock_mono_ms();

    for (struct stream *s = c->streams; s; s = s->next)
        if (s->whole && !s->done && now_ms >= s->answer_at_ms)
            answer_stream(c, s);
}

/* ---- bytes ---- */

static ssize_t send_bytes(nghttp2_session *h2, const uint8_t *data, size_t n, int flags, void *c_)
{
    struct connection *c = c_;
    ssize_t done;

    (void)h2, (void)flags;
    ERR_clear_error();
    done = c->ssl ? SSL_write(c->ssl, data, (int)n) : send(c->fd, data, n, MSG_NOSIGNAL);
    return done > 0 ? done : NGHTTP2_ERR_WOULDBLOCK;
}

static void h2_new(struct connection *c)
{
    const struct test_server_options *o = &c->server->options;
    nghttp2_settings_entry settings[2];
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    size_t n = 0;

    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_callback(callbacks, send_bytes);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_ping_ack(option, o->deaf);
    nghttp2_session_server_new2(&c->h2, callbacks, c, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (o->streams_max)
        settings[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->streams_max};
    if (o->window)
        settings[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->window};
    nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, n);
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg)
{
    (void)ssl, (void)arg;
    return nghttp2_select_next_protocol((unsigned char **)out, out_n, in, in_n) == 1 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static ssize_t read_bytes(struct connection *c, char *buf, size_t n)
{
    int rc, why;

    if (!c->ssl) {
        ssize_t got = recv(c->fd, buf, n, 0);

        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : got > 0 ? got : -1;
    }
    ERR_clear_error();
    rc = SSL_read(c->ssl, buf, (int)n);
    why = rc > 0 ? 0 : SSL_get_error(c->ssl, rc);
    return rc > 0 ? rc : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void run_connection(struct connection *c)
{
    char *buf = c->server->buf;
    ssize_t n;

    if (!c->h2 && c->ssl) {
        int rc, why;

        ERR_clear_error();
        rc = SSL_accept(c->ssl);
        why = SSL_get_error(c->ssl, rc);
        if (rc != 1) {
            c->over = why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
            return;
        }
    }
    if (!c->h2)
        h2_new(c);
    while (!c->over && (n = read_bytes(c, buf, READ_BYTES)) != 0)
        c->over = n < 0 || nghttp2_session_mem_recv(c->h2, (const uint8_t *)buf, (size_t)n) < 0;
    answer_due(c);
    c->over = c->over || nghttp2_session_send(c->h2) != 0;
}

static void close_connection(struct connection *c)
{
    nghttp2_session_del(c->h2);
    while (c->streams) {
        struct stream *next = c->streams->next;

        pp_buf_done(&c->streams->body);
        pp_buf_done(&c->streams->answer);
        free(c->streams);
        c->streams = next;
    }
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

static void take_connection(struct test_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *c;
    size_t i = 0;
    int one = 1;

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    while (server->connections[i])
        assert(++i < CONNECTIONS_MAX);
    c = server->connections[i] = calloc(1, sizeof(*c));
    c->server = server;
    c->fd = fd;
    if (server->tls) {
        c->ssl = SSL_new(server->tls);
        SSL_set_fd(c->ssl, fd);
    }
    pthread_mutex_lock(&server->lock);
    server->accepted++;
    pthread_mutex_unlock(&server->lock);
}

static bool stopping(struct test_server *server)
{
    bool stop;

    pthread_mutex_lock(&server->lock);
    stop = server->stop;
    pthread_mutex_unlock(&server->lock);
    return stop;
}

static void *server_main(void *server_)
{
    struct test_server *server = server_;

    while (!stopping(server)) {
        struct pollfd fds[CONNECTIONS_MAX + 1] = {{server->listener, POLLIN, 0}};
        nfds_t n = 1;

        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (server->connections[i])
                fds[n++] = (struct pollfd){server->connections[i]->fd, POLLIN, 0};
        poll(fds, n, POLL_MS);
        take_connection(server);
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *c = server->connections[i];

            if (c)
                run_connection(c);
            if (c && c->over) {
                close_connection(c);
                server->connections[i] = NULL;
            }
        }
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (server->connections[i])
            close_connection(server->connections[i]);
    return NULL;
}

/* ---- start and end ---- */

static BIO *memory(const char *text)
{
    return BIO_new_mem_buf(text, -1);
}

static SSL_CTX *tls_context(const struct test_server_options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *cert = memory(o->cert), *key = memory(o->key), *ca = o->client_ca ? memory(o->client_ca) : NULL;
    X509 *x509 = PEM_read_bio_X509(cert, NULL, NULL, NULL), *authority = ca ? PEM_read_bio_X509(ca, NULL, NULL, NULL) : NULL;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

    assert(SSL_CTX_use_certificate(ctx, x509) == 1 && SSL_CTX_use_PrivateKey(ctx, pkey) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (o->tls_versions_max)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    if (authority) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    X509_free(x509);
    X509_free(authority);
    EVP_PKEY_free(pkey);
    BIO_free(cert);
    BIO_free(key);
    BIO_free(ca);
    return ctx;
}

static void listen_on(struct test_server *server, const struct test_server_options *o)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    struct sockaddr *address = o->path ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    socklen_t n = o->path ? sizeof(un) : sizeof(in);
    int one = 1;

    if (o->path)
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", o->path);
    inet_pton(AF_INET, o->address ? o->address : "127.0.0.1", &in.sin_addr);
    server->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert(bind(server->listener, address, n) == 0 && listen(server->listener, 64) == 0);
    if (!o->path) {
        getsockname(server->listener, address, &n);
        server->port = ntohs(in.sin_port);
    }
}

struct test_server *test_server_new_with(const struct test_server_options *options)
{
    struct test_server *server = calloc(1, sizeof(*server));

    pthread_mutex_init(&server->lock, NULL);
    server->options = *options;
    if (options->cert)
        server->tls = tls_context(options);
    listen_on(server, options);
    assert(pthread_create(&server->thread, NULL, server_main, server) == 0);
    return server;
}

struct test_server *test_server_new(int port, const char *cert, const char *key, const char *client_ca)
{
    const struct test_server_options options = {.port = port, .cert = cert, .key = key, .client_ca = client_ca};

    return test_server_new_with(&options);
}

void test_server_free(struct test_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    close(server->listener);
    if (server->options.path)
        unlink(server->options.path);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->lock);
    free(server->message);
    free(server->shown);
    free(server);
}

/* ---- what a test asks ---- */

int test_server_port(const struct test_server *server)
{
    return server->port;
}

void test_server_answer(struct test_server *server, const struct test_answer *answer)
{
    pthread_mutex_lock(&server->lock);
    server->answer = *answer;
    pthread_mutex_unlock(&server->lock);
}

/* What it points to changes with the next call only. */
const char *test_server_metadata(struct test_server *server, const char *key)
{
    const char *value = "";

    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->metadata_n; i++)
        if (strcmp(server->metadata[i].key, key) == 0)
            value = server->metadata[i].value;
    pthread_mutex_unlock(&server->lock);
    return value;
}

const char *test_server_method(struct test_server *server)
{
    return test_server_metadata(server, ":path");
}

struct pp_str test_server_message(struct test_server *server, bool *ret_compressed)
{
    struct pp_str message;

    pthread_mutex_lock(&server->lock);
    *ret_compressed = server->compressed;
    free(server->shown);
    server->shown = server->message;
    message = (struct pp_str){server->shown, server->message_n};
    server->message = NULL;
    server->message_n = 0;
    pthread_mutex_unlock(&server->lock);
    return message;
}

static unsigned count(struct test_server *server, const unsigned *counter)
{
    unsigned n;

    pthread_mutex_lock(&server->lock);
    n = *counter;
    pthread_mutex_unlock(&server->lock);
    return n;
}

unsigned test_server_calls(struct test_server *server)
{
    return count(server, &server->calls);
}

unsigned test_server_connections(struct test_server *server)
{
    return count(server, &server->accepted);
}

unsigned test_server_pings(struct test_server *server)
{
    return count(server, &server->pings);
}

unsigned test_server_streams_most(struct test_server *server)
{
    return count(server, &server->streams_most);
}

unsigned test_server_resets(struct test_server *server)
{
    return count(server, &server->resets);
}
