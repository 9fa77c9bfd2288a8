#include "tls_cases.h"

const struct tls_case tls_cases[] = {
    {.what = "our CA", .works = true},
    {.what = "only the system's CAs", .no_ca = true},
    {.what = "another CA", .wrong_ca = true},
    {.what = "another CA, not verified", .wrong_ca = true, .skip_verify = true, .works = true},
    {.what = "no CA, not verified", .no_ca = true, .skip_verify = true, .works = true},
    {.what = "another name", .named = true},
    {.what = "another name, overridden", .named = true, .override = true, .works = true},
    {.what = "another name, not verified", .named = true, .skip_verify = true, .works = true},
    {.what = "overridden with what the server is not", .override = true},
    {.what = "mutual", .wants_client = true, .shows_client = true, .works = true},
    {.what = "mutual, nothing to show", .wants_client = true},
    {.what = NULL},
};

void tls_certs_make(struct tls_certs *certs)
{
    test_cert_make(&certs->ca, "test CA", NULL);
    test_cert_make(&certs->other_ca, "another test CA", NULL);
    test_cert_make(&certs->server, "IP:127.0.0.1", &certs->ca);
    test_cert_make(&certs->named, "DNS:peer.test", &certs->ca);
    test_cert_make(&certs->client, "DNS:client.test", &certs->ca);
}

void tls_certs_free(struct tls_certs *certs)
{
    test_cert_free(&certs->ca);
    test_cert_free(&certs->other_ca);
    test_cert_free(&certs->server);
    test_cert_free(&certs->named);
    test_cert_free(&certs->client);
}

struct pp_tls_client_config tls_case_config(const struct tls_case *c, const struct tls_certs *certs)
{
    struct pp_tls_client_config config = {.insecure_skip_verify = c->skip_verify};

    if (!c->no_ca) {
        config.common.ca_pem = c->wrong_ca ? certs->other_ca.cert : certs->ca.cert;
    }
    if (c->shows_client) {
        config.common.cert_pem = certs->client.cert;
        config.common.key_pem = certs->client.key;
    }
    config.server_name_override = c->override ? "peer.test" : NULL;
    return config;
}
