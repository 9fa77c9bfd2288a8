/* Tokens, how they are compared, and the extension as servers and clients use it. Linked with --wrap=CRYPTO_memcmp, so that comparisons can be watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/decode.h"
#include "config/test_support.h"
#include "pipeline/auth.h"
#include "pipeline/secret_digest.h"
#include "tokens.h"

#define WAIT_MS 20000u

extern const struct pp_factory pp_bearertokenauth_extension_factory;
#define FACTORY pp_bearertokenauth_extension_factory

static size_t compares, odd_lengths;

int __real_CRYPTO_memcmp(const void *a, const void *b, size_t n);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n);

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n)
{
    compares++;
    odd_lengths += n != PP_SECRET_DIGEST_BYTES;
    return __real_CRYPTO_memcmp(a, b, n);
}

static struct pp_tokens *parse(const char *scheme, const char *text)
{
    struct pp_tokens *tokens;
    struct pp_error err = {0};

    if (!pp_tokens_parse(scheme, pp_str_c(text), &tokens, &err))
        fail_msg("%s", err.message);
    return tokens;
}

/* Whichever token comes, near or far from a right one, short or long: the same comparisons of the same lengths. */
static void comparisons_are_constant_in_form(void **state)
{
    static const char *const values[] = {"Bearer one", "Bearer two", "Bearer three", "Bearer onf", "Bearer on", "B", "", "Bearer one and more of the same"};
    struct pp_tokens *tokens = parse("Bearer", "one\ntwo\nthree\n");

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        compares = odd_lengths = 0;
        assert_int_equal(pp_tokens_match(tokens, pp_str_c(values[i])), i < 3);
        assert_int_equal(compares, 3);
        assert_int_equal(odd_lengths, 0);
    }
    pp_tokens_unref(tokens);
}

static void files_have_one_token_a_line(void **state)
{
    struct pp_tokens *tokens = parse("Bearer", "\n  one # of the first tenant\r\n\ttwo\tx\n\n three");

    (void)state;
    assert_true(pp_str_eq_c(pp_tokens_first(tokens), "Bearer one"));
    assert_true(pp_tokens_match(tokens, PP_STR("Bearer three")));
    assert_false(pp_tokens_match(tokens, PP_STR("Bearer #")));
    assert_false(pp_tokens_match(tokens, PP_STR("three")));
    assert_false(pp_tokens_match(tokens, PP_STR("bearer one")));
    pp_tokens_unref(tokens);
    tokens = parse("", "one");
    assert_true(pp_tokens_match(tokens, PP_STR("one")));
    pp_tokens_unref(tokens);
}

static void limits_hold(void **state)
{
    static const char *const bad[] = {"", "  \n\t\n", "a\001b", "a\x7f"};
    struct pp_tokens *tokens;
    struct pp_error err;
    struct pp_buf text;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(pp_tokens_parse("Bearer", pp_str_c(bad[i]), &tokens, &err));
        assert_null(strstr(err.message, "a\001")); /* secrets are not shown */
    }
    pp_buf_init(&text, 1 << 20);
    for (unsigned i = 0; i <= PP_TOKENS_MAX; i++)
        pp_buf_printf(&text, "t%u\n", i);
    assert_false(pp_tokens_parse("Bearer", pp_buf_str(&text), &tokens, &err));
    pp_buf_reset(&text);
    for (unsigned i = 0; i <= PP_TOKEN_BYTES_MAX; i++)
        pp_buf_add_byte(&text, 't');
    assert_false(pp_tokens_parse("Bearer", pp_buf_str(&text), &tokens, &err));
    text.len--;
    assert_true(pp_tokens_parse("Bearer", pp_buf_str(&text), &tokens, &err));
    pp_tokens_unref(tokens);
    pp_buf_done(&text);
}

/* ---- the extension ---- */

struct fixture {
    struct world world;
    struct pp_component *self;
};

static bool open_fixture(struct fixture *f, const char *yaml, struct pp_error *err)
{
    memset(f, 0, sizeof(*f));
    world_open(&f->world);
    f->self = pp_calloc(1, FACTORY.instance_size);
    f->self->factory = &FACTORY;
    f->self->id = "bearertokenauth";
    f->self->log_id = "extension bearertokenauth";
    f->self->config = pp_decode(&f->world.arena, FACTORY.config, world_read(&f->world, yaml), NULL, (struct pp_mark){0}, &f->world.diags);
    if (!f->self->config)
        fail_msg("%s", world_problems(&f->world));
    if (!FACTORY.create(f->self, err))
        fail_msg("%s", err->message);
    return FACTORY.start(f->self, err);
}

static void close_fixture(struct fixture *f)
{
    FACTORY.shutdown(f->self, 0);
    FACTORY.destroy(f->self);
    pp_free(f->self);
    world_close(&f->world);
}

static enum pp_auth_outcome try_request(struct fixture *f, const char *name, const char *value, const char *query)
{
    static const char *const params[] = {"token"};
    static const struct pp_string_list list = {params, 1};
    const struct pp_server_auth *server = FACTORY.interface(f->self, PP_OFFERS_SERVER_AUTH);
    struct pp_http_header header = {pp_str_c(name), pp_str_c(value)};
    struct pp_http_request request = {.headers = &header, .headers_n = name ? 1 : 0, .query = pp_str_c(query)};
    struct pp_auth_check check = {.request = &request, .request_params = &list};
    enum pp_auth_outcome outcome = server->check(server->component, &check);

    assert_int_equal(outcome, check.outcome);
    pp_arena_done(&request.arena);
    return outcome;
}

static void assert_sent(struct fixture *f, const char *name, const char *expected)
{
    const struct pp_client_auth *client = FACTORY.interface(f->self, PP_OFFERS_CLIENT_AUTH);
    struct pp_arena arena = {0};
    struct pp_header_set headers = {.arena = &arena};
    struct pp_error err = {0};

    assert_true(client->needs_tls);
    if (client->sign(client->component, NULL, &headers, &err))
        assert_true(pp_str_eq_c(pp_header_set_find(&headers, name)->value, expected));
    else
        assert_null(expected);
    assert_true(expected || err.kind == PP_ERR_IO);
    pp_arena_done(&arena);
}

static void servers_and_clients(void **state)
{
    struct pp_error err = {0};
    struct fixture f;

    (void)state;
    assert_true(open_fixture(&f, "{tokens: [one, two]}", &err));
    assert_int_equal(try_request(&f, "authorization", "Bearer two", NULL), PP_AUTH_ADMITTED);
    assert_int_equal(try_request(&f, "authorization", "Bearer three", NULL), PP_AUTH_REFUSED);
    assert_int_equal(try_request(&f, "authorization", "two", NULL), PP_AUTH_REFUSED);
    assert_int_equal(try_request(&f, NULL, NULL, NULL), PP_AUTH_REFUSED);
    assert_sent(&f, "authorization", "Bearer one");
    close_fixture(&f);
    assert_true(open_fixture(&f, "{token: 's p', scheme: '', header: Token}", &err));
    assert_int_equal(try_request(&f, "token", "s p", NULL), PP_AUTH_ADMITTED);
    assert_int_equal(try_request(&f, NULL, NULL, "a=1&token=s+p"), PP_AUTH_ADMITTED);
    assert_int_equal(try_request(&f, NULL, NULL, "TOKEN=s%20p&x"), PP_AUTH_ADMITTED);
    assert_int_equal(try_request(&f, NULL, NULL, "token=s%2"), PP_AUTH_REFUSED);
    assert_int_equal(try_request(&f, NULL, NULL, "token&=&&"), PP_AUTH_REFUSED);
    assert_int_equal(try_request(&f, "token", "wrong", "token=s+p"), PP_AUTH_REFUSED); /* the header counts */
    assert_sent(&f, "token", "s p");
    close_fixture(&f);
}

static void write_file(const char *path, const char *text)
{
    char part[4096];
    FILE *file;

    snprintf(part, sizeof(part), "%s.part", path);
    file = fopen(part, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(part, path), 0);
}

static bool await(struct fixture *f, const char *value, enum pp_auth_outcome outcome)
{
    for (unsigned i = 0; i < WAIT_MS / 50; i++, usleep(50000))
        if (try_request(f, "authorization", value, NULL) == outcome)
            return true;
    return false;
}

/* A file that comes late, is replaced as Kubernetes does it, breaks, and grows too long. */
static void files_are_read_again(void **state)
{
    char dir[] = "/tmp/bearer-XXXXXX", path[64], one[64], two[64], link[64], yaml[256];
    struct pp_error err = {0};
    struct fixture f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/token", dir);
    snprintf(one, sizeof(one), "%s/one", dir);
    snprintf(two, sizeof(two), "%s/two", dir);
    snprintf(link, sizeof(link), "%s/link", dir);
    snprintf(yaml, sizeof(yaml), "{filename: %s}", path);
    assert_false(open_fixture(&f, yaml, &err));
    assert_non_null(strstr(err.message, path));
    close_fixture(&f);
    snprintf(yaml, sizeof(yaml), "{filename: %s, retry_on_failure: {enabled: true, max_retries: 2, interval: 10ms}, wait_for_token_file: true}", path);
    assert_false(open_fixture(&f, yaml, &err));
    close_fixture(&f);
    snprintf(yaml, sizeof(yaml), "{filename: %s, retry_on_failure: {enabled: true, interval: 1s}}", path);
    assert_true(open_fixture(&f, yaml, &err));
    assert_int_equal(try_request(&f, "authorization", "Bearer one", NULL), PP_AUTH_REFUSED);
    assert_sent(&f, "authorization", NULL);
    write_file(one, "one");
    write_file(two, "two");
    assert_int_equal(symlink(one, path), 0);
    assert_true(await(&f, "Bearer one", PP_AUTH_ADMITTED));
    assert_sent(&f, "authorization", "Bearer one");
    assert_int_equal(symlink(two, link), 0);
    assert_int_equal(rename(link, path), 0);
    assert_true(await(&f, "Bearer two", PP_AUTH_ADMITTED));
    assert_int_equal(try_request(&f, "authorization", "Bearer one", NULL), PP_AUTH_REFUSED);
    write_file(two, " \n");
    usleep(1200000);
    assert_int_equal(try_request(&f, "authorization", "Bearer two", NULL), PP_AUTH_ADMITTED);
    close_fixture(&f);
    unlink(path);
    unlink(one);
    unlink(two);
    assert_int_equal(rmdir(dir), 0);
}

static void wrong_configurations(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {"{}", "no bearer token provided"},
        {"{token: a, tokens: [b]}", "tokens: give either tokens or token"},
        {"{token: a, header: 'a b'}", "header: \"a b\" cannot be the name of a header"},
        {"{token: a, header: ''}", "header: must not be empty"},
        {"{token: a, scheme: \"a\\r\\nb\"}", "scheme: the value for header"},
        {"{token: a, retry_on_failure: {enabled: true, interval: 1s}}", "retry_on_failure: requires filename"},
        {"{filename: a, retry_on_failure: {enabled: true}}", "interval: must be more than 0"},
        {"{filename: a, wait_for_token_file: true}", "wait_for_token_file: requires retry_on_failure"},
        {"{token: a, wait_for_token_file: true}", "wait_for_token_file: requires filename"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;

        world_open(&world);
        assert_null(pp_decode(&world.arena, FACTORY.config, world_read(&world, cases[i].yaml), NULL, (struct pp_mark){0}, &world.diags));
        if (!strstr(world_problems(&world), cases[i].problem))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].problem, world_problems(&world));
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_are_constant_in_form),
        cmocka_unit_test(files_have_one_token_a_line),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(servers_and_clients),
        cmocka_unit_test(files_are_read_again),
        cmocka_unit_test(wrong_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
