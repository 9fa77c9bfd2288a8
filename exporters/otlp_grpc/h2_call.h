/* HTTP/2 requests over one connection, one at a time (nghttp2). */
#ifndef PP_EXPORTERS_H2_CALL_H
#define PP_EXPORTERS_H2_CALL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "grpc_trailers.h"
#include "h2_socket.h"

struct pp_h2_conn;

/* What came back. */
struct pp_h2_answer {
    bool complete;    /* the stream was ended by the server */
    long http_status; /* 0: no answer */
    struct pp_grpc_trailers trailers;
    struct pp_buf body; /* the caller's, initialised with its limit */
    bool body_cut;
};

/* Takes the socket. NULL when memory is out: the socket is closed. */
struct pp_h2_conn *pp_h2_conn_new(struct pp_h2_socket *socket);
void pp_h2_conn_free(struct pp_h2_conn *conn);

/* Whether one more request can be tried: takes in what the server has said since the last. */
bool pp_h2_conn_usable(struct pp_h2_conn *conn);

/* POSTs `body` and waits for the end of the answer. False, with the reason, when there is none: the
 * connection broke, the stream was reset, patience was over. */
bool pp_h2_call(struct pp_h2_conn *conn, const nghttp2_nv *headers, size_t headers_n,
                struct pp_str body, const struct pp_h2_patience *patience,
                struct pp_h2_answer *answer, struct pp_error *err);

#endif
