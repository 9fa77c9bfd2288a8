/* A gRPC server for tests, on nghttp2: keeps what the last call sent and answers, or misbehaves, as
 * told. */
#ifndef PP_EXPORTERS_GRPC_TEST_SERVER_H
#define PP_EXPORTERS_GRPC_TEST_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct test_server;

struct test_answer {
    int code;
    const char *message;       /* of the status */
    struct pp_str details_bin; /* grpc-status-details-bin; empty: not sent */
    struct pp_str body;        /* with code 0 */
    bool body_gzip;            /* body is gzip data */
    bool no_body;
    int delay_ms;          /* before the answer; -1: there is none */
    int http_status;       /* other than 0: no gRPC status, this one */
    uint32_t reset;        /* other than 0: RST_STREAM with this code in place of an answer */
    bool reset_once;       /* only the first such call */
    bool hang_up;          /* closes the connection in place of an answer */
    bool goaway;           /* after this answer: GOAWAY, the connection goes on for what is under way */
    uint32_t goaway_error; /* of that GOAWAY */
    bool early;            /* answers as soon as the headers are there, and reads no body */
};

struct test_server_options {
    const char *path;             /* a unix socket in place of a port */
    int port;                     /* on 127.0.0.1; 0: any */
    const char *address;          /* in place of 127.0.0.1 */
    const char *cert, *key;       /* PEM; NULL: plaintext */
    const char *client_ca;        /* clients must show a certificate */
    const char *tls_versions_max; /* "1.2": no newer one */
    uint32_t streams_max;         /* at once; 0: no limit */
    uint32_t window;              /* initial window of a stream; 0: the protocol's */
    bool deaf;                    /* answers no ping, says nothing after its settings */
};

struct test_server *test_server_new_with(const struct test_server_options *options);
/* Certificates as PEM; NULL: plaintext. With `client_ca` clients must show a certificate. Listens
 * on 127.0.0.1, on `port` or (0) any. */
struct test_server *test_server_new(int port, const char *cert, const char *key, const char *client_ca);
/* Closes every connection. */
void test_server_free(struct test_server *server);
int test_server_port(const struct test_server *server);
void test_server_answer(struct test_server *server, const struct test_answer *answer);

/* Of the last call: its method, one metadata value ("" when absent; "-bin" ones in base64), the
 * message as it came and whether it was marked compressed. */
const char *test_server_method(struct test_server *server);
const char *test_server_metadata(struct test_server *server, const char *key);
/* May be asked for once a call. */
struct pp_str test_server_message(struct test_server *server, bool *ret_compressed);

/* Since the start. */
unsigned test_server_calls(struct test_server *server);
unsigned test_server_connections(struct test_server *server);
unsigned test_server_pings(struct test_server *server);
unsigned test_server_streams_most(struct test_server *server); /* open at once */
unsigned test_server_resets(struct test_server *server);       /* streams that the client gave up */

#endif
