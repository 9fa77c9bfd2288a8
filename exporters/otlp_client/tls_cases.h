/* What a client with a tls block must do with a server's certificate, for the tests of both
 * clients. */
#ifndef PP_EXPORTERS_TLS_CASES_H
#define PP_EXPORTERS_TLS_CASES_H

#include "config/groups/tls.h"
#include "otlp_client/test_certs.h"

struct tls_certs {
    struct test_cert ca, other_ca, server, named, client;
};

/* ca vouches for: server (127.0.0.1), named (peer.test), client. */
void tls_certs_make(struct tls_certs *certs);
void tls_certs_free(struct tls_certs *certs);

struct tls_case {
    const char *what;
    bool named;        /* the server shows the certificate for peer.test */
    bool wants_client; /* and asks for the client's */
    bool no_ca, wrong_ca, skip_verify, override, shows_client;
    bool works;
};

extern const struct tls_case tls_cases[]; /* ends with what NULL */

struct pp_tls_client_config tls_case_config(const struct tls_case *c,
                                            const struct tls_certs *certs);

#endif
