#include "pipeline/secret_digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sys/random.h>

static EVP_MAC_CTX *template; /* keyed; copied for each digest, for the life of the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_template(void)
{
    char hash[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", hash, 0), OSSL_PARAM_END};
    unsigned char key[PP_SECRET_DIGEST_BYTES];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;

    if (context && getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) && EVP_MAC_init(context, key, sizeof(key), params))
        template = context;
    else
        EVP_MAC_CTX_free(context);
    OPENSSL_cleanse(key, sizeof(key));
    EVP_MAC_free(mac); /* the context holds a reference */
}

bool pp_secret_digest_make(const struct pp_str *parts, size_t parts_n, struct pp_secret_digest *ret)
{
    struct pp_secret_digest digest;
    EVP_MAC_CTX *context;
    size_t made = 0;
    bool ok;

    pthread_once(&once, make_template);
    context = template ? EVP_MAC_CTX_dup(template) : NULL;
    ok = context != NULL;
    for (size_t i = 0; i < parts_n && ok; i++) {
        uint64_t n = parts[i].n;

        ok = EVP_MAC_update(context, (const unsigned char *)&n, sizeof(n)) &&
             (n == 0 || EVP_MAC_update(context, (const unsigned char *)parts[i].p, n));
    }
    ok = ok && EVP_MAC_final(context, digest.bytes, &made, sizeof(digest.bytes)) && made == sizeof(digest.bytes);
    EVP_MAC_CTX_free(context);
    if (ok)
        *ret = digest;
    return ok;
}

bool pp_secret_digest_equal(const struct pp_secret_digest *a, const struct pp_secret_digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, PP_SECRET_DIGEST_BYTES) == 0;
}

void pp_secret_wipe(void *p, size_t n)
{
    if (p)
        OPENSSL_cleanse(p, n);
}
