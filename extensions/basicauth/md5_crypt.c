#include "md5_crypt.h"

#include <openssl/evp.h>

#define ROUNDS 1000u
#define MD5_BYTES 16u

/* One MD5 over several pieces; `ok` falls and stays down when the library fails. */
struct md5 {
    EVP_MD_CTX *context;
    bool ok;
};

static void begin(struct md5 *md5)
{
    md5->ok = md5->ok && EVP_DigestInit_ex(md5->context, EVP_md5(), NULL);
}

static void add(struct md5 *md5, struct pp_str piece)
{
    md5->ok = md5->ok && EVP_DigestUpdate(md5->context, piece.p, piece.n);
}

static void end(struct md5 *md5, char ret[MD5_BYTES])
{
    md5->ok = md5->ok && EVP_DigestFinal_ex(md5->context, (unsigned char *)ret, NULL);
}

/* The first digest: password, prefix, salt, then bytes of MD5(password salt password) and of the password by the bits of its length. */
static void first_digest(struct md5 *md5, struct pp_str password, struct pp_str prefix, struct pp_str salt, char sum[MD5_BYTES])
{
    static const char zero = '\0';
    char mixed[MD5_BYTES];

    begin(md5);
    add(md5, password);
    add(md5, salt);
    add(md5, password);
    end(md5, mixed);
    begin(md5);
    add(md5, password);
    add(md5, prefix);
    add(md5, salt);
    for (size_t left = password.n; left > 0; left -= left < MD5_BYTES ? left : MD5_BYTES)
        add(md5, (struct pp_str){mixed, left < MD5_BYTES ? left : MD5_BYTES});
    for (size_t bits = password.n; bits > 0; bits >>= 1)
        add(md5, (struct pp_str){bits & 1 ? &zero : password.p, 1});
    end(md5, sum);
}

static void stretch(struct md5 *md5, struct pp_str password, struct pp_str salt, char sum[MD5_BYTES])
{
    struct pp_str last = {sum, MD5_BYTES};

    for (unsigned i = 0; i < ROUNDS && md5->ok; i++) {
        begin(md5);
        add(md5, i & 1 ? password : last);
        if (i % 3)
            add(md5, salt);
        if (i % 7)
            add(md5, password);
        add(md5, i & 1 ? last : password);
        end(md5, sum);
    }
}

/* Six bits a character, the lowest first. */
static char *add64(char *to, unsigned value, int characters)
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (; characters > 0; characters--, value >>= 6)
        *to++ = alphabet[value & 63];
    return to;
}

static void print(const unsigned char *sum, char *to)
{
    static const unsigned char order[][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        to = add64(to, (unsigned)sum[order[i][0]] << 16 | (unsigned)sum[order[i][1]] << 8 | sum[order[i][2]], 4);
    to = add64(to, sum[11], 2);
    *to = '\0';
}

bool pp_md5_crypt(struct pp_str password, struct pp_str prefix, struct pp_str salt, char ret[PP_MD5_CRYPT_HASH_BYTES + 1])
{
    struct md5 md5 = {.context = EVP_MD_CTX_new()};
    char sum[MD5_BYTES];

    md5.ok = md5.context != NULL;
    first_digest(&md5, password, prefix, salt, sum);
    stretch(&md5, password, salt, sum);
    if (md5.ok)
        print((const unsigned char *)sum, ret);
    EVP_MD_CTX_free(md5.context);
    return md5.ok;
}
