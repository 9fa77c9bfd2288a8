/* One unary gRPC call, from the request's bytes to the answer. Everything about it happens on one
 * loop's thread. */
#ifndef PP_EXPORTERS_GRPC_CALL_H
#define PP_EXPORTERS_GRPC_CALL_H

#include "base/bytes.h"
#include "grpc_trailers.h"
#include "net/grpc.h"

struct pp_grpc_connection;

struct pp_grpc_answer {
    int code; /* gRPC status */
    char message[PP_ANSWER_TEXT_MAX];
    int64_t retry_delay_ms; /* of the status's RetryInfo; -1: none */
    struct pp_str body;     /* with code OK: the response message; valid during the call of `done` */
    bool body_valid;        /* false: there was none, or it cannot be inflated or is too long */
};

/* A header beside those that the client sends with every call; strings live as long as the call. */
struct pp_grpc_header {
    struct pp_str name; /* lower case */
    struct pp_str value;
};

/* Embedded in the caller's own struct, which it keeps until `done` has been called or the call has
 * been cancelled. */
struct pp_grpc_call {
    /* The caller's. */
    struct pp_bytes *body; /* the message, compressed if `compressed`; borrowed */
    bool compressed;
    uint64_t deadline_mono_ms; /* tells the server; the caller cancels then. UINT64_MAX: none */
    const struct pp_grpc_header *headers;
    size_t headers_n;
    void (*done)(struct pp_grpc_call *call, const struct pp_grpc_answer *answer);

    /* The client's. */
    struct pp_grpc_connection *connection; /* NULL: waits for one */
    struct pp_grpc_call *prev, *next;
    int32_t stream;
    uint8_t prefix[PP_GRPC_PREFIX_SIZE];
    size_t sent; /* of prefix and body */
    bool tried_again;
    bool complete; /* the server has said everything */
    bool refused;  /* not processed by the server: may go again */
    bool too_long;
    long http_status;
    struct pp_grpc_trailers trailers;
    struct pp_buf received;
};

/* A list of calls. */
struct pp_grpc_calls {
    struct pp_grpc_call *first, *last;
};

void pp_grpc_calls_add(struct pp_grpc_calls *calls, struct pp_grpc_call *call);
void pp_grpc_calls_remove(struct pp_grpc_calls *calls, struct pp_grpc_call *call);

/* Prepares what the client has in a call. */
void pp_grpc_call_reset(struct pp_grpc_call *call);
/* Ends a call with what the server has said. */
void pp_grpc_call_answer(struct pp_grpc_call *call);
/* Ends a call without an answer. */
void pp_grpc_call_fail(struct pp_grpc_call *call, int code, const char *message);

#endif
