/* One HTTP/2 connection of a gRPC client without its socket (nghttp2): bytes in, bytes out, calls
 * in between. Rules: RFC 9113 and the gRPC project's PROTOCOL-HTTP2.md. */
#ifndef PP_EXPORTERS_GRPC_SESSION_H
#define PP_EXPORTERS_GRPC_SESSION_H

#include <nghttp2/nghttp2.h>

#include "base/error.h"
#include "grpc_call.h"
#include "grpc_outbox.h"

struct pp_grpc_session;

/* `headers` are sent with every call; their texts are borrowed as long as the session lives. NULL when memory is out. */
struct pp_grpc_session *pp_grpc_session_new(const nghttp2_nv *headers, size_t headers_n);
/* No call is left: pp_grpc_session_take_all before. */
void pp_grpc_session_free(struct pp_grpc_session *session);

/* The server has said what it takes: calls may be made. */
bool pp_grpc_session_ready(const struct pp_grpc_session *session);
/* False once the server goes away, or all stream numbers are used up: no further call, those under way go on. */
bool pp_grpc_session_takes_calls(const struct pp_grpc_session *session);
/* The server thinks that we ping too often (GOAWAY, ENHANCE_YOUR_CALM). */
bool pp_grpc_session_pings_too_much(const struct pp_grpc_session *session);
bool pp_grpc_session_has_calls(const struct pp_grpc_session *session);

/* False, the call untouched, when it cannot be made here. */
bool pp_grpc_session_start(struct pp_grpc_session *session, struct pp_grpc_call *call, struct pp_error *err);
/* Forgets the call; `done` is not called. */
void pp_grpc_session_cancel(struct pp_grpc_session *session, struct pp_grpc_call *call);

/* Takes in what has come; calls may end, from the next function. False: the peer breaks the protocol. */
bool pp_grpc_session_receive(struct pp_grpc_session *session, struct pp_str data, struct pp_error *err);
/* A call that has ended, no longer the session's, or NULL: complete, or with the reason in `ret_why` and `refused` if it may be made again. */
struct pp_grpc_call *pp_grpc_session_take_ended(struct pp_grpc_session *session, const char **ret_why);
/* All that have not ended, for a connection that is gone; one at a time, NULL at the end. */
struct pp_grpc_call *pp_grpc_session_take_any(struct pp_grpc_session *session);

bool pp_grpc_session_ping(struct pp_grpc_session *session);

/* Puts what is to be written into the outbox, as far as there is room and the server's windows allow. False: the connection cannot go on. */
bool pp_grpc_session_fill(struct pp_grpc_session *session, struct pp_error *err);
struct pp_grpc_outbox *pp_grpc_session_outbox(struct pp_grpc_session *session);

#endif
