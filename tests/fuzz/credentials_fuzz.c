/* What authentication reads: htpasswd files, token files, and what a stranger sends in the Authorization header. First byte: which. A table that is taken
 * finds every user that it has, and a file of tokens takes its own first one. */
#include <stdlib.h>

#include "basicauth/basic_header.h"
#include "basicauth/htpasswd.h"
#include "basicauth/password_hash.h"
#include "bearertokenauth/tokens.h"

#define ARENA_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

/* Quick forms only: the others are libcrypt's, and slow on purpose. */
static void check_password(const struct pp_htpasswd_entry *entry)
{
    REQUIRE(entry->password.p[entry->password.n] == '\0');
    if (pp_password_is_usable(entry->password) && !pp_password_is_slow(entry->password))
        pp_password_matches(entry->password, PP_STR("secret"));
}

static void read_htpasswd(struct pp_str in)
{
    struct pp_htpasswd *table;
    struct pp_error err = {0};
    const struct pp_htpasswd_entry *entry;
    size_t ignored;

    if (!pp_htpasswd_parse(in, PP_STR("own:{PLAIN}secret"), &table, &ignored, &err)) {
        REQUIRE(err.kind != PP_ERR_NONE);
        return;
    }
    REQUIRE(pp_htpasswd_users(table) >= 1 && pp_htpasswd_users(table) <= PP_HTPASSWD_USERS_MAX);
    entry = pp_htpasswd_find(table, PP_STR("own"));
    REQUIRE(entry && pp_password_matches(entry->password, PP_STR("secret")));
    for (const char *line = in.p, *end = in.p + in.n; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line)), *colon = memchr(line, ':', (size_t)((stop ? stop : end) - line));

        entry = colon ? pp_htpasswd_find(table, pp_str_trim((struct pp_str){line, (size_t)(colon - line)})) : NULL;
        if (entry)
            check_password(entry);
        line = stop ? stop + 1 : end;
    }
    pp_htpasswd_decoy(table);
    pp_htpasswd_unref(table);
}

static void read_tokens(struct pp_str in)
{
    struct pp_tokens *tokens;
    struct pp_error err = {0};

    if (!pp_tokens_parse("Bearer", in, &tokens, &err)) {
        REQUIRE(err.kind != PP_ERR_NONE);
        return;
    }
    REQUIRE(pp_tokens_match(tokens, pp_tokens_first(tokens)));
    REQUIRE(!pp_tokens_match(tokens, PP_STR("")));
    pp_tokens_match(tokens, in);
    pp_tokens_unref(tokens);
}

/* What is understood is what we would send for it, but for base64's freedoms. */
static void read_header(struct pp_str in)
{
    struct pp_arena arena = {.bytes_limit = ARENA_BYTES_MAX};
    struct pp_basic_credentials credentials, again;
    struct pp_error err;
    struct pp_str text;

    if (pp_basic_parse(&arena, in, &credentials) && pp_basic_format(&arena, credentials.user, credentials.password, &text, &err)) {
        REQUIRE(pp_basic_parse(&arena, text, &again));
        REQUIRE(pp_str_eq(again.user, credentials.user) && pp_str_eq(again.password, credentials.password));
    }
    pp_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_str in;

    if (size == 0)
        return 0;
    in = (struct pp_str){(const char *)data + 1, size - 1};
    if (data[0] % 3 == 0)
        read_htpasswd(in);
    else if (data[0] % 3 == 1)
        read_tokens(in);
    else
        read_header(in);
    return 0;
}
