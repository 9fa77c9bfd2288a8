/* One connected socket on a loop, in the clear or under TLS (server side): non-blocking, no buffer of its own. Loop thread only. */
#ifndef PP_NET_STREAM_H
#define PP_NET_STREAM_H

#include <sys/uio.h>

#include "base/str.h"
#include "net/loop.h"

struct ssl_ctx_st;
struct ssl_st;
struct pp_stream;

/* Any of these may close the stream. */
struct pp_stream_events {
    /* Where the next bytes go and how many at most. *ret_at stays NULL: into the loop's scratch block, of which *ret_n bytes are offered.
     * May be NULL. */
    void (*on_room)(void *arg, char **ret_at, size_t *ret_n);
    /* TLS is up; in the clear at once, from pp_stream_start. */
    void (*on_open)(void *arg);
    /* Bytes that arrived, where on_room said; those in the scratch block are gone when the call returns. */
    void (*on_data)(void *arg, struct pp_str data);
    /* The peer sends no more (it may still read). Called once. */
    void (*on_end)(void *arg);
    /* A write that did not take everything may go on. */
    void (*on_writable)(void *arg);
    /* The connection is broken; `why` is "" when the peer just went away. The stream is closed already. */
    void (*on_error)(void *arg, const char *why);
};

/* Takes the connected, non-blocking `fd`; and a reference of its own to `tls`, NULL for clear text. NULL when memory is out, fd untouched. */
struct pp_stream *pp_stream_new(struct pp_loop *loop, int fd, struct ssl_ctx_st *tls, const struct pp_stream_events *events,
                                void *arg);
/* Starts the handshake and reading. */
void pp_stream_start(struct pp_stream *stream);
/* While reading is off no on_data comes; on again, what waited comes from the loop, not from within this call. Cheap to switch: the
 * poll is told only when bytes come that nobody wants. */
void pp_stream_set_reading(struct pp_stream *stream, bool on);
/* Bytes taken, less than offered (perhaps 0) when the peer is slow: on_writable follows. -1: broken, on_error has been called. */
ssize_t pp_stream_write(struct pp_stream *stream, struct pp_str data);
/* Says that nothing more will be written (TLS close_notify, TCP FIN). */
void pp_stream_shutdown(struct pp_stream *stream);
/* Closes the socket now; no event comes any more. */
void pp_stream_close(struct pp_stream *stream);
/* The TLS session for asking about certificates and ALPN; NULL in the clear. */
struct ssl_st *pp_stream_ssl(struct pp_stream *stream);

#endif
