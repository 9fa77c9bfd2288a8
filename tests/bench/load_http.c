/* An HTTP/1.1 client with one request in flight for each connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"

#define HEAD_BYTES 512
#define IN_BYTES 16384

struct http_conn {
    struct load_conn base;
    struct load_request request;
    char head[HEAD_BYTES];
    size_t head_len, sent; /* of head and body together */
    char in[IN_BYTES + 1];
    size_t in_len;
};

static struct load_conn *http_open(struct load_run *run, uint16_t port, unsigned in_flight_max)
{
    int fd = bench_connect(port);
    struct http_conn *c;

    (void)in_flight_max;
    if (fd < 0)
        return NULL;
    c = bench_alloc(1, sizeof *c);
    c->base = (struct load_conn){.protocol = &load_http, .run = run, .fd = fd, .port = port, .in_flight_max = 1};
    return &c->base;
}

static bool start_due(struct http_conn *c)
{
    enum encoding encoding = c->base.run->messages->encoding;
    int len;

    if (c->base.in_flight || !load_take(c->base.run, bench_now_ns(), &c->request))
        return false;
    len = snprintf(c->head, sizeof c->head,
                   "POST /v1development/profiles HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: otlp_load\r\nContent-Type: application/x-protobuf\r\n"
                   "%s%s%sContent-Length: %zu\r\n\r\n",
                   c->base.port, encoding == ENCODING_NONE ? "" : "Content-Encoding: ", encoding == ENCODING_NONE ? "" : encoding_name(encoding),
                   encoding == ENCODING_NONE ? "" : "\r\n", c->request.message->body_len);
    c->head_len = (size_t)len;
    c->sent = 0;
    c->base.in_flight = 1;
    return true;
}

/* False when the socket is full or broken. */
static bool write_request(struct http_conn *c)
{
    const struct message *m = c->request.message;

    while (c->base.in_flight && c->sent < c->head_len + m->body_len) {
        size_t of_head = c->sent < c->head_len ? c->head_len - c->sent : 0;
        size_t of_body = c->sent + of_head - c->head_len;
        struct iovec iov[2] = {{c->head + c->sent, of_head}, {m->body + of_body, m->body_len - of_body}};
        struct msghdr message = {.msg_iov = of_head ? iov : iov + 1, .msg_iovlen = of_head ? 2 : 1};
        ssize_t wrote;

        if (!of_head)
            iov[0].iov_base = NULL;
        wrote = sendmsg(c->base.fd, &message, MSG_NOSIGNAL);
        if (wrote < 0) {
            if (errno != EAGAIN && errno != EINTR)
                load_conn_fail(&c->base, strerror(errno));
            return false;
        }
        c->sent += (size_t)wrote;
    }
    return true;
}

/* Length of the complete answer at the start of `in`; 0: not all there yet. */
static size_t answer_len(struct http_conn *c)
{
    char *end, *length;

    c->in[c->in_len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    length = strcasestr(c->in, "\r\ncontent-length:");
    if (!length || length > end) {
        load_conn_fail(&c->base, "answer without a length");
        return 0;
    }
    size_t len = (size_t)(end + 4 - c->in) + strtoul(length + 17, NULL, 10);
    if (len > IN_BYTES)
        load_conn_fail(&c->base, "oversized answer");
    return len <= c->in_len ? len : 0;
}

static void take_answer(struct http_conn *c, size_t len)
{
    int status = atoi(c->in + 9);
    char text[32];

    if (status == 100) {
        memmove(c->in, c->in + len, c->in_len -= len);
        return;
    }
    snprintf(text, sizeof text, "HTTP status %d", status);
    c->base.in_flight = 0;
    load_answered(c->base.run, &c->request, bench_now_ns(), status == 200 ? OUTCOME_OK : OUTCOME_REFUSED, text);
    if (c->sent < c->head_len + c->request.message->body_len)
        load_conn_fail(&c->base, "answered before the request was sent");
    memmove(c->in, c->in + len, c->in_len -= len);
}

static void read_answer(struct http_conn *c)
{
    ssize_t got = recv(c->base.fd, c->in + c->in_len, IN_BYTES - c->in_len, 0);
    size_t len;

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            load_conn_fail(&c->base, got == 0 ? "connection closed by the peer" : strerror(errno));
        return;
    }
    c->in_len += (size_t)got;
    while (c->in_len > 0 && !c->base.broken && (len = answer_len(c)) > 0)
        take_answer(c, len);
}

static void http_progress(struct load_conn *conn)
{
    struct http_conn *c = (struct http_conn *)conn;

    read_answer(c);
    do {
        if (conn->broken || !write_request(c))
            return;
    } while (start_due(c));
}

static void http_close(struct load_conn *conn)
{
    struct http_conn *c = (struct http_conn *)conn;

    if (conn->in_flight)
        load_answered(conn->run, &c->request, bench_now_ns(), OUTCOME_FAILED, conn->fault);
    close(conn->fd);
    free(c);
}

const struct load_protocol load_http = {"http", 0, http_open, http_progress, http_close};
