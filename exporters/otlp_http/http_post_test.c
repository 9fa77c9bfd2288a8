#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http_post.h"
#include "http_test_server.h"
#include "pipeline/exporter_base.h"

#define CALL_MS 20000 /* far more than any request here takes */

static struct pp_component owner = {.id = "otlp_http", .log_id = "exporter otlp_http"};
static uint64_t shutdown_deadline_ms = UINT64_MAX;

/* The exporter base's: this test drives the client alone. */
uint64_t pp_exporter_deadline(struct pp_component *self, uint64_t deadline_mono_ms)
{
    (void)self;
    return deadline_mono_ms < shutdown_deadline_ms ? deadline_mono_ms : shutdown_deadline_ms;
}

struct fixture {
    struct http_test_server *server;
    struct pp_http_client_config config;
    struct pp_otlp_url url;
    struct pp_http_post_options options;
    struct pp_http_poster *poster;
};

static void answer(struct fixture *f, const char *text)
{
    http_test_server_answer(f->server, pp_str_c(text), 0);
}

static void connect_to(struct fixture *f)
{
    char endpoint[64];

    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/", http_test_server_port(f->server));
    assert_true(pp_otlp_url_make(endpoint, NULL, NULL, &f->url, NULL));
    f->options = (struct pp_http_post_options){.owner = &owner,
                                               .config = &f->config,
                                               .url = &f->url,
                                               .content_type = "application/x-protobuf",
                                               .content_encoding = "gzip"};
    f->poster = pp_http_poster_new(&f->options, NULL);
    assert_non_null(f->poster);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.config = {PP_HTTP_CLIENT_DEFAULTS_BODY}};
    shutdown_deadline_ms = UINT64_MAX;
    f.server = http_test_server_new(NULL, NULL, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pp_http_poster_free(f->poster);
    pp_otlp_url_done(&f->url);
    http_test_server_free(f->server);
    return 0;
}

static void post(struct fixture *f, struct pp_http_answer *ret)
{
    pp_http_post(f->poster, PP_STR("bo\0dy"), pp_clock_mono_ms() + CALL_MS, ret);
}

static void assert_header(struct fixture *f, const char *line)
{
    if (!strcasestr(http_test_server_head(f->server), line)) {
        fail_msg("no \"%s\" in:\n%s", line, http_test_server_head(f->server));
    }
}

static void test_request(void **state)
{
    static const struct pp_string_pair headers[] = {
        {"X-Scope-OrgID", "tenant"}, {"empty", ""}, {"user-agent", "me"}};
    struct fixture *f = *state;
    struct pp_http_answer got;

    f->config.headers = (struct pp_string_map){headers, 3};
    connect_to(f);
    http_test_server_answer(f->server,
                            PP_STR("HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf; "
                                   "x=y\r\nContent-Length: 2\r\n\r\n\x0a\0"),
                            0);
    post(f, &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.content_type, "application/x-protobuf");
    assert_true(got.body_whole && pp_str_eq(got.body, PP_STR("\x0a\0")));
    assert_true(pp_str_eq(http_test_server_body(f->server), PP_STR("bo\0dy")));
    assert_memory_equal(http_test_server_head(f->server),
                        "POST /v1development/profiles HTTP/1.1\r\n", 39);
    assert_header(f, "\r\nContent-Type: application/x-protobuf\r\n");
    assert_header(f, "\r\nContent-Encoding: gzip\r\n");
    assert_header(f, "\r\notlp-profiles-development-version: 1\r\n");
    assert_header(f, "\r\nX-Scope-OrgID: tenant\r\n");
    assert_header(f, "\r\nempty:\r\n");
    assert_header(f, "\r\nuser-agent: me\r\n");
    assert_null(strcasestr(http_test_server_head(f->server), "profpipe/"));
    assert_null(strcasestr(http_test_server_head(f->server), "expect"));
}

static void test_connection_stays(void **state)
{
    struct fixture *f = *state;
    struct pp_http_answer got;

    connect_to(f);
    answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        post(f, &got);
        assert_int_equal(got.status, 200);
    }
    assert_int_equal(http_test_server_connections(f->server), 1);
    assert_int_equal(http_test_server_requests(f->server), 5);
}

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    struct pp_http_answer got;
    char text[256], date[64];
    time_t then = time(NULL) + 100;
    struct tm tm;

    connect_to(f);
    answer(f, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\nContent-Type: "
              "text/plain\r\n\r\nbusy");
    post(f, &got);
    assert_int_equal(got.status, 503);
    assert_int_equal(got.retry_after_ms, 7000);
    assert_true(pp_str_eq(got.body, PP_STR("busy")));

    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
    snprintf(text, sizeof(text),
             "HTTP/1.1 429 Slow down\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
    answer(f, text);
    post(f, &got);
    assert_int_equal(got.status, 429);
    assert_in_range(got.retry_after_ms, 90000, 100000);

    answer(f, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    post(f, &got);
    assert_int_equal(got.retry_after_ms, -1);
}

static void test_redirect_not_followed(void **state)
{
    struct fixture *f = *state;
    struct pp_http_answer got;

    connect_to(f);
    answer(f,
           "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n");
    post(f, &got);
    assert_int_equal(got.status, 307);
    assert_string_equal(got.redirect, "http://127.0.0.1:1/x");
    assert_int_equal(http_test_server_requests(f->server), 1);
}

static void test_long_answer_is_cut(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    struct fixture *f = *state;
    size_t n = sizeof(head) - 1 + PP_ANSWER_BYTES_MAX + 1000;
    char *text = calloc(1, n);
    struct pp_http_answer got;

    connect_to(f);
    memcpy(text, head, sizeof(head) - 1);
    http_test_server_answer(f->server, (struct pp_str){text, n}, 0);
    post(f, &got);
    assert_int_equal(got.status, 200);
    assert_false(got.body_whole);
    assert_true(got.body.n <= PP_ANSWER_BYTES_MAX);
    free(text);
}

static void test_no_answer(void **state)
{
    static const char *const answers[] = {
        NULL, "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nxx"};
    struct fixture *f = *state;
    struct pp_http_answer got;

    connect_to(f);
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        http_test_server_answer(f->server, pp_str_c(answers[i]), 0);
        post(f, &got);
        assert_int_equal(got.status, 0);
        assert_true(got.message[0] != '\0');
    }
}

static void test_deadline(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = pp_clock_mono_ms();
    struct pp_http_answer got;

    connect_to(f);
    http_test_server_answer(f->server, PP_STR("HTTP/1.1 200 OK\r\n\r\n"), 1500);
    pp_http_post(f->poster, PP_STR("x"), begin + 300, &got);
    assert_int_equal(got.status, 0);
    assert_in_range(pp_clock_mono_ms() - begin, 290, 1400);
}

static void test_cut_off_by_shutdown(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = pp_clock_mono_ms();
    struct pp_http_answer got;

    connect_to(f);
    http_test_server_answer(f->server, PP_STR("HTTP/1.1 200 OK\r\n\r\n"), 1800);
    shutdown_deadline_ms = begin + 300;
    post(f, &got);
    assert_int_equal(got.status, 0);
    assert_string_equal(got.message, "no answer by the deadline");
    assert_in_range(pp_clock_mono_ms() - begin, 290, 1700);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    struct pp_http_answer got;

    connect_to(f);
    pp_otlp_url_done(&f->url);
    assert_true(pp_otlp_url_make("http://127.0.0.1:1", NULL, NULL, &f->url, NULL));
    post(f, &got);
    assert_int_equal(got.status, 0);
    assert_non_null(strstr(got.message, "connect to 127.0.0.1 port 1"));
}

static void test_urls(void **state)
{
    static const struct {
        const char *endpoint, *profiles, *server_name;
        const char *url, *shown, *connect, *host; /* url NULL: refused */
    } rows[] = {
        {"http://a:4318", NULL, NULL, "http://a:4318/v1development/profiles",
         "http://a:4318/v1development/profiles", NULL, NULL},
        {"https://a/b/", NULL, NULL, "https://a/b/v1development/profiles",
         "https://a/b/v1development/profiles", NULL, NULL},
        {"http://a", "http://b/x?y=z", NULL, "http://b/x?y=z", "http://b/x", NULL, NULL},
        {NULL, "https://u:p@b/x", NULL, "https://u:p@b/x", "https://b/x", NULL, NULL},
        {"https://1.2.3.4:8443", NULL, "name", "https://name:8443/v1development/profiles",
         "https://1.2.3.4:8443/v1development/profiles", "name:8443:1.2.3.4:8443", "1.2.3.4:8443"},
        {"https://[::1]", NULL, "name", "https://name/v1development/profiles",
         "https://[::1]/v1development/profiles", "name:443:[::1]:443", "[::1]"},
        {"http://a", NULL, "name", "http://a/v1development/profiles",
         "http://a/v1development/profiles", NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
        {"", "", NULL, NULL, NULL, NULL, NULL},
        {"a:4318", NULL, NULL, NULL, NULL, NULL, NULL},
        {"ftp://a", NULL, NULL, NULL, NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL, NULL, NULL, NULL},
        {"http://a:99999", NULL, NULL, NULL, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pp_otlp_url url = {0};
        struct pp_error err = {0};
        bool ok =
            pp_otlp_url_make(rows[i].endpoint, rows[i].profiles, rows[i].server_name, &url, &err);

        if (ok != (rows[i].url != NULL)) {
            fail_msg("row %zu: %s", i, ok ? url.url : err.message);
        }
        if (ok) {
            assert_string_equal(url.url, rows[i].url);
            assert_string_equal(url.shown, rows[i].shown);
            assert_true(!url.connect == !rows[i].connect &&
                        (!url.connect || strcmp(url.connect, rows[i].connect) == 0));
            assert_true(!url.host == !rows[i].host &&
                        (!url.host || strcmp(url.host, rows[i].host) == 0));
        }
        pp_otlp_url_done(&url);
    }
}

static void test_illegal_headers(void **state)
{
    static const struct pp_string_pair bad[] = {
        {"a b", "x"}, {"", "x"}, {"a", "x\r\ny: z"}, {"a:", "x"}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct pp_string_map map = {&bad[i], 1};
        struct pp_error err = {0};

        assert_false(pp_http_headers_check(&map, &err));
        assert_int_equal(err.kind, PP_ERR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_answer_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_off_by_shutdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_illegal_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
