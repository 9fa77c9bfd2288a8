#include "basic_header.h"

#include <openssl/evp.h>

#include "pipeline/secret_digest.h"

static const char scheme[] = "Basic ";
#define SCHEME_BYTES (sizeof(scheme) - 1)

/* Characters of the base64 alphabet, padded to groups of four: the library's decoder lets white space and more go by. */
static bool is_base64(struct pp_str text, size_t *ret_padding)
{
    size_t padding = 0;

    if (text.n == 0 || text.n % 4)
        return false;
    while (padding < 2 && text.p[text.n - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.n - padding; i++) {
        char c = text.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/'))
            return false;
    }
    *ret_padding = padding;
    return true;
}

bool pp_basic_parse(struct pp_arena *arena, struct pp_str value, struct pp_basic_credentials *ret)
{
    struct pp_str raw;
    const char *colon;
    char *decoded;
    size_t padding;
    int n;

    if (value.n < SCHEME_BYTES || !pp_str_eq_nocase((struct pp_str){value.p, SCHEME_BYTES}, pp_str_c(scheme)))
        return false;
    raw = (struct pp_str){value.p + SCHEME_BYTES, value.n - SCHEME_BYTES};
    if (!is_base64(raw, &padding))
        return false;
    decoded = pp_arena_alloc(arena, raw.n / 4 * 3 + 1);
    n = decoded ? EVP_DecodeBlock((unsigned char *)decoded, (const unsigned char *)raw.p, (int)raw.n) : -1;
    if (n < (int)padding)
        return false;
    n -= (int)padding;
    colon = memchr(decoded, ':', (size_t)n);
    if (!colon)
        return false;
    *ret = (struct pp_basic_credentials){
        .user = {decoded, (size_t)(colon - decoded)},
        .password = {colon + 1, (size_t)(decoded + n - colon - 1)},
        .raw = raw,
    };
    return true;
}

bool pp_basic_format(struct pp_arena *arena, struct pp_str user, struct pp_str password, struct pp_str *ret, struct pp_error *err)
{
    size_t n = user.n + 1 + password.n;
    char *plain, *text;

    if (user.n && memchr(user.p, ':', user.n))
        return pp_error_set(err, PP_ERR_INVALID, "the user name must not have a colon in it");
    plain = pp_arena_alloc(arena, n);
    text = pp_arena_alloc(arena, SCHEME_BYTES + (n + 2) / 3 * 4 + 1);
    if (!plain || !text)
        return pp_error_nomem(err);
    if (user.n)
        memcpy(plain, user.p, user.n);
    plain[user.n] = ':';
    if (password.n)
        memcpy(plain + user.n + 1, password.p, password.n);
    memcpy(text, scheme, SCHEME_BYTES);
    n = (size_t)EVP_EncodeBlock((unsigned char *)text + SCHEME_BYTES, (const unsigned char *)plain, (int)n);
    pp_secret_wipe(plain, user.n + 1 + password.n);
    *ret = (struct pp_str){text, SCHEME_BYTES + n};
    return true;
}
