/* A channel on a loop of its own and calls that wait, for tests. Include after cmocka's headers. */
#ifndef PP_EXPORTERS_GRPC_TEST_CALLER_H
#define PP_EXPORTERS_GRPC_TEST_CALLER_H

#include <semaphore.h>

#include "grpc_client.h"

/* Far more than any call takes. */
#define CALL_MS 20000

struct caller {
    struct pp_loop *loop;
    struct pp_grpc_client *client;
    struct pp_grpc_channel *channel;
};

struct waiting_call {
    struct pp_grpc_call call; /* first */
    struct caller *caller;
    struct pp_task task;
    sem_t ended;
    struct pp_grpc_answer answer;
    char body[PP_ANSWER_BYTES_MAX];
    struct pp_error trouble; /* of a call that was given up */
};

void caller_open(struct caller *caller, const struct pp_grpc_client_config *config, enum pp_encoding encoding);
/* Accepts one that was not opened. */
void caller_close(struct caller *caller);

/* Makes one call and waits; gives it up after `timeout_ms` (code DEADLINE_EXCEEDED), which the server is told, too. answer->body lives until the next. */
const struct pp_grpc_answer *caller_call(struct caller *caller, struct pp_str message, bool compressed, int timeout_ms);

/* In two parts, for several at once. `body` is borrowed till the end. */
void caller_start(struct caller *caller, struct waiting_call *call, struct pp_bytes *body, bool compressed, int timeout_ms);
const struct pp_grpc_answer *caller_wait(struct waiting_call *call, int timeout_ms);

#endif
