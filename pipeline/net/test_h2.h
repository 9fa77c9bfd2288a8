/* A blocking HTTP/2 client for tests, on nghttp2: enough to send calls that no client library would. */
#ifndef PP_NET_TEST_H2_H
#define PP_NET_TEST_H2_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "net/test_server.h"

#define TEST_H2_STREAMS_MAX 64

struct test_call {
    int32_t id;
    char status[8];       /* :status */
    char grpc_status[8];  /* "" when none came */
    char grpc_message[1200];
    char details[1200];   /* grpc-status-details-bin */
    struct pp_buf body;
    bool headers_only;    /* END_STREAM came with the first headers */
    bool closed;
    uint32_t error;       /* of RST_STREAM */
    /* what is sent */
    struct pp_str send;
    size_t sent;
    bool keep_open; /* no END_STREAM after `send` */
};

struct test_h2 {
    int fd;
    nghttp2_session *session;
    struct test_call calls[TEST_H2_STREAMS_MAX];
    size_t calls_n;
    bool goaway;
    uint32_t goaway_error;
    int32_t goaway_last;
    unsigned pings, ping_acks;
    bool eof;
};

void test_h2_open(struct test_h2 *h2, const struct test_server *t, bool answer_pings);
void test_h2_close(struct test_h2 *h2);
/* Starts a gRPC call with these body bytes; extra headers as name, value, ..., NULL. */
struct test_call *test_h2_call(struct test_h2 *h2, const char *path, struct pp_str body, int keep_open, ...) __attribute__((sentinel));
/* Exchanges frames until `done` is true, the peer closes, or the time is up (which fails the test). */
void test_h2_run(struct test_h2 *h2, bool (*done)(const struct test_h2 *h2));
/* Only sends what is queued. */
void test_h2_flush(struct test_h2 *h2);

bool test_h2_all_closed(const struct test_h2 *h2);
bool test_h2_eof(const struct test_h2 *h2);
bool test_h2_goaway(const struct test_h2 *h2);

#endif
