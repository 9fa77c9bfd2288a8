/* The parts of the HTTP server and how they meet; private to this layer.
 *
 *   http_server.c    options, shards (one per loop), accepting, stopping
 *   http_shed.c      who has to go when there is no room
 *   http_conn.c      one connection: socket, protocol detection, its one timer
 *   http_h1.c        HTTP/1.1 on a connection
 *   http_h2.c        HTTP/2 on a connection
 *   http_exchange.c  one request and its answer, whatever the protocol
 */
#ifndef PP_NET_HTTP_INTERNAL_H
#define PP_NET_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/vec.h"
#include "net/address.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/stream.h"

#define PP_HTTP_NEVER UINT64_MAX
/* After an answer that came before the end of its request, what the peer still sends is read and thrown away for a while: cut off
 * at once, many clients (libcurl among them) would lose the answer too. */
#define HTTP_LINGER_MS 2000u
#define HTTP_LINGER_BYTES_MAX (16u * 1024 * 1024)

struct http_conn;
struct http_exchange;

/* The connections of one loop. */
struct http_shard {
    struct pp_http_server *server;
    struct pp_loop *loop;
    struct http_acceptor *acceptor; /* loop thread; NULL before start, after stop and while accepting pauses */
    struct http_conn *conns, *conns_last; /* loop thread; list, newest first */
    struct pp_timer *retry_accept;  /* loop thread */
    bool draining;
    char date[64]; /* the date header, made at most once a second */
    uint64_t date_s;
};

struct pp_http_server {
    atomic_uint refs; /* the owner's, and one for each connection and exchange */
    struct pp_http_server_options options;
    struct pp_http_handler handler;
    struct pp_listener *listener;
    size_t connections_of_all_max; /* of all servers of the process together */
    struct http_shard *shards;
    size_t shards_n;
    atomic_size_t connections;
    atomic_size_t inflight_bytes; /* memory of headers, and of bodies not yet answered */
    atomic_uint_fast64_t warned_ms, protections_warned_ms[PP_HTTP_PROTECTIONS];
    char address[PP_ADDRESS_TEXT_MAX];
    pthread_mutex_t lock;
    pthread_cond_t all_closed; /* signalled when `connections` falls to 0 */
    bool started, stopped;
};

struct pp_http_server *http_server_ref(struct pp_http_server *server);
void http_server_unref(struct pp_http_server *server);
/* Tells the owner, at most once a minute. */
void http_server_warn(struct pp_http_server *server, const char *message);
/* Counts it, and warns. `peer` may be NULL. */
void http_server_protected(struct pp_http_server *server, enum pp_http_protection protection, const char *peer);

/* Closes one connection of the shard that does nothing: the oldest without a request, else the oldest whose requests all have stalled. False when
 * there is none. */
bool http_shard_make_room(struct http_shard *shard);

/* How a protocol runs a connection. All on the loop's thread, between http_conn_enter and http_conn_leave; any of them may close
 * the connection, except `deadline` and `release`. */
struct http_protocol {
    /* As pp_stream_events.on_room; may be NULL. */
    void (*room)(struct http_conn *conn, char **ret_at, size_t *ret_n);
    void (*data)(struct http_conn *conn, struct pp_str data);
    void (*end)(struct http_conn *conn); /* the peer sends no more */
    /* The outermost callback is over: write what has gathered, go on with input that waited. */
    void (*settle)(struct http_conn *conn);
    uint64_t (*deadline)(struct http_conn *conn);               /* when `expire` is due; PP_HTTP_NEVER */
    void (*expire)(struct http_conn *conn, uint64_t now_ms);    /* deals with everything that is due */
    void (*drain)(struct http_conn *conn);                      /* finish what runs, then close */
    void (*respond)(struct http_conn *conn, struct http_exchange *exchange);
    /* A held exchange is admitted: its on_headers has been called, and it may be answered already. */
    void (*resume)(struct http_conn *conn, struct http_exchange *exchange);
    bool (*idle)(const struct http_conn *conn);                    /* no request is under way */
    bool (*stalled)(const struct http_conn *conn, uint64_t now_ms); /* nor does any move that is under way */
    void (*evict)(struct http_conn *conn);                         /* say good-bye as far as that goes at once; it is closed next */
    void (*release)(struct http_conn *conn); /* the connection is going: let go of exchanges and state */
};

struct http_conn {
    struct http_conn *prev, *next;
    struct http_shard *shard;
    struct pp_stream *stream;
    struct pp_timer *timer;
    const struct http_protocol *protocol;
    void *state; /* the protocol's */
    uint64_t timer_at_ms;
    uint64_t opened_ms;
    uint64_t age_limit_ms; /* when it is asked to go; PP_HTTP_NEVER */
    unsigned sniffed;      /* bytes of the HTTP/2 preface seen so far */
    unsigned depth;        /* of callbacks now running; the last one to leave settles, or frees a closed connection */
    bool rearm;            /* a deadline may have come nearer than the timer's */
    bool open;             /* TLS is up */
    bool draining;
    bool closed;
    char peer[72];
    char *tls_peer_name; /* NULL: none */
};

/* One connection more, one less. */
void http_server_conn_opened(struct pp_http_server *server);
void http_server_conn_closed(struct pp_http_server *server);

/* A connected, non-blocking socket becomes a connection; closes it when that fails. */
void http_conn_open(struct http_shard *shard, int fd);
void http_conn_close(struct http_conn *conn);
/* Around everything that happens on a connection; after the second the connection may be gone. */
void http_conn_enter(struct http_conn *conn);
void http_conn_leave(struct http_conn *conn);
/* The monotonic clock in milliseconds. */
uint64_t http_now(void);

extern const struct http_protocol http_h1_protocol, http_h2_protocol;
/* Makes conn->state and sets conn->protocol; false when memory is out. */
bool http_h1_init(struct http_conn *conn);
bool http_h2_init(struct http_conn *conn);

/* Where one exchange is. */
enum http_phase {
    HTTP_HEADERS, /* HTTP/2: the header section is coming in */
    HTTP_HELD, /* until its sender is known, nothing is read */
    HTTP_BODY,
    HTTP_HANDLING, /* the handler has it */
    HTTP_SENDING,
    HTTP_LINGERING, /* HTTP/2: answered, the rest of the request is being discarded */
};

struct http_exchange {
    struct pp_http_request request; /* first: the handler's pointer is ours */
    atomic_uint refs;               /* the connection's and the handler's */
    struct pp_http_server *server;
    struct pp_loop *loop;
    struct http_conn *conn; /* loop thread; NULL once the connection or the stream is gone */
    struct http_exchange *prev, *next; /* HTTP/2: of the connection */
    enum http_phase phase;
    int32_t stream_id;
    uint64_t started_ms, progress_ms, answered_ms;

    PP_VEC(struct pp_http_header) headers;
    size_t header_bytes;
    int refused_status; /* HTTP/2: what the header section is to be refused with once it is complete */

    bool holds;         /* HTTP/2: the connection is not read from because of it */
    struct pp_buf held; /* HTTP/2: body bytes that came in one block with the headers of a held request */
    struct pp_bytes *body; /* being filled; NULL before its first byte */
    size_t body_n;
    uint64_t body_expected; /* bytes, when known; 0 */
    size_t charged;         /* of server->inflight_bytes, for the body; given back with the answer */
    size_t head_charged;    /* the same for the headers; given back with the exchange */
    unsigned char prefix[PP_GRPC_PREFIX_SIZE];
    unsigned prefix_n;
    bool end_of_request; /* everything the peer will send is here */
    bool answered;
    size_t discarded; /* bytes, while lingering */
    bool expired;     /* its stream has been reset for being late */

    /* The answer: written by whoever answers, read on the loop after the task was posted. */
    struct pp_task task;
    int status;
    struct pp_http_header *out_headers;
    size_t out_headers_n;
    struct pp_http_header *trailers; /* gRPC: NULL for an answer of trailers only */
    size_t trailers_n;
    char out_prefix[PP_GRPC_PREFIX_SIZE];
    bool has_out_prefix;
    struct pp_bytes *out_body;
    size_t out_offset; /* of prefix and body together, already handed on */
};

/* With one reference, the connection's; NULL when memory is out. */
struct http_exchange *http_exchange_new(struct http_conn *conn);
void http_exchange_unref(struct http_exchange *exchange);
/* Counts `n` more bytes of headers against the server's budget; false when it is used up. */
bool http_exchange_charge_head(struct http_exchange *exchange, size_t n);
/* Counts against the header limits: name and value in the arena. 0, or 431, 503 or 500. */
int http_exchange_add_header(struct http_exchange *exchange, struct pp_str name, struct pp_str value);
/* The header section is complete: asks the handler. False when the request is answered already, or held. */
bool http_exchange_on_headers(struct http_exchange *exchange);
/* Where the next bytes of a body of known length may be read to, at least HTTP_DIRECT_BYTES_MIN of them; false when they go
 * through a buffer. */
bool http_exchange_room(struct http_exchange *exchange, char **ret_at, size_t *ret_n);
#define HTTP_DIRECT_BYTES_MIN (16u * 1024)
/* Body bytes in order, perhaps read to where http_exchange_room said. False when the request was refused for them and is
 * answered. */
bool http_exchange_on_body(struct http_exchange *exchange, struct pp_str data);
/* The request is complete: over to the handler. */
void http_exchange_on_end(struct http_exchange *exchange);
/* The server's own answer to what the peer did. */
void http_exchange_refuse(struct http_exchange *exchange, int status, const char *message);
/* When the peer must have moved on, by phase; PP_HTTP_NEVER. */
uint64_t http_exchange_deadline(const struct http_exchange *exchange);
/* Whether it waits for the peer, and has for a while: not long enough to be given up, but enough to make room for others. */
bool http_exchange_stalled(const struct http_exchange *exchange, uint64_t now_ms);
/* Copies up to `room` bytes of prefix and body from out_offset on; advances it. */
size_t http_exchange_read_out(struct http_exchange *exchange, char *to, size_t room);
size_t http_exchange_out_size(const struct http_exchange *exchange);

/* The value of a date header, good for this second. */
struct pp_str http_shard_date(struct http_shard *shard);

#endif
