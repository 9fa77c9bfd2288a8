/* A gRPC client that replays stored bodies: frame headers are made on the fly, everything else is written from where it lies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench_h2.h"
#include "load.h"

#define STREAMS_MAX 1024
#define IN_BYTES (64 << 10)
#define BATCH_FRAMES 64 /* written with one system call: up to 1 MiB */
#define CONTROL_BYTES 4096
#define HEADER_BLOCK_BYTES 512
#define WINDOW_OURS 0x7fffffff /* answers are small and never held back */

struct stream {
    uint32_t id;
    int64_t window;
    size_t sent;
    bool headers_sent;
    bool status_seen, status_ok;
    struct load_request request;
};

/* What one system call writes; a partly written batch is finished before the next is made. */
struct batch {
    struct iovec iov[2 * BATCH_FRAMES + 2];
    int n, at;
    unsigned frames;
    uint8_t headers[BATCH_FRAMES][H2_FRAME_HEADER_LEN];
    uint8_t control[CONTROL_BYTES];
};

struct grpc_conn {
    struct load_conn base;
    nghttp2_hd_inflater *inflater;
    struct stream streams[STREAMS_MAX]; /* base.in_flight of them, oldest first */
    struct stream *reading;             /* whose header block is being read */
    char text[160];                     /* of its grpc-message */
    uint32_t next_id;
    bool going_away;
    int64_t window;
    int64_t window_each; /* a new stream's, by the peer's settings */
    uint32_t streams_max;
    uint8_t block[HEADER_BLOCK_BYTES];
    size_t block_len;
    uint8_t control[CONTROL_BYTES]; /* acknowledgements to be sent */
    size_t control_len;
    struct batch batch;
    size_t in_len;
    uint8_t in[IN_BYTES];
};

static size_t make_block(uint8_t *out, uint16_t port, enum encoding encoding)
{
    char authority[32];
    snprintf(authority, sizeof authority, "127.0.0.1:%u", port);
    nghttp2_nv headers[] = {
        H2_NV(":method", "POST"), H2_NV(":scheme", "http"),
        H2_NV(":path", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"),
        H2_NV(":authority", authority), H2_NV("content-type", "application/grpc"), H2_NV("user-agent", "otlp_load"),
        H2_NV("te", "trailers"), H2_NV("grpc-encoding", encoding_name(encoding)),
    };
    size_t n = sizeof headers / sizeof *headers - (encoding == ENCODING_NONE);

    return h2_header_block(out, HEADER_BLOCK_BYTES, headers, n);
}

static struct load_conn *grpc_open(struct load_run *run, uint16_t port, unsigned in_flight_max)
{
    int fd = bench_connect(port);
    struct grpc_conn *c;
    uint8_t *end;

    if (fd < 0)
        return NULL;
    c = bench_alloc(1, sizeof *c);
    c->base = (struct load_conn){.protocol = &load_grpc, .run = run, .fd = fd, .port = port,
                                 .in_flight_max = in_flight_max < STREAMS_MAX ? in_flight_max : STREAMS_MAX};
    if (nghttp2_hd_inflate_new(&c->inflater) != 0)
        bench_die("header inflater");
    c->next_id = 1;
    c->window = c->window_each = H2_WINDOW_START;
    c->streams_max = STREAMS_MAX;
    c->block_len = make_block(c->block, port, run->messages->encoding);
    memcpy(c->control, H2_PREFACE, H2_PREFACE_LEN);
    end = h2_setting(c->control + H2_PREFACE_LEN, NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    end = h2_window_update(end, 0, WINDOW_OURS - H2_WINDOW_START);
    c->control_len = (size_t)(end - c->control);
    return &c->base;
}

static struct stream *stream_find(struct grpc_conn *c, uint32_t id)
{
    for (unsigned i = 0; i < c->base.in_flight; i++) {
        if (c->streams[i].id == id)
            return &c->streams[i];
    }
    return NULL;
}

/* An early end (a refusal while we still send) leaves frames of the batch pointing at the stored body, which stays. */
static void stream_end(struct grpc_conn *c, struct stream *s, enum outcome outcome, const char *text)
{
    size_t after = (size_t)(&c->streams[c->base.in_flight] - (s + 1));
    bool cut = s->sent < s->request.message->body_len;

    load_answered(c->base.run, &s->request, bench_now_ns(), outcome, text);
    if (cut && s->headers_sent && outcome != OUTCOME_FAILED && c->control_len + 13 <= CONTROL_BYTES) {
        uint8_t *at = c->control + c->control_len;
        h2_frame_write(at, 4, NGHTTP2_RST_STREAM, 0, s->id);
        h2_u32_write(at + H2_FRAME_HEADER_LEN, NGHTTP2_CANCEL);
        c->control_len += H2_FRAME_HEADER_LEN + 4;
    }
    memmove(s, s + 1, after * sizeof *s);
    c->base.in_flight--;
}

static void header_found(void *context, const nghttp2_nv *header)
{
    struct grpc_conn *c = context;

    if (header->namelen == 11 && memcmp(header->name, "grpc-status", 11) == 0 && c->reading) {
        c->reading->status_seen = true;
        c->reading->status_ok = header->valuelen == 1 && header->value[0] == '0';
        snprintf(c->text, sizeof c->text, "grpc-status %.*s", (int)header->valuelen, (const char *)header->value);
    } else if (header->namelen == 12 && memcmp(header->name, "grpc-message", 12) == 0) {
        size_t len = strlen(c->text);
        snprintf(c->text + len, sizeof c->text - len, " %.*s", (int)header->valuelen, (const char *)header->value);
    }
}

static void take_headers(struct grpc_conn *c, const struct h2_frame *frame, const uint8_t *payload)
{
    struct stream *s = c->reading = stream_find(c, frame->stream);

    c->text[0] = '\0';
    if (!h2_headers_read(c->inflater, frame, payload, header_found, c))
        load_conn_fail(&c->base, "broken header block");
    else if (s && frame->flags & NGHTTP2_FLAG_END_STREAM)
        stream_end(c, s, s->status_seen && s->status_ok ? OUTCOME_OK : OUTCOME_REFUSED, c->text);
}

static void take_settings(struct grpc_conn *c, const struct h2_frame *frame, const uint8_t *payload)
{
    if (frame->flags & NGHTTP2_FLAG_ACK)
        return;
    for (uint32_t at = 0; at + 6 <= frame->len; at += 6) {
        uint32_t id = (uint32_t)payload[at] << 8 | payload[at + 1], value = h2_u32(payload + at + 2);
        if (id == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
            c->streams_max = value;
        } else if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) {
            for (unsigned i = 0; i < c->base.in_flight; i++)
                c->streams[i].window += (int64_t)value - c->window_each;
            c->window_each = value;
        }
    }
    c->control_len = (size_t)(h2_ack(c->control + c->control_len, NGHTTP2_SETTINGS, NULL, 0) - c->control);
}

static void take_frame(struct grpc_conn *c, const struct h2_frame *frame, const uint8_t *payload)
{
    struct stream *s;

    if (c->control_len + 64 > CONTROL_BYTES) {
        load_conn_fail(&c->base, "too many frames to acknowledge");
        return;
    }
    switch (frame->type) {
    case NGHTTP2_HEADERS:
        take_headers(c, frame, payload);
        break;
    case NGHTTP2_SETTINGS:
        take_settings(c, frame, payload);
        break;
    case NGHTTP2_PING:
        if (!(frame->flags & NGHTTP2_FLAG_ACK) && frame->len == 8)
            c->control_len = (size_t)(h2_ack(c->control + c->control_len, NGHTTP2_PING, payload, 8) - c->control);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        s = frame->stream ? stream_find(c, frame->stream) : NULL;
        if (!frame->stream)
            c->window += h2_u32(payload);
        else if (s)
            s->window += h2_u32(payload);
        break;
    case NGHTTP2_RST_STREAM:
        if ((s = stream_find(c, frame->stream)))
            stream_end(c, s, OUTCOME_FAILED, "stream reset");
        break;
    case NGHTTP2_GOAWAY:
        c->going_away = true;
        break;
    case NGHTTP2_CONTINUATION:
        load_conn_fail(&c->base, "CONTINUATION is not read here");
        break;
    default: /* DATA of answers, which is tiny, and what is unknown */
        break;
    }
}

static void read_all(struct grpc_conn *c)
{
    for (;;) {
        size_t room = IN_BYTES - c->in_len, at = 0;
        ssize_t got = recv(c->base.fd, c->in + c->in_len, room, 0);

        if (got <= 0) {
            if (got == 0 || (errno != EAGAIN && errno != EINTR))
                load_conn_fail(&c->base, got == 0 ? "connection closed by the peer" : strerror(errno));
            return;
        }
        c->in_len += (size_t)got;
        while (c->in_len - at >= H2_FRAME_HEADER_LEN && !c->base.broken) {
            struct h2_frame frame = h2_frame_read(c->in + at);
            if (frame.len > H2_FRAME_PAYLOAD_MAX)
                load_conn_fail(&c->base, "oversized frame");
            if (c->in_len - at < H2_FRAME_HEADER_LEN + frame.len)
                break;
            take_frame(c, &frame, c->in + at + H2_FRAME_HEADER_LEN);
            at += H2_FRAME_HEADER_LEN + frame.len;
        }
        memmove(c->in, c->in + at, c->in_len - at);
        c->in_len -= at;
        if (c->base.broken || (size_t)got < room)
            return; /* the socket was empty: what comes later is a new edge */
    }
}

static void start_due(struct grpc_conn *c)
{
    struct load_request request;
    uint64_t now = bench_now_ns();
    unsigned room = c->base.in_flight_max < c->streams_max ? c->base.in_flight_max : c->streams_max;

    while (!c->going_away && c->base.in_flight < room && load_take(c->base.run, now, &request)) {
        c->streams[c->base.in_flight++] = (struct stream){.id = c->next_id, .window = c->window_each, .request = request};
        c->next_id += 2;
    }
}

static void batch_add(struct batch *b, const void *data, size_t len)
{
    b->iov[b->n++] = (struct iovec){(void *)data, len};
}

static bool batch_frame(struct batch *b, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    if (b->frames == BATCH_FRAMES)
        return false;
    h2_frame_write(b->headers[b->frames], (uint32_t)len, type, flags, stream);
    batch_add(b, b->headers[b->frames++], H2_FRAME_HEADER_LEN);
    batch_add(b, payload, len);
    return true;
}

static void batch_stream(struct grpc_conn *c, struct stream *s)
{
    const struct message *m = s->request.message;

    if (!s->headers_sent) {
        if (!batch_frame(&c->batch, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, s->id, c->block, c->block_len))
            return;
        s->headers_sent = true;
    }
    while (s->sent < m->body_len) {
        int64_t window = s->window < c->window ? s->window : c->window;
        size_t len = m->body_len - s->sent < H2_FRAME_PAYLOAD_MAX ? m->body_len - s->sent : H2_FRAME_PAYLOAD_MAX;
        if (window <= 0)
            return;
        len = len < (size_t)window ? len : (size_t)window;
        if (!batch_frame(&c->batch, NGHTTP2_DATA, s->sent + len == m->body_len ? NGHTTP2_FLAG_END_STREAM : 0, s->id, m->body + s->sent, len))
            return;
        s->sent += len;
        s->window -= (int64_t)len;
        c->window -= (int64_t)len;
    }
}

/* Fills the batch with acknowledgements and with frames of the oldest streams that the windows allow. */
static void batch_make(struct grpc_conn *c)
{
    struct batch *b = &c->batch;

    b->n = b->at = 0;
    b->frames = 0;
    if (c->control_len) {
        memcpy(b->control, c->control, c->control_len);
        batch_add(b, b->control, c->control_len);
        c->control_len = 0;
    }
    for (unsigned i = 0; i < c->base.in_flight && b->frames < BATCH_FRAMES; i++)
        batch_stream(c, &c->streams[i]);
}

/* False when the socket is full or broken. */
static bool batch_write(struct grpc_conn *c)
{
    struct batch *b = &c->batch;
    ssize_t wrote;

    while (b->at < b->n) {
        struct msghdr message = {.msg_iov = b->iov + b->at, .msg_iovlen = (size_t)(b->n - b->at)};
        wrote = sendmsg(c->base.fd, &message, MSG_NOSIGNAL);
        if (wrote < 0) {
            if (errno != EAGAIN && errno != EINTR)
                load_conn_fail(&c->base, strerror(errno));
            return false;
        }
        while (b->at < b->n && (size_t)wrote >= b->iov[b->at].iov_len)
            wrote -= (ssize_t)b->iov[b->at++].iov_len;
        if (b->at < b->n) {
            b->iov[b->at].iov_base = (char *)b->iov[b->at].iov_base + wrote;
            b->iov[b->at].iov_len -= (size_t)wrote;
        }
    }
    return true;
}

static void grpc_progress(struct load_conn *conn)
{
    struct grpc_conn *c = (struct grpc_conn *)conn;

    read_all(c);
    do {
        if (c->base.broken || !batch_write(c))
            return;
        start_due(c);
        batch_make(c);
    } while (c->batch.n > 0);
    if (c->going_away && c->base.in_flight == 0)
        load_conn_fail(&c->base, "the peer said GOAWAY");
}

static void grpc_close(struct load_conn *conn)
{
    struct grpc_conn *c = (struct grpc_conn *)conn;

    while (conn->in_flight > 0)
        stream_end(c, &c->streams[conn->in_flight - 1], OUTCOME_FAILED, conn->fault);
    nghttp2_hd_inflate_del(c->inflater);
    close(conn->fd);
    free(c);
}

const struct load_protocol load_grpc = {"grpc", GRPC_PREFIX_LEN, grpc_open, grpc_progress, grpc_close};
