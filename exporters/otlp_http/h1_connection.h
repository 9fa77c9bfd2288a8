/* One HTTP/1.1 connection of a pool: one request at a time. */
#ifndef PP_EXPORTERS_H1_CONNECTION_H
#define PP_EXPORTERS_H1_CONNECTION_H

#include "h1_answer.h"
#include "h1_pool.h"

/* What became of a connection's request, or of the connection itself. */
struct pp_h1_connection_events {
    /* The call has ended, and with it its use of the connection; it is in nobody's list and goes on living only if `reusable`. */
    void (*answered)(struct pp_h1_pool *pool, struct pp_h1_connection *connection, struct pp_h1_call *call, bool reusable);
    /* No answer, and no connection any more. `unsent`: it had been idle, and the server has not begun to answer: the request may go out again on
     * another one, as every HTTP client does it. */
    void (*failed)(struct pp_h1_pool *pool, struct pp_h1_connection *connection, struct pp_h1_call *call, bool unsent);
    /* An idle connection is of no use any more. */
    void (*closed)(struct pp_h1_pool *pool, struct pp_h1_connection *connection);
};

struct pp_h1_socket;
struct pp_h1_dial;

struct pp_h1_connection {
    struct pp_h1_connection *prev, *next; /* the pool's */
    uint64_t idle_since_ms;
    struct pp_h1_answer reader; /* the last answer, or why there was none */

    struct pp_loop *loop;
    struct pp_h1_pool *pool;
    const struct pp_h1_connection_events *events;
    struct pp_h1_dial *dial;     /* while it is being connected */
    struct pp_h1_socket *socket; /* afterwards */
    struct pp_h1_call *call;
    size_t sent; /* of head and body */
    bool used;   /* an earlier request has been answered on it */
    bool mute;   /* the peer takes no more; it may have answered all the same */
};

/* Connects for `call`, which is its first; NULL with the reason when that cannot begin. */
struct pp_h1_connection *pp_h1_connection_new(struct pp_loop *loop, struct pp_h1_pool *pool, const struct pp_h1_connection_events *events,
                                              const char *host, const char *port, struct pp_h1_call *call, struct pp_error *err);
/* Another call on an idle connection. */
void pp_h1_connection_begin(struct pp_h1_connection *connection, struct pp_h1_call *call);
/* Closes it; its call is forgotten. */
void pp_h1_connection_free(struct pp_h1_connection *connection);

#endif
