/* A gRPC server for tests, on grpc core: keeps what the last call sent and answers as told. */
#ifndef PP_EXPORTERS_GRPC_TEST_SERVER_H
#define PP_EXPORTERS_GRPC_TEST_SERVER_H

#include <stdbool.h>

#include "base/str.h"

struct test_server;

struct test_answer {
    int code;
    const char *message;       /* of the status */
    struct pp_str details_bin; /* grpc-status-details-bin; empty: not sent */
    struct pp_str body;        /* with code 0 */
    bool body_gzip;            /* body is gzip data */
    bool no_body;
    int delay_ms; /* before the answer */
};

/* Certificates as PEM; NULL: plaintext. With `client_ca` clients must show a certificate. Listens
 * on 127.0.0.1, on `port` or (0) any. */
struct test_server *test_server_new(int port, const char *cert, const char *key,
                                    const char *client_ca);
void test_server_free(struct test_server *server);
int test_server_port(const struct test_server *server);
void test_server_answer(struct test_server *server, const struct test_answer *answer);

/* Of the last call: its method, one metadata value ("" when absent), the message as it came and
 * whether that was marked gzip. */
const char *test_server_method(struct test_server *server);
const char *test_server_metadata(struct test_server *server, const char *key);
/* May be asked for once a call. */
struct pp_str test_server_message(struct test_server *server, bool *ret_gzip);
unsigned test_server_calls(struct test_server *server);

#endif
