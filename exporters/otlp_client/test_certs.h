/* Certificates for tests: an authority of one's own and what it vouches for, as PEM. */
#ifndef PP_EXPORTERS_TEST_CERTS_H
#define PP_EXPORTERS_TEST_CERTS_H

#include <openssl/x509.h>

struct test_cert {
    X509 *x509;
    EVP_PKEY *pkey;
    char *cert, *key; /* PEM */
};

/* `name` is the subject's and, for "DNS:..." or "IP:...", what a server may be called. `issuer`
 * NULL: an authority that vouches for itself. */
void test_cert_make(struct test_cert *cert, const char *name, const struct test_cert *issuer);
void test_cert_free(struct test_cert *cert);

/* Replaces the file's content, as certificate managers do: by renaming a new one over it. */
void test_file_replace(const char *path, const char *text);

#endif
