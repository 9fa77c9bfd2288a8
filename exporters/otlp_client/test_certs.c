#include "test_certs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char *pem_of(BIO *bio)
{
    char *data, *copy;
    long n = BIO_get_mem_data(bio, &data);

    copy = strndup(data, (size_t)n);
    BIO_free(bio);
    return copy;
}

static void add_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert(extension && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void set_subject(struct test_cert *cert, const char *name, const struct test_cert *issuer)
{
    static long serial;
    X509_NAME *subject = X509_get_subject_name(cert->x509);

    X509_set_version(cert->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert->x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert->x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert->x509), 3600);
    X509_set_pubkey(cert->x509, cert->pkey);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert->x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
    add_extension(cert->x509, NID_basic_constraints,
                  issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (issuer) {
        add_extension(cert->x509, NID_subject_alt_name, name);
    }
}

void test_cert_make(struct test_cert *cert, const char *name, const struct test_cert *issuer)
{
    BIO *bio;

    cert->pkey = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    assert(cert->pkey && cert->x509);
    set_subject(cert, name, issuer);
    assert(X509_sign(cert->x509, issuer ? issuer->pkey : cert->pkey, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert->x509);
    cert->cert = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, cert->pkey, NULL, NULL, 0, NULL, NULL);
    cert->key = pem_of(bio);
}

void test_cert_free(struct test_cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->pkey);
    free(cert->cert);
    free(cert->key);
}

void test_file_replace(const char *path, const char *text)
{
    char temporary[512];
    FILE *f;

    snprintf(temporary, sizeof(temporary), "%s.new", path);
    f = fopen(temporary, "w");
    assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    if (rename(temporary, path) != 0) {
        abort();
    }
}
