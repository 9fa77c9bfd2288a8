/* The HTTP/1 parser by itself; what it refuses over a socket is in http_server_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "net/http1.h"

#define HEADERS_MAX 8u

static int parse(const char *text, struct pp_arena *arena, struct pp_http1_head *head)
{
    struct pp_error err = {0};
    size_t n = strlen(text);
    int status;

    arena->bytes_limit = 1 << 20;
    status = pp_http1_parse_head(memcpy(pp_arena_alloc(arena, n), text, n), n, HEADERS_MAX, arena, head, &err);
    assert_int_equal(status != 0, err.message[0] != '\0');
    return status;
}

static void test_head_length(void **state)
{
    static const struct {
        struct pp_str text;
        size_t n;
    } cases[] = {
        {PP_STR(""), 0},
        {PP_STR("\r\n\r"), 0},
        {PP_STR("\r\n\r\n"), 4},
        {PP_STR("GET / HTTP/1.1\r\n"), 0},
        {PP_STR("GET / HTTP/1.1\r\nA: b\r\n\r\nbody\r\n\r\n"), 24},
        {PP_STR("GET / HTTP/1.1\n\n"), 0},   /* bare line feeds end nothing */
        {PP_STR("GET / HTTP/1.1\r\n\n"), 0}, /* nor does one of them */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t scanned = 0, n = 0;

        assert_int_equal(pp_http1_head_length(cases[i].text, &scanned), cases[i].n);
        scanned = 0;
        for (size_t k = 1; k <= cases[i].text.n && n == 0; k++)
            n = pp_http1_head_length((struct pp_str){cases[i].text.p, k}, &scanned);
        assert_int_equal(n, cases[i].n);
    }
}

static void test_head(void **state)
{
    struct pp_arena arena = {0};
    struct pp_http1_head head;

    (void)state;
    assert_int_equal(parse("POST /a/b?c=d?e HTTP/1.1\r\nHOST: h:80\r\nX-Empty:\r\nX-Blank: \t v w \t\r\nContent-Length: 18446744073709551615\r\n"
                           "Connection: foo , Close\r\n\r\n",
                           &arena, &head),
                     0);
    assert_true(pp_str_eq_c(head.method, "POST"));
    assert_true(pp_str_eq_c(head.path, "/a/b"));
    assert_true(pp_str_eq_c(head.query, "c=d?e"));
    assert_true(pp_str_eq_c(head.authority, "h:80"));
    assert_int_equal(head.version, 11);
    assert_int_equal(head.headers_n, 5);
    assert_true(pp_str_eq_c(head.headers[0].name, "host")); /* lower case */
    assert_int_equal(head.headers[1].value.n, 0);
    assert_true(pp_str_eq_c(head.headers[2].value, "v w"));
    assert_true(head.has_content_length && head.content_length == UINT64_MAX);
    assert_false(head.keep_alive);
    pp_arena_done(&arena);
}

static void test_refused_heads(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nb\x7f: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nb: c\x01\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n\r\n", 431},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_arena arena = {0};
        struct pp_http1_head head = {.version = 99};
        int status = parse(cases[i].text, &arena, &head);

        if (status != cases[i].status)
            fail_msg("%d, not %d: %s", status, cases[i].status, cases[i].text);
        assert_int_equal(head.version, 99); /* untouched */
        pp_arena_done(&arena);
    }
}

/* Reads a chunked body in steps; the content in `out`. */
static enum pp_http1_event read_chunked(struct pp_str in, size_t step, struct pp_buf *out, size_t *ret_left)
{
    const struct pp_http1_head head = {.chunked = true};
    enum pp_http1_event event = PP_HTTP1_MORE;
    struct pp_http1_body body;
    struct pp_str content;

    pp_http1_body_init(&body, &head);
    while (event == PP_HTTP1_MORE && in.n > 0) {
        struct pp_str part = {in.p, in.n < step ? in.n : step};
        size_t given = part.n;

        do {
            event = pp_http1_body_next(&body, &part, &content);
            if (event == PP_HTTP1_DATA)
                pp_buf_add_str(out, content);
        } while (event == PP_HTTP1_DATA);
        in.p += given - part.n;
        in.n -= given - part.n;
    }
    *ret_left = in.n;
    return event;
}

static void test_chunked_bodies(void **state)
{
    static const struct {
        struct pp_str text;
        enum pp_http1_event event;
        const char *content;
        size_t left;
    } cases[] = {
        {PP_STR("0\r\n\r\n"), PP_HTTP1_END, "", 0},
        {PP_STR("3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nNEXT"), PP_HTTP1_END, "abc0123456789", 4},
        {PP_STR("3;x=\"y\"\r\nabc\r\n0;z\r\nT: 1\r\nU: 2\r\n\r\n"), PP_HTTP1_END, "abc", 0},
        {PP_STR("3\r\nab"), PP_HTTP1_MORE, "ab", 0},
        {PP_STR("3\r\nabcd\r\n"), PP_HTTP1_BAD, "abc", 3},
        {PP_STR("3\nabc\r\n"), PP_HTTP1_BAD, "", 6},
        {PP_STR("\r\n"), PP_HTTP1_BAD, "", 2},
        {PP_STR("-1\r\n"), PP_HTTP1_BAD, "", 4},
        {PP_STR("fffffffffffffff0\r\n"), PP_HTTP1_BAD, "", 3},
        {PP_STR("0\r\nT: 1\n\r\n"), PP_HTTP1_BAD, "", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 40; step += 3) {
            struct pp_buf out;
            size_t left;

            pp_buf_init(&out, 1000);
            assert_int_equal(read_chunked(cases[i].text, step, &out, &left), cases[i].event);
            assert_true(pp_str_eq_c(pp_buf_str(&out), cases[i].content));
            assert_int_equal(left, cases[i].left);
            pp_buf_done(&out);
        }
    }
}

/* Extensions and trailers carry nothing: a body may not consist of them. */
static void test_chunk_noise_is_bounded(void **state)
{
    size_t n = PP_HTTP1_CHUNK_NOISE_MAX + 100, left;
    char *text = malloc(n);
    struct pp_buf out;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text, "1;", 2);
    pp_buf_init(&out, 1000);
    assert_int_equal(read_chunked((struct pp_str){text, n}, n, &out, &left), PP_HTTP1_BAD);
    memcpy(text, "0\r\n", 3);
    assert_int_equal(read_chunked((struct pp_str){text, n}, n, &out, &left), PP_HTTP1_BAD);
    pp_buf_done(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_length),    cmocka_unit_test(test_head),
        cmocka_unit_test(test_refused_heads),  cmocka_unit_test(test_chunked_bodies),
        cmocka_unit_test(test_chunk_noise_is_bounded),
    };

    return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
