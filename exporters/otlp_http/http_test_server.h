/* An HTTP/1.1 server for tests: one thread, one request at a time; keeps what came and answers with
 * the bytes it is told. */
#ifndef PP_EXPORTERS_HTTP_TEST_SERVER_H
#define PP_EXPORTERS_HTTP_TEST_SERVER_H

#include "base/str.h"

struct http_test_server;

/* Certificates as PEM; NULL: in the clear. With `client_ca` clients must show a certificate. */
struct http_test_server *http_test_server_new(const char *cert, const char *key,
                                              const char *client_ca);
void http_test_server_free(struct http_test_server *server);
int http_test_server_port(const struct http_test_server *server);

/* The whole answer, status line and all, borrowed; empty: hang up without one. `delay_ms` before
 * it. */
void http_test_server_answer(struct http_test_server *server, struct pp_str answer, int delay_ms);

/* Of the last request: its head as sent, and its body. */
const char *http_test_server_head(const struct http_test_server *server);
struct pp_str http_test_server_body(const struct http_test_server *server);
unsigned http_test_server_requests(const struct http_test_server *server);
unsigned http_test_server_connections(const struct http_test_server *server);

#endif
