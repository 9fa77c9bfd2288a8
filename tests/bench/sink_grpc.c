/* A gRPC server that skims DATA frames, keeps both windows open and answers every request with the same stored frames. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_h2.h"
#include "bench_net.h"
#include "sink.h"

#define IN_BYTES (256 << 10)
#define OUT_BYTES (64 << 10)
#define OUT_RESERVE 1024 /* kept free for acknowledgements */
#define STREAMS_MAX 1024
#define STREAM_WINDOW (8 << 20)
#define CONNECTION_WINDOW (16 << 20)
#define ANSWER_BYTES 256

struct stream {
    uint32_t id;
    uint32_t unacknowledged; /* taken since the last WINDOW_UPDATE */
    bool complete;           /* to be answered */
    struct body body;
};

struct grpc_conn {
    struct sink_conn base;
    nghttp2_hd_inflater *inflater;
    bool preface_seen;
    uint32_t unacknowledged;
    struct stream streams[STREAMS_MAX];
    unsigned streams_n;
    size_t in_len, out_len, out_at;
    struct h2_frame data; /* the DATA frame whose rest is awaited */
    uint32_t data_rest;
    uint8_t in[IN_BYTES], out[OUT_BYTES];
};

/* HEADERS, an empty message and trailers, with stream ids to be filled in at these places. */
struct answer {
    uint8_t bytes[ANSWER_BYTES];
    size_t len;
    size_t ids[3], ids_n;
};

static struct answer answer;

static void answer_add(struct answer *a, uint8_t type, uint8_t flags, const uint8_t *payload, size_t len)
{
    h2_frame_write(a->bytes + a->len, (uint32_t)len, type, flags, 0);
    a->ids[a->ids_n++] = a->len + 5;
    memcpy(a->bytes + a->len + H2_FRAME_HEADER_LEN, payload, len);
    a->len += H2_FRAME_HEADER_LEN + len;
}

static void answer_make(void)
{
    static const uint8_t empty[GRPC_PREFIX_LEN];
    nghttp2_nv head[] = {H2_NV(":status", "200"), H2_NV("content-type", "application/grpc")};
    nghttp2_nv trailers[] = {H2_NV("grpc-status", "0")};
    uint8_t block[ANSWER_BYTES / 2];

    if (answer.len)
        return;
    answer_add(&answer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, block, h2_header_block(block, sizeof block, head, 2));
    answer_add(&answer, NGHTTP2_DATA, 0, empty, sizeof empty);
    answer_add(&answer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, block, h2_header_block(block, sizeof block, trailers, 1));
}

static struct sink_conn *grpc_open(struct sink *sink, int fd)
{
    struct grpc_conn *c = bench_alloc(1, sizeof *c);
    uint8_t *end;

    answer_make();
    c->base = (struct sink_conn){.protocol = &sink_grpc, .sink = sink, .fd = fd};
    if (nghttp2_hd_inflate_new(&c->inflater) != 0)
        bench_die("header inflater");
    end = h2_setting(c->out, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW);
    end = h2_window_update(end, 0, CONNECTION_WINDOW - H2_WINDOW_START);
    c->out_len = (size_t)(end - c->out);
    return &c->base;
}

static struct stream *stream_find(struct grpc_conn *c, uint32_t id)
{
    for (unsigned i = c->streams_n; i-- > 0;) {
        if (c->streams[i].id == id)
            return &c->streams[i];
    }
    return NULL;
}

static void stream_remove(struct grpc_conn *c, struct stream *s)
{
    memmove(s, s + 1, (size_t)(&c->streams[c->streams_n] - (s + 1)) * sizeof *s);
    c->streams_n--;
}

static void flush(struct grpc_conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t wrote = send(c->base.fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
        if (wrote < 0) {
            c->base.broken |= errno != EAGAIN && errno != EINTR;
            return;
        }
        c->out_at += (size_t)wrote;
    }
    c->out_at = c->out_len = 0;
}

/* Answers every stream that is complete; false when there was no room for all. */
static bool answer_complete(struct grpc_conn *c)
{
    for (unsigned i = 0; i < c->streams_n;) {
        struct stream *s = &c->streams[i];
        uint8_t *to = c->out + c->out_len;
        if (!s->complete) {
            i++;
            continue;
        }
        if (c->out_len + answer.len + OUT_RESERVE > OUT_BYTES)
            return false;
        memcpy(to, answer.bytes, answer.len);
        for (size_t k = 0; k < answer.ids_n; k++)
            h2_u32_write(to + answer.ids[k], s->id);
        c->out_len += answer.len;
        stream_remove(c, s);
    }
    return true;
}

static void out_add(struct grpc_conn *c, const uint8_t *end)
{
    c->out_len = (size_t)(end - c->out);
    if (c->out_len + 64 > OUT_BYTES) {
        flush(c);
        c->base.broken |= c->out_len > 0; /* a peer that makes us acknowledge and does not read */
    }
}

static void take_data(struct grpc_conn *c, const struct h2_frame *frame, const uint8_t *bytes, uint32_t len, bool last, uint64_t now_ns)
{
    struct stream *s = stream_find(c, frame->stream);

    c->unacknowledged += len;
    if (c->unacknowledged >= CONNECTION_WINDOW / 2) {
        out_add(c, h2_window_update(c->out + c->out_len, 0, c->unacknowledged));
        c->unacknowledged = 0;
    }
    if (!s)
        return;
    body_add(&s->body, bytes, len);
    s->unacknowledged += len;
    if (last && frame->flags & NGHTTP2_FLAG_END_STREAM) {
        sink_count(c->base.sink, &s->body, GRPC_PREFIX_LEN, now_ns);
        s->complete = true;
    } else if (s->unacknowledged >= STREAM_WINDOW / 2) {
        out_add(c, h2_window_update(c->out + c->out_len, s->id, s->unacknowledged));
        s->unacknowledged = 0;
    }
}

static void ignore_header(void *context, const nghttp2_nv *header)
{
    (void)context;
    (void)header;
}

static void take_frame(struct grpc_conn *c, const struct h2_frame *frame, const uint8_t *payload)
{
    struct stream *s;

    switch (frame->type) {
    case NGHTTP2_HEADERS:
        if (!h2_headers_read(c->inflater, frame, payload, ignore_header, NULL) || c->streams_n == STREAMS_MAX)
            c->base.broken = true;
        else
            c->streams[c->streams_n++] = (struct stream){.id = frame->stream};
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->flags & NGHTTP2_FLAG_ACK))
            out_add(c, h2_ack(c->out + c->out_len, NGHTTP2_SETTINGS, NULL, 0));
        break;
    case NGHTTP2_PING:
        if (!(frame->flags & NGHTTP2_FLAG_ACK) && frame->len == 8)
            out_add(c, h2_ack(c->out + c->out_len, NGHTTP2_PING, payload, 8));
        break;
    case NGHTTP2_RST_STREAM:
        if ((s = stream_find(c, frame->stream)))
            stream_remove(c, s);
        break;
    case NGHTTP2_CONTINUATION:
        c->base.broken = true; /* no exporter's headers are that long */
        break;
    default:
        break;
    }
}

/* Walks the frames of what has been read; DATA is taken in pieces as it comes, other frames when they are whole. */
static size_t take_frames(struct grpc_conn *c, uint64_t now_ns)
{
    size_t at = 0;

    while (!c->base.broken) {
        size_t left = c->in_len - at;
        if (c->data_rest > 0) {
            uint32_t len = left < c->data_rest ? (uint32_t)left : c->data_rest;
            if (len == 0)
                return at;
            c->data_rest -= len;
            take_data(c, &c->data, c->in + at, len, c->data_rest == 0, now_ns);
            at += len;
            continue;
        }
        if (left < H2_FRAME_HEADER_LEN)
            return at;
        struct h2_frame frame = h2_frame_read(c->in + at);
        if (frame.len > H2_FRAME_PAYLOAD_MAX) {
            c->base.broken = true;
        } else if (frame.type == NGHTTP2_DATA) {
            c->data = frame;
            c->data_rest = frame.len;
            at += H2_FRAME_HEADER_LEN;
            if (frame.len == 0)
                take_data(c, &frame, c->in, 0, true, now_ns);
        } else if (left >= H2_FRAME_HEADER_LEN + frame.len) {
            take_frame(c, &frame, c->in + at + H2_FRAME_HEADER_LEN);
            at += H2_FRAME_HEADER_LEN + frame.len;
        } else {
            return at;
        }
    }
    return at;
}

static bool take_preface(struct grpc_conn *c)
{
    if (c->preface_seen)
        return true;
    if (c->in_len < H2_PREFACE_LEN)
        return false;
    if (memcmp(c->in, H2_PREFACE, H2_PREFACE_LEN) != 0) {
        c->base.broken = true;
        return false;
    }
    c->in_len -= H2_PREFACE_LEN;
    memmove(c->in, c->in + H2_PREFACE_LEN, c->in_len);
    return c->preface_seen = true;
}

static void grpc_progress(struct sink_conn *conn, uint64_t now_ns)
{
    struct grpc_conn *c = (struct grpc_conn *)conn;
    size_t room = IN_BYTES - c->in_len, used;
    bool all;
    ssize_t got = recv(conn->fd, c->in + c->in_len, room, 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        conn->broken = true;
    if (got > 0) {
        c->in_len += (size_t)got;
        if (take_preface(c)) {
            used = take_frames(c, now_ns);
            memmove(c->in, c->in + used, c->in_len - used);
            c->in_len -= used;
        }
    }
    do {
        all = answer_complete(c);
        flush(c);
    } while (!all && c->out_len == 0 && !conn->broken);
}

static void grpc_close(struct sink_conn *conn)
{
    struct grpc_conn *c = (struct grpc_conn *)conn;

    nghttp2_hd_inflate_del(c->inflater);
    close(conn->fd);
    free(c);
}

const struct sink_protocol sink_grpc = {"grpc", grpc_open, grpc_progress, grpc_close};
