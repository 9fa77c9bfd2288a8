/* POSTs to one plain http:// server over HTTP/1.1 connections that stay open in between, on one loop's thread: no copy of a body, no
 * hand-over to another thread. What goes through TLS or a proxy is libcurl's (http_post.h). */
#ifndef PP_EXPORTERS_H1_POOL_H
#define PP_EXPORTERS_H1_POOL_H

#include "base/bytes.h"
#include "http_post.h"
#include "net/loop.h"

struct pp_h1_pool;
struct pp_h1_connection;

/* Strings are borrowed and outlive the pool. 0 sets no limit. */
struct pp_h1_pool_options {
    const char *host; /* a name, or an address without brackets */
    const char *port;
    size_t connections_max; /* of this pool; what comes beyond waits */
    size_t idle_max;
    uint64_t idle_timeout_ms;
    bool keep_alive; /* false: a connection for each request */
};

/* One request; the pool's from pp_h1_pool_send until `done` is called or pp_h1_pool_cancel has returned. */
struct pp_h1_call {
    struct pp_str head;    /* request line and headers but for Content-Length, which ends them; borrowed */
    struct pp_bytes *body; /* borrowed */
    /* The answer, or why there is none; it lives until the next pp_h1_pool_send, or the end of this call. */
    void (*done)(struct pp_h1_call *call, const struct pp_http_answer *answer);

    /* The pool's. */
    char end[64]; /* "Content-Length: 0\r\n\r\n" */
    size_t end_n;
    bool again; /* has been sent before, on a connection that had been closed meanwhile */
    struct pp_h1_connection *connection; /* NULL: waits for one */
    struct pp_h1_call *next;
};

struct pp_h1_pool *pp_h1_pool_new(struct pp_loop *loop, const struct pp_h1_pool_options *options, struct pp_error *err);
/* `done` may be called before it returns. */
void pp_h1_pool_send(struct pp_h1_pool *pool, struct pp_h1_call *call);
/* `ret_trouble` says what the call was waiting for, as far as that is known. */
void pp_h1_pool_cancel(struct pp_h1_pool *pool, struct pp_h1_call *call, const char **ret_trouble);
/* No call is under way. Accepts NULL. */
void pp_h1_pool_free(struct pp_h1_pool *pool);

#endif
