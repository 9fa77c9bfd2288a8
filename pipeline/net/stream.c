#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

/* Reads of one turn, so that one busy peer does not starve the others of its loop. */
#define READS_PER_TURN 4

struct pp_stream {
    uv_poll_t poll;
    struct pp_loop *loop;
    int fd;
    SSL *ssl;
    const struct pp_stream_events *events;
    void *arg;
    struct pp_task resume; /* looks for bytes that TLS holds already, which no poll would announce */
    bool resume_posted;
    bool reading;
    bool unwanted; /* bytes came while reading was off */
    bool handshaking;
    bool ended;      /* the peer's half is over */
    bool want_write; /* a write waits for room */
    bool tls_wants_write;
    bool closed;
    bool handle_closed;
    int polled; /* events asked of libuv */
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* Whether to go on asking for bytes that nobody wants: most requests are answered before the next one comes, and two system calls a
 * request are spared. */
static bool lingers(const struct pp_stream *stream)
{
    return (stream->polled & UV_READABLE) && !stream->handshaking && !stream->unwanted;
}

/* Asks for the events that somebody waits for. */
static void update_poll(struct pp_stream *stream)
{
    int events = 0;

    if (stream->closed)
        return;
    if (!stream->ended && (stream->reading || lingers(stream)))
        events |= UV_READABLE;
    if (stream->handshaking && !stream->tls_wants_write)
        events |= UV_READABLE;
    if (stream->want_write || stream->tls_wants_write)
        events |= UV_WRITABLE;
    if (events == stream->polled)
        return;
    stream->polled = events;
    if (events)
        uv_poll_start(&stream->poll, events, on_poll);
    else
        uv_poll_stop(&stream->poll);
}

static void fail(struct pp_stream *stream, const char *why)
{
    if (stream->closed)
        return;
    pp_stream_close(stream);
    stream->events->on_error(stream->arg, why);
}

/* The reason of the TLS library in words, "" when the peer just closed. */
static const char *tls_reason(int ssl_error)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? reason : ssl_error == SSL_ERROR_SYSCALL ? "" : "TLS failure";
}

static void handshake(struct pp_stream *stream)
{
    int rc, error;

    ERR_clear_error();
    stream->tls_wants_write = false;
    rc = SSL_accept(stream->ssl);
    if (rc == 1) {
        stream->handshaking = false;
        stream->events->on_open(stream->arg);
        return;
    }
    error = SSL_get_error(stream->ssl, rc);
    if (error == SSL_ERROR_WANT_WRITE)
        stream->tls_wants_write = true;
    else if (error != SSL_ERROR_WANT_READ)
        fail(stream, tls_reason(error));
}

enum read_result { READ_SOME, READ_WAIT, READ_END, READ_FAILED };

static enum read_result read_tls(struct pp_stream *stream, char *to, size_t room, size_t *ret_n, const char **ret_why)
{
    int rc, error;

    ERR_clear_error();
    rc = SSL_read(stream->ssl, to, (int)room);
    if (rc > 0) {
        *ret_n = (size_t)rc;
        return READ_SOME;
    }
    error = SSL_get_error(stream->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return READ_WAIT;
    if (error == SSL_ERROR_ZERO_RETURN)
        return READ_END;
    *ret_why = tls_reason(error);
    return READ_FAILED;
}

static enum read_result read_clear(struct pp_stream *stream, char *to, size_t room, size_t *ret_n, const char **ret_why)
{
    ssize_t n = recv(stream->fd, to, room, 0);

    if (n > 0) {
        *ret_n = (size_t)n;
        return READ_SOME;
    }
    if (n == 0)
        return READ_END;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return READ_WAIT;
    *ret_why = errno == ECONNRESET || errno == EPIPE ? "" : strerror(errno);
    return READ_FAILED;
}

static void post_resume(struct pp_stream *stream)
{
    if (!stream->resume_posted)
        stream->resume_posted = pp_loop_post(stream->loop, &stream->resume);
}

/* Fills `to`, as far as a TLS record at a time allows: the callers want large slices. */
static enum read_result read_block(struct pp_stream *stream, char *to, size_t room, size_t *ret_n, const char **ret_why)
{
    size_t filled = 0;
    enum read_result result = READ_SOME;

    if (!stream->ssl)
        return read_clear(stream, to, room, ret_n, ret_why);
    while (result == READ_SOME && filled < room) {
        size_t n = 0;

        result = read_tls(stream, to + filled, room - filled, &n, ret_why);
        filled += n;
    }
    *ret_n = filled;
    return result;
}

struct room {
    char *at; /* NULL: the loop's scratch block is wanted, and memory for it is out */
    size_t n;
    bool theirs; /* the owner of the stream has named the place */
};

static struct room find_room(struct pp_stream *stream)
{
    struct room room = {.n = PP_LOOP_SCRATCH_BYTES};

    if (stream->events->on_room)
        stream->events->on_room(stream->arg, &room.at, &room.n);
    room.theirs = room.at != NULL;
    if (!room.at)
        room.at = pp_loop_scratch(stream->loop);
    return room;
}

static void read_some(struct pp_stream *stream)
{
    bool theirs = false;

    for (int i = 0; i < READS_PER_TURN && !stream->closed && stream->reading && !stream->ended; i++) {
        size_t n = 0;
        const char *why = "";
        struct room room = find_room(stream);
        enum read_result result;

        if (!room.at) {
            fail(stream, "out of memory");
            return;
        }
        /* A place for just so many bytes is full: most often that was the end of a message, and nothing else is there yet. */
        if (theirs && !room.theirs && !stream->ssl)
            return;
        theirs = room.theirs;
        result = read_block(stream, room.at, room.n, &n, &why);
        if (n > 0)
            stream->events->on_data(stream->arg, (struct pp_str){room.at, n});
        if (stream->closed)
            return;
        if (result == READ_FAILED) {
            fail(stream, why);
            return;
        }
        if (result == READ_END) {
            stream->ended = true;
            stream->events->on_end(stream->arg);
            return;
        }
        /* A short read of clear text means an empty socket: saves the call that would say so. */
        if (result == READ_WAIT || (!stream->ssl && n < room.n))
            return;
    }
    if (!stream->closed && stream->ssl && SSL_has_pending(stream->ssl))
        post_resume(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pp_stream *stream = poll->data;

    if (status < 0) {
        fail(stream, uv_strerror(status));
        return;
    }
    if (stream->handshaking)
        handshake(stream);
    if (!stream->closed && !stream->handshaking && (events & UV_WRITABLE) && stream->want_write) {
        stream->want_write = false;
        stream->events->on_writable(stream->arg);
    }
    if (!stream->closed && !stream->handshaking && (events & UV_READABLE)) {
        stream->unwanted = !stream->reading;
        read_some(stream);
    }
    update_poll(stream);
}

static void free_if_over(struct pp_stream *stream)
{
    if (!stream->handle_closed || stream->resume_posted)
        return;
    pp_loop_unref(stream->loop);
    pp_free(stream);
}

static void on_resume(void *arg)
{
    struct pp_stream *stream = arg;

    stream->resume_posted = false;
    if (stream->closed) {
        free_if_over(stream);
        return;
    }
    if (!stream->handshaking)
        read_some(stream);
    update_poll(stream);
}

struct pp_stream *pp_stream_new(struct pp_loop *loop, int fd, struct ssl_ctx_st *tls, const struct pp_stream_events *events,
                                void *arg)
{
    struct pp_stream *stream = pp_calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    if (tls) {
        stream->ssl = SSL_new(tls);
        if (!stream->ssl || SSL_set_fd(stream->ssl, fd) != 1)
            goto fail;
    }
    if (uv_poll_init(pp_loop_uv(loop), &stream->poll, fd) != 0)
        goto fail;
    stream->poll.data = stream;
    stream->loop = pp_loop_ref(loop);
    stream->fd = fd;
    stream->events = events;
    stream->arg = arg;
    stream->resume = (struct pp_task){.run = on_resume, .arg = stream};
    stream->reading = true;
    return stream;
fail:
    SSL_free(stream->ssl);
    pp_free(stream);
    return NULL;
}

void pp_stream_start(struct pp_stream *stream)
{
    if (stream->ssl) {
        stream->handshaking = true;
        handshake(stream);
    } else {
        stream->events->on_open(stream->arg);
    }
    /* Most clients have sent something by now. */
    if (!stream->closed && !stream->handshaking)
        read_some(stream);
    update_poll(stream);
}

void pp_stream_set_reading(struct pp_stream *stream, bool on)
{
    if (stream->closed || stream->reading == on)
        return;
    stream->reading = on;
    stream->unwanted = false;
    if (on && stream->ssl && SSL_has_pending(stream->ssl))
        post_resume(stream);
    update_poll(stream);
}

static ssize_t write_tls(struct pp_stream *stream, struct pp_str data)
{
    size_t written = 0;
    int rc, error;

    ERR_clear_error();
    rc = SSL_write_ex(stream->ssl, data.p, data.n, &written);
    if (rc == 1)
        return (ssize_t)written;
    error = SSL_get_error(stream->ssl, rc);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
        return 0;
    fail(stream, tls_reason(error));
    return -1;
}

static ssize_t write_clear(struct pp_stream *stream, struct pp_str data)
{
    ssize_t n = send(stream->fd, data.p, data.n, MSG_NOSIGNAL);

    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    fail(stream, errno == ECONNRESET || errno == EPIPE ? "" : strerror(errno));
    return -1;
}

ssize_t pp_stream_write(struct pp_stream *stream, struct pp_str data)
{
    size_t done = 0;

    while (done < data.n) {
        struct pp_str rest = {data.p + done, data.n - done};
        ssize_t n = stream->ssl ? write_tls(stream, rest) : write_clear(stream, rest);

        if (n < 0)
            return -1;
        if (n == 0) {
            stream->want_write = true;
            update_poll(stream);
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

void pp_stream_shutdown(struct pp_stream *stream)
{
    if (stream->closed)
        return;
    if (stream->ssl && !stream->handshaking) {
        ERR_clear_error();
        SSL_shutdown(stream->ssl);
        ERR_clear_error();
    }
    shutdown(stream->fd, SHUT_WR);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pp_stream *stream = handle->data;

    stream->handle_closed = true;
    free_if_over(stream);
}

void pp_stream_close(struct pp_stream *stream)
{
    if (!stream || stream->closed)
        return;
    stream->closed = true;
    uv_poll_stop(&stream->poll);
    uv_close((uv_handle_t *)&stream->poll, on_handle_closed);
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    close(stream->fd);
}

struct ssl_st *pp_stream_ssl(struct pp_stream *stream)
{
    return stream->ssl;
}
