#include "tokens.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "pipeline/secret_digest.h"

struct pp_tokens {
    atomic_uint refs;
    char *first; /* as it is sent */
    size_t first_n;
    size_t n;
    struct pp_secret_digest digests[]; /* of all, as they are sent */
};

static bool is_sendable(struct pp_str token)
{
    for (size_t i = 0; i < token.n; i++)
        if ((unsigned char)token.p[i] < 0x20 || token.p[i] == 0x7F)
            return false;
    return token.n > 0 && token.n <= PP_TOKEN_BYTES_MAX;
}

/* "<scheme> <token>"; freed by the caller after wiping. */
static char *as_sent(const char *scheme, struct pp_str token, size_t *ret_n)
{
    size_t scheme_n = strlen(scheme), n = (scheme_n ? scheme_n + 1 : 0) + token.n;
    char *text = pp_malloc(n + 1);

    if (!text)
        return NULL;
    if (scheme_n) {
        memcpy(text, scheme, scheme_n);
        text[scheme_n] = ' ';
    }
    memcpy(text + n - token.n, token.p, token.n);
    text[n] = '\0';
    *ret_n = n;
    return text;
}

static bool add(struct pp_tokens *tokens, const char *scheme, struct pp_str token, struct pp_error *err)
{
    struct pp_str sent;
    char *text;
    bool ok;

    if (!is_sendable(token))
        return pp_error_set(err, PP_ERR_INVALID, "token %zu is empty, longer than %u bytes, or has control characters in it", tokens->n + 1,
                            PP_TOKEN_BYTES_MAX);
    text = as_sent(scheme, token, &sent.n);
    if (!text)
        return pp_error_nomem(err);
    sent.p = text;
    ok = pp_secret_digest_make(&sent, 1, &tokens->digests[tokens->n]) || pp_error_set(err, PP_ERR_INTERNAL, "no digest can be made");
    tokens->n++;
    if (tokens->n == 1) {
        tokens->first = text;
        tokens->first_n = sent.n;
    } else {
        pp_secret_wipe(text, sent.n);
        pp_free(text);
    }
    return ok;
}

bool pp_tokens_new(const char *scheme, const struct pp_str *tokens, size_t n, struct pp_tokens **ret, struct pp_error *err)
{
    struct pp_tokens *made;

    if (n == 0 || n > PP_TOKENS_MAX)
        return pp_error_set(err, PP_ERR_INVALID, n ? "more than %u tokens" : "no token", PP_TOKENS_MAX);
    made = pp_calloc(1, sizeof(*made) + n * sizeof(made->digests[0]));
    if (!made)
        return pp_error_nomem(err);
    atomic_init(&made->refs, 1);
    for (size_t i = 0; i < n; i++) {
        if (!add(made, scheme, tokens[i], err)) {
            pp_tokens_unref(made);
            return false;
        }
    }
    *ret = made;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The first word of each line into `to`, at most PP_TOKENS_MAX + 1 of them. */
static size_t split(struct pp_str content, struct pp_str *to)
{
    size_t n = 0;

    while (content.n > 0 && n <= PP_TOKENS_MAX) {
        const char *newline = memchr(content.p, '\n', content.n);
        struct pp_str line = {content.p, newline ? (size_t)(newline - content.p) : content.n};
        size_t used = newline ? line.n + 1 : line.n, word = 0;

        line = pp_str_trim(line);
        while (word < line.n && !is_blank(line.p[word]))
            word++;
        if (word > 0)
            to[n++] = (struct pp_str){line.p, word};
        content = (struct pp_str){content.p + used, content.n - used};
    }
    return n;
}

bool pp_tokens_parse(const char *scheme, struct pp_str content, struct pp_tokens **ret, struct pp_error *err)
{
    PP_AUTOFREE struct pp_str *words = pp_calloc(PP_TOKENS_MAX + 1, sizeof(*words));

    if (!words)
        return pp_error_nomem(err);
    return pp_tokens_new(scheme, words, split(content, words), ret, err);
}

struct pp_tokens *pp_tokens_ref(struct pp_tokens *tokens)
{
    if (tokens)
        atomic_fetch_add_explicit(&tokens->refs, 1, memory_order_relaxed);
    return tokens;
}

void pp_tokens_unref(struct pp_tokens *tokens)
{
    if (!tokens || atomic_fetch_sub_explicit(&tokens->refs, 1, memory_order_acq_rel) != 1)
        return;
    pp_secret_wipe(tokens->first, tokens->first_n);
    pp_free(tokens->first);
    pp_free(tokens);
}

struct pp_str pp_tokens_first(const struct pp_tokens *tokens)
{
    return (struct pp_str){tokens->first, tokens->first_n};
}

bool pp_tokens_match(const struct pp_tokens *tokens, struct pp_str value)
{
    struct pp_secret_digest digest;
    bool found = false;

    if (!pp_secret_digest_make(&value, 1, &digest))
        return false;
    for (size_t i = 0; i < tokens->n; i++)
        found |= pp_secret_digest_equal(&tokens->digests[i], &digest);
    return found;
}
