/* A server on an ephemeral port for tests, with a handler that shows what it got, and a blocking raw client. */
#ifndef PP_NET_TEST_SERVER_H
#define PP_NET_TEST_SERVER_H

#include <stdatomic.h>

#include "net/http_server.h"

#define TEST_TIMEOUT_MS 10000

struct test_server {
    struct pp_http_server_options options;
    struct pp_http_handler handler;
    struct pp_loop_pool loops;
    struct pp_http_server *server;
    unsigned port;
    atomic_uint headers_seen, requests_seen, refusals_seen;
};

/* Fills options and handler with defaults on 127.0.0.1:0; the test may change them before test_server_start. Paths:
 *   /echo      200 with the body; header x-seen tells method, version, query, peer and body size
 *   /later     the same, from another thread after a while
 *   /never     no answer until test_server_release_held
 *   /big       200 with 8 MiB
 *   /refused   403 from on_headers
 *   else       404; gRPC calls to /t.T/Echo echo, /t.T/Fail end with UNAVAILABLE and a retry delay of 1.5 s */
void test_server_init(struct test_server *t, size_t loops);
void test_server_start(struct test_server *t);
void test_server_stop(struct test_server *t);
/* Answers what /never held back. */
void test_server_release_held(void);

/* Connects to the server. */
int test_connect(const struct test_server *t);
void test_send(int fd, struct pp_str data);
/* Reads until the peer closes or `max` bytes are there; NUL-terminated, freed by the caller. Fails the test at the time limit. */
char *test_read_all(int fd, size_t max, size_t *ret_n);
/* Reads until `until` has been seen. */
char *test_read_until(int fd, const char *until);
/* Sends the text and returns everything until the server closes. */
char *test_talk(const struct test_server *t, const char *text);
/* Runs a shell command and returns its standard output; fails the test when its status is not `status`. */
char *test_run(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
