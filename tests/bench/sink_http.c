/* An HTTP/1.1 server that throws request bodies away inside the kernel and answers with stored bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_net.h"
#include "sink.h"

#define IN_BYTES 16384
#define DISCARD_BYTES_MAX (1u << 20) /* with one system call */

static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
static const char answer_continue[] = "HTTP/1.1 100 Continue\r\n\r\n";

struct http_conn {
    struct sink_conn base;
    size_t in_len;
    bool in_body;
    uint64_t body_rest;
    struct body body;
    char in[IN_BYTES + 1];
};

static struct sink_conn *http_open(struct sink *sink, int fd)
{
    struct http_conn *c = bench_alloc(1, sizeof *c);

    c->base = (struct sink_conn){.protocol = &sink_http, .sink = sink, .fd = fd};
    return &c->base;
}

/* Answers are shorter than any socket buffer: one that does not fit in whole means a peer that does not read. */
static void answer(struct http_conn *c, const char *text)
{
    if (send(c->base.fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        c->base.broken = true;
}

/* Reads a whole head at the start of `in`; false when it is not whole yet. Bodies in chunks are not taken: nothing here sends them. */
static bool take_head(struct http_conn *c)
{
    char *end, *length;
    size_t len;

    c->in[c->in_len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end) {
        c->base.broken |= c->in_len == IN_BYTES;
        return false;
    }
    *end = '\0';
    length = strcasestr(c->in, "\r\ncontent-length:");
    if (!length) {
        c->base.broken = true;
        return false;
    }
    c->in_body = true;
    c->body = (struct body){0};
    c->body_rest = strtoull(length + 17, NULL, 10);
    if (strcasestr(c->in, "\r\nexpect: 100-continue"))
        answer(c, answer_continue);
    len = (size_t)(end + 4 - c->in);
    memmove(c->in, c->in + len, c->in_len -= len);
    return true;
}

static void take_body(struct http_conn *c, uint64_t now_ns)
{
    size_t len = c->in_len < c->body_rest ? c->in_len : (size_t)c->body_rest;

    body_add(&c->body, (uint8_t *)c->in, len);
    memmove(c->in, c->in + len, c->in_len -= len);
    c->body_rest -= len;
    if (c->body_rest > 0)
        return;
    c->in_body = false;
    sink_count(c->base.sink, &c->body, 0, now_ns);
    answer(c, answer_ok);
}

/* The middle of a long body never leaves the kernel. */
static ssize_t discard(struct http_conn *c)
{
    uint64_t len = c->body_rest - IN_BYTES;
    ssize_t got = recv(c->base.fd, NULL, len < DISCARD_BYTES_MAX ? (size_t)len : DISCARD_BYTES_MAX, MSG_TRUNC);

    if (got > 0) {
        c->body.len += (uint64_t)got;
        c->body_rest -= (uint64_t)got;
    }
    return got;
}

static bool can_discard(const struct http_conn *c)
{
    return c->in_body && c->in_len == 0 && c->body.len >= HEAD_BYTES && c->body_rest > 2 * IN_BYTES;
}

static void http_progress(struct sink_conn *conn, uint64_t now_ns)
{
    struct http_conn *c = (struct http_conn *)conn;
    ssize_t got;

    if (can_discard(c)) {
        got = discard(c);
    } else {
        got = recv(conn->fd, c->in + c->in_len, IN_BYTES - c->in_len, 0);
        c->in_len += got > 0 ? (size_t)got : 0;
    }
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        conn->broken = true;
    while (!conn->broken && c->in_len > 0) {
        if (!c->in_body && !take_head(c))
            return;
        take_body(c, now_ns);
    }
}

static void http_close(struct sink_conn *conn)
{
    close(conn->fd);
    free(conn);
}

const struct sink_protocol sink_http = {"http", http_open, http_progress, http_close};
