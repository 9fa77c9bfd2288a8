#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "h1_answer.h"

/* Gives the text in pieces of `step` bytes, until something has come out. */
static enum pp_h1_event feed(struct pp_h1_answer *reader, struct pp_str text, size_t step)
{
    enum pp_h1_event event = PP_H1_MORE;

    while (event == PP_H1_MORE && text.n > 0) {
        size_t n = text.n < step ? text.n : step;
        char *piece = malloc(n); /* so that the sanitizer sees a read past it */

        memcpy(piece, text.p, n);
        event = pp_h1_answer_take(reader, (struct pp_str){piece, n});
        free(piece);
        text = (struct pp_str){text.p + n, text.n - n};
    }
    return event;
}

static void test_answers(void **state)
{
    static const struct {
        struct pp_str text;
        bool ends; /* with the connection */
        long status;
        const char *body, *type, *redirect;
        int64_t retry_after_ms;
        bool keep_alive;
    } rows[] = {
        {PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), false, 200, "", "", "", -1, true},
        {PP_STR("HTTP/1.1 200\r\nContent-Length: 2\r\nContent-Type: a/b ; c=d\r\n\r\nhi"), false, 200, "hi", "a/b", "", -1, true},
        {PP_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\nT: x\r\n\r\n"), false, 200, "hi yo", "", "", -1,
         true},
        {PP_STR("HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\nContent-Length: 7\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), false, 200, "hi", "", "", -1, false},
        {PP_STR("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n"), false, 200, "", "", "", -1, false},
        {PP_STR("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), false, 200, "", "", "", -1, false},
        {PP_STR("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), false, 200, "", "", "", -1, true},
        {PP_STR("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), false, 204, "", "", "", -1, true},
        {PP_STR("HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Soon\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), false, 200, "x", "", "", -1,
         true},
        {PP_STR("HTTP/1.1 200 OK\r\n\r\nto the end"), true, 200, "to the end", "", "", -1, false},
        {PP_STR("HTTP/1.1 307 There\r\nLocation: http://a/b\r\nContent-Length: 0\r\n\r\n"), false, 307, "", "", "http://a/b", -1, true},
        {PP_STR("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"), false, 503, "", "", "", 7000, true},
        {PP_STR("HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n"), false, 503, "", "", "", -1, true},
        {PP_STR("HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n"), false, 503, "", "", "", -1, true},
        {PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), false, 200, "hi", "", "", -1, true},
    };
    struct pp_h1_answer reader;

    (void)state;
    pp_h1_answer_init(&reader);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (size_t step = 1; step <= rows[i].text.n; step = step == 1 ? 3 : step == 3 ? rows[i].text.n : step + 1) {
            enum pp_h1_event event;

            pp_h1_answer_reset(&reader);
            event = feed(&reader, rows[i].text, step);
            if (rows[i].ends) {
                assert_int_equal(event, PP_H1_MORE);
                event = pp_h1_answer_end(&reader);
            }
            if (event != PP_H1_DONE || reader.answer.status != rows[i].status) {
                fail_msg("row %zu, step %zu: event %d, status %ld: %s", i, step, event, reader.answer.status, reader.answer.message);
            }
            assert_true(reader.answer.body_whole && pp_str_eq_c(reader.answer.body, rows[i].body));
            assert_string_equal(reader.answer.content_type, rows[i].type);
            assert_string_equal(reader.answer.redirect, rows[i].redirect);
            assert_int_equal(reader.answer.retry_after_ms, rows[i].retry_after_ms);
            assert_int_equal(reader.keep_alive, rows[i].keep_alive);
        }
    }
    pp_h1_answer_done(&reader);
}

static void test_bad(void **state)
{
    static const struct pp_str rows[] = {
        PP_STR("garbage\r\n\r\n"),
        PP_STR("HTTP/2 200 OK\r\n\r\n"),
        PP_STR("HTTP/1.1 2x0 OK\r\n\r\n"),
        PP_STR("HTTP/1.1 2000 OK\r\n\r\n"),
        PP_STR("HTTP/1.1 099 OK\r\n\r\n"),
        PP_STR("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        PP_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        PP_STR("HTTP/1.1 200 OK\nA: b\r\n\r\n"),
    };
    struct pp_h1_answer reader;

    (void)state;
    pp_h1_answer_init(&reader);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        pp_h1_answer_reset(&reader);
        if (feed(&reader, rows[i], 5) != PP_H1_BAD || reader.answer.status != 0 || !reader.answer.message[0]) {
            fail_msg("row %zu is taken for an answer: %ld", i, reader.answer.status);
        }
    }
    pp_h1_answer_reset(&reader);
    assert_int_equal(pp_h1_answer_end(&reader), PP_H1_BAD);
    assert_non_null(strstr(reader.answer.message, "without an answer"));
    pp_h1_answer_reset(&reader);
    feed(&reader, PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx"), 100);
    assert_int_equal(pp_h1_answer_end(&reader), PP_H1_BAD);
    assert_non_null(strstr(reader.answer.message, "middle"));
    pp_h1_answer_done(&reader);
}

/* What never ends is ended. */
static void test_limits(void **state)
{
    static const struct pp_str interim = PP_STR("HTTP/1.1 100 Go on\r\n\r\n");
    struct pp_h1_answer reader;
    size_t n = PP_ANSWER_BYTES_MAX + 1000;
    char *much = calloc(1, n);

    (void)state;
    pp_h1_answer_init(&reader);
    for (unsigned i = 0; i < PP_H1_ANNOUNCED_MAX; i++) {
        assert_int_equal(feed(&reader, interim, 7), PP_H1_MORE);
    }
    assert_int_equal(feed(&reader, interim, 7), PP_H1_BAD);

    pp_h1_answer_reset(&reader);
    assert_int_equal(feed(&reader, PP_STR("HTTP/1.1 200 OK\r\nA: "), 100), PP_H1_MORE);
    memset(much, 'x', n);
    assert_int_equal(feed(&reader, (struct pp_str){much, n}, 10000), PP_H1_BAD);

    pp_h1_answer_reset(&reader);
    assert_int_equal(feed(&reader, PP_STR("HTTP/1.1 200 OK\r\n\r\n"), 100), PP_H1_MORE);
    assert_int_equal(feed(&reader, (struct pp_str){much, n}, 10000), PP_H1_DONE);
    assert_false(reader.answer.body_whole || reader.keep_alive);
    assert_int_equal(reader.answer.body.n, PP_ANSWER_BYTES_MAX);
    /* More than was asked for: the connection is not to be used again. */
    pp_h1_answer_reset(&reader);
    assert_int_equal(feed(&reader, PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1"), 100), PP_H1_DONE);
    assert_false(reader.keep_alive);
    pp_h1_answer_done(&reader);
    free(much);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
