/* HTTP/1.1 and HTTP/2 (prior knowledge in the clear, ALPN over TLS) on one port, with gRPC unary calls on top. Routing is the
 * caller's: one handler sees every request, whole. */
#ifndef PP_NET_HTTP_SERVER_H
#define PP_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "net/grpc.h"
#include "net/loop.h"

struct pp_tls_server;
struct pp_http_server;

/* Names of requests are lower case. */
struct pp_http_header {
    struct pp_str name, value;
};

/* One request. Everything borrowed lives until the request is answered; `body` may be kept longer by a reference of one's own. */
struct pp_http_request {
    struct pp_str method;
    struct pp_str path;  /* as sent, percent-escapes kept: "/v1/x" */
    struct pp_str query; /* behind '?', without it */
    struct pp_str authority;
    struct pp_str scheme; /* "http" or "https" */
    const struct pp_http_header *headers;
    size_t headers_n;
    unsigned http_version;       /* 10, 11 or 20 */
    struct pp_str peer;          /* "127.0.0.1:40312", "[::1]:40312", "unix" */
    struct pp_str tls_peer_name; /* subject of the client's verified certificate in RFC 2253 form; empty without one */
    bool tls;
    bool grpc;                /* HTTP/2 POST with content type application/grpc or application/grpc+... */
    bool grpc_compressed;     /* the message is compressed, by what grpc-encoding says */
    bool has_content_length;
    uint64_t content_length;
    struct pp_bytes *body;    /* not NULL once on_request is called. gRPC: the message without its prefix */
    uint64_t body_bytes_max;  /* may be lowered or raised in on_headers */
    /* What authentication found out about the sender, as names and values; the handler's, in `arena` or longer-lived. */
    const struct pp_http_header *auth;
    size_t auth_n;
    struct pp_arena arena;    /* for what the handler needs until it answers */
    void *user;               /* the handler's */
};

/* A response. Bytes of headers are copied; the server adds date, content-length and, where due, connection. */
struct pp_http_response {
    int status;
    const struct pp_http_header *headers;
    size_t headers_n;
    struct pp_bytes *body; /* one reference, always taken; NULL: empty */
};

/* What authentication says of a request. */
enum pp_http_admission {
    PP_HTTP_ADMITTED,
    PP_HTTP_ANSWERED, /* refused: it has been answered */
    PP_HTTP_HELD,     /* not known yet: pp_http_request_admit or an answer follows, from any thread */
};

/* Why the server closed a connection, or kept one out, to protect itself and the other peers. */
enum pp_http_protection {
    PP_HTTP_FULL,   /* no room for one more connection and none that could make room: it waits */
    PP_HTTP_EVICTED, /* it did nothing while others waited for its place */
    PP_HTTP_FLOODED, /* HTTP/2 frames that ask for work and carry no request: pings, settings, resets, header fields without end */
    PP_HTTP_SLOW,   /* headers, body, or the reading of an answer took too long */
    PP_HTTP_PROTECTIONS,
};

/* "full", "evicted", "flooded", "slow": for metrics. */
const char *pp_http_protection_name(enum pp_http_protection protection);

/* All functions are called on a loop's thread and must not block. */
struct pp_http_handler {
    void *context;
    /* The header section is there; comes before everything else, on_headers included. Unless the request is admitted nothing of its body is read;
     * while it is held its connection is not read from at all, so that at most one block that had come with the headers waits. NULL: all are admitted. */
    enum pp_http_admission (*authenticate)(void *context, struct pp_http_request *request);
    /* The header section is there, nothing of the body is promised. Answering here refuses the request: its body is not read
     * and on_request not called. May be NULL. */
    void (*on_headers)(void *context, struct pp_http_request *request);
    /* The request is complete. The handler answers exactly once, now or later, from any thread. */
    void (*on_request)(void *context, struct pp_http_request *request);
    /* The server itself refuses a request whose headers were read (too large, cut off, too slow, over the memory budget):
     * answer in the protocol's own form. `http_status` is one of 400, 408, 413, 503; 503 means try again. NULL: plain text
     * or, for gRPC, the matching status. */
    void (*on_refuse)(void *context, struct pp_http_request *request, int http_status, struct pp_str message);
    /* Something an operator should hear of (no file descriptors left, a certificate that cannot be read again); at most once a
     * minute. May be NULL. */
    void (*on_warning)(void *context, const char *message);
    /* For a metric: once for each connection (PP_HTTP_FULL: each time accepting pauses). May be NULL. */
    void (*on_protection)(void *context, enum pp_http_protection protection);
};

/* Answers; takes the request, which must not be touched afterwards. From any thread. If the peer has gone this only frees. */
void pp_http_respond(struct pp_http_request *request, const struct pp_http_response *response);
/* The same for a gRPC call; `message` (one reference, always taken) only with PP_GRPC_OK, NULL means an empty message. */
void pp_grpc_respond(struct pp_http_request *request, const struct pp_grpc_status *status, struct pp_bytes *message);

/* Lets a held request in. From any thread; the request must not be touched afterwards until the handler hears of it again. */
void pp_http_request_admit(struct pp_http_request *request);

/* First header of that (lower case) name; an empty slice with p == NULL when there is none. */
struct pp_str pp_http_request_header(const struct pp_http_request *request, const char *name);
/* How often it occurs. */
size_t pp_http_request_header_count(const struct pp_http_request *request, const char *name);

/* Times in milliseconds, 0: no limit. PP_HTTP_SERVER_DEFAULTS holds what is used where a configuration says nothing. */
struct pp_http_server_options {
    const char *endpoint;  /* "localhost:4318", ":4317", "[::]:80", or a path with transport unix */
    const char *transport; /* tcp, tcp4, tcp6, unix; NULL: tcp */
    const char *owner;     /* id of the component. A second server of the same owner on the same address takes the listening
                              socket over, so that a reload loses no connection; any other owner is refused */
    struct pp_tls_server *tls; /* borrowed, outlives the server; NULL: in the clear */
    size_t connections_max; /* beyond it idle and stalled connections make room for new ones */
    size_t body_bytes_max;     /* on the wire, one request */
    size_t inflight_bytes_max; /* headers of all open requests and bodies of those not yet answered; beyond it 503 / UNAVAILABLE */
    size_t header_bytes_max;   /* names, values and request line of one request */
    size_t headers_max;
    uint32_t streams_max; /* HTTP/2 concurrent streams of one connection */
    bool http1_only;      /* refuse HTTP/2 */
    bool http2_only;      /* refuse HTTP/1: a gRPC port */
    bool keep_alives;     /* false: HTTP/1 connections close after one answer */
    uint64_t header_timeout_ms; /* TLS handshake and header section */
    uint64_t read_timeout_ms;   /* the whole request, from its first byte */
    uint64_t stall_timeout_ms;  /* a body or a response that makes no progress */
    uint64_t write_timeout_ms;  /* from the answer to its last byte taken by the peer */
    uint64_t idle_timeout_ms;   /* connection without a request */
    /* HTTP/2 keepalive, as in gRPC servers */
    uint64_t max_connection_age_ms, max_connection_age_grace_ms;
    uint64_t ping_time_ms, ping_timeout_ms;   /* ping a silent peer; close when it does not answer */
    uint64_t ping_min_time_ms;                /* peers that ping more often are sent away (ENHANCE_YOUR_CALM) */
    bool ping_without_stream;                 /* they may also do it with no call open */
};

extern const struct pp_http_server_options PP_HTTP_SERVER_DEFAULTS;

/* Opens the listening sockets (every error that a configuration or the machine can cause comes here, in one line) but takes no
 * connection yet. Options are copied, strings too; handler functions too. NULL on failure. */
struct pp_http_server *pp_http_server_new(const struct pp_http_server_options *options, const struct pp_http_handler *handler,
                                          const struct pp_loop_pool *loops, struct pp_error *err);
/* Takes connections from now on. */
bool pp_http_server_start(struct pp_http_server *server, struct pp_error *err);
/* Stops accepting, tells peers to go away, waits for requests in flight until `timeout_ms` from now, then closes everything. Blocks the
 * calling thread, which is none of the loops'. The handler is not called any more once this returns; requests it still holds
 * may be answered into the void later. A second call, or one before start, does what is left to do. */
void pp_http_server_stop(struct pp_http_server *server, uint64_t timeout_ms);
/* Stops at once if need be. Accepts NULL. */
void pp_http_server_free(struct pp_http_server *server);

/* Where it really listens: "127.0.0.1:4318" (the port chosen by the system for port 0), or the socket's path. */
const char *pp_http_server_address(const struct pp_http_server *server);
/* Connections open now; any thread. */
size_t pp_http_server_connections(const struct pp_http_server *server);

#endif
