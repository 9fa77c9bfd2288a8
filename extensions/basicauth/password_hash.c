#include "password_hash.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/mem.h"
#include "md5_crypt.h"
#include "pipeline/secret_digest.h"

#define SALTED_BYTES_MAX 1024u

enum form { PLAIN, BCRYPT, MD5_CRYPT, SHA_CRYPT, SHA, SALTED_SHA };

static const struct {
    const char *prefix;
    enum form form;
} forms[] = {
    {"$2a$", BCRYPT},    {"$2b$", BCRYPT},    {"$2x$", BCRYPT}, {"$2y$", BCRYPT},       {"$apr1$", MD5_CRYPT},
    {"$1$", MD5_CRYPT},  {"$5$", SHA_CRYPT},  {"$6$", SHA_CRYPT}, {"{SHA}", SHA}, {"{SSHA}", SALTED_SHA},
};

static enum form form_of(struct pp_str hashed, struct pp_str *ret_prefix, struct pp_str *ret_rest)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t n = strlen(forms[i].prefix);

        if (!pp_str_starts(hashed, forms[i].prefix))
            continue;
        *ret_prefix = (struct pp_str){hashed.p, n};
        *ret_rest = (struct pp_str){hashed.p + n, hashed.n - n};
        return forms[i].form;
    }
    *ret_prefix = (struct pp_str){0};
    *ret_rest = hashed;
    return PLAIN;
}

/* What stands before the next '$'; false without one. */
static bool cut(struct pp_str *rest, struct pp_str *ret)
{
    const char *dollar = rest->n ? memchr(rest->p, '$', rest->n) : NULL;

    if (!dollar)
        return false;
    *ret = (struct pp_str){rest->p, (size_t)(dollar - rest->p)};
    *rest = (struct pp_str){dollar + 1, rest->n - ret->n - 1};
    return true;
}

static bool bcrypt_usable(struct pp_str rest)
{
    uint64_t cost;
    struct pp_str digits;

    return cut(&rest, &digits) && digits.n == 2 && pp_str_to_u64(digits, &cost) && cost >= 4 && cost <= PP_PASSWORD_BCRYPT_COST_MAX &&
           rest.n == 53; /* 22 of salt, 31 of hash */
}

static bool sha_crypt_usable(struct pp_str rest)
{
    uint64_t rounds;
    struct pp_str part;

    if (pp_str_starts(rest, "rounds=")) {
        rest = (struct pp_str){rest.p + 7, rest.n - 7};
        if (!cut(&rest, &part) || !pp_str_to_u64(part, &rounds) || rounds > PP_PASSWORD_CRYPT_ROUNDS_MAX)
            return false;
    }
    return cut(&rest, &part) && rest.n > 0;
}

static bool md5_crypt_usable(struct pp_str rest)
{
    struct pp_str salt;

    return cut(&rest, &salt) && salt.n <= PP_MD5_CRYPT_SALT_BYTES_MAX && rest.n == PP_MD5_CRYPT_HASH_BYTES;
}

/* Bytes of padded base64 into `to`; -1 when it is none or too long. */
static ssize_t decode(struct pp_str text, unsigned char to[SALTED_BYTES_MAX])
{
    size_t padding = 0;
    int n;

    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    if (text.n == 0 || text.n % 4 || text.n / 4 * 3 > SALTED_BYTES_MAX)
        return -1;
    n = EVP_DecodeBlock(to, (const unsigned char *)text.p, (int)text.n);
    return n < 0 ? -1 : (ssize_t)((size_t)n - padding);
}

bool pp_password_is_usable(struct pp_str hashed)
{
    unsigned char decoded[SALTED_BYTES_MAX];
    struct pp_str prefix, rest;

    switch (form_of(hashed, &prefix, &rest)) {
    case BCRYPT:
        return bcrypt_usable(rest);
    case MD5_CRYPT:
        return md5_crypt_usable(rest);
    case SHA_CRYPT:
        return sha_crypt_usable(rest);
    case SHA:
        return decode(rest, decoded) == SHA_DIGEST_LENGTH;
    case SALTED_SHA:
        return decode(rest, decoded) >= SHA_DIGEST_LENGTH;
    case PLAIN:
        break;
    }
    return true;
}

bool pp_password_is_slow(struct pp_str hashed)
{
    struct pp_str prefix, rest;
    enum form form = form_of(hashed, &prefix, &rest);

    return form == BCRYPT || form == MD5_CRYPT || form == SHA_CRYPT;
}

/* By way of keyed digests, so that lengths do not show either. */
static bool same(struct pp_str a, struct pp_str b)
{
    struct pp_secret_digest x, y;

    return pp_secret_digest_make(&a, 1, &x) && pp_secret_digest_make(&b, 1, &y) && pp_secret_digest_equal(&x, &y);
}

static bool plain_matches(struct pp_str hashed, struct pp_str password)
{
    static const char marker[] = "{PLAIN}";
    bool marked = pp_str_starts(hashed, marker), whole = same(hashed, password);
    struct pp_str rest = marked ? (struct pp_str){hashed.p + strlen(marker), hashed.n - strlen(marker)} : hashed;

    return whole | (marked & same(rest, password));
}

static bool sha_matches(struct pp_str rest, struct pp_str password)
{
    unsigned char decoded[SALTED_BYTES_MAX], digest[SHA_DIGEST_LENGTH];
    ssize_t n = decode(rest, decoded);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = n >= SHA_DIGEST_LENGTH && context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) &&
              EVP_DigestUpdate(context, password.p, password.n) &&
              EVP_DigestUpdate(context, decoded + SHA_DIGEST_LENGTH, (size_t)n - SHA_DIGEST_LENGTH) && EVP_DigestFinal_ex(context, digest, NULL);

    EVP_MD_CTX_free(context);
    return ok && same((struct pp_str){(char *)digest, sizeof(digest)}, (struct pp_str){(char *)decoded, SHA_DIGEST_LENGTH});
}

static bool md5_crypt_matches(struct pp_str prefix, struct pp_str rest, struct pp_str password)
{
    char hash[PP_MD5_CRYPT_HASH_BYTES + 1];
    struct pp_str salt;

    return cut(&rest, &salt) && pp_md5_crypt(password, prefix, salt, hash) && same(rest, pp_str_c(hash));
}

/* libcrypt. It reads C strings: the caller has seen to it that there is no NUL inside. */
static bool crypt_matches(struct pp_str hashed, struct pp_str password)
{
    struct crypt_data *data = pp_calloc(1, sizeof(*data)); /* 32 KiB: too much for a stack */
    char text[PP_PASSWORD_BYTES_MAX + 1];
    const char *made;
    bool ok;

    if (!data)
        return false;
    memcpy(text, password.p, password.n);
    text[password.n] = '\0';
    made = crypt_r(text, hashed.p, data);
    ok = made && *made != '*' && same(hashed, pp_str_c(made));
    pp_secret_wipe(text, sizeof(text));
    pp_secret_wipe(data, sizeof(*data));
    pp_free(data);
    return ok;
}

bool pp_password_matches(struct pp_str hashed, struct pp_str password)
{
    struct pp_str prefix, rest;

    if (password.n > PP_PASSWORD_BYTES_MAX || (password.n && memchr(password.p, '\0', password.n)))
        return false;
    switch (form_of(hashed, &prefix, &rest)) {
    case BCRYPT:
    case SHA_CRYPT:
        return crypt_matches(hashed, password);
    case MD5_CRYPT:
        return md5_crypt_matches(prefix, rest, password);
    case SHA:
    case SALTED_SHA:
        return sha_matches(rest, password);
    case PLAIN:
        break;
    }
    return plain_matches(hashed, password);
}
