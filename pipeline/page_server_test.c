/* The page server over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/test_server.h"
#include "pipeline/page_server.h"

static const struct pp_http_server_config config = {
    PP_HTTP_SERVER_DEFAULTS_BODY,
    .endpoint = "127.0.0.1:0",
    .response_headers = {.v = (struct pp_string_pair[]){{"x-extra", "yes"}}, .n = 1},
};

static char suffix[] = "!"; /* what pages are given as their context */

static bool page(void *context, struct pp_str path, struct pp_page *page)
{
    if (pp_str_eq_c(path, "/none")) {
        pp_buf_add_c(&page->body, "half a page");
        return false;
    }
    if (pp_str_eq_c(path, "/huge")) {
        page->body.failed = true; /* as after a write past PP_PAGE_BYTES_MAX */
    } else if (pp_str_eq_c(path, "/busy")) {
        page->status = 503;
        page->content_type = "text/plain";
        pp_buf_add_c(&page->body, "not now");
    } else if (!pp_str_eq_c(path, "/empty")) {
        pp_html_add(&page->body, path);
        pp_buf_add_c(&page->body, context);
    }
    return true;
}

struct fixture {
    struct pp_loop_pool loops;
    struct pp_page_server *server;
    struct test_server at; /* only the port */
};

static void open_fixture(struct fixture *f)
{
    struct pp_error err = {0};

    *f = (struct fixture){0};
    assert_true(pp_loop_pool_init(&f->loops, 1, "test", &err));
    f->server = pp_page_server_start(&config, NULL, "extension test", &f->loops, page, suffix, &err);
    if (!f->server)
        fail_msg("%s", err.message);
    f->at.port = (unsigned)atoi(strrchr(pp_page_server_address(f->server), ':') + 1);
}

static void close_fixture(struct fixture *f)
{
    pp_page_server_stop(f->server, pp_clock_mono_ms() + 1000);
    pp_loop_pool_done(&f->loops);
}

static const struct {
    const char *request, *has[3], *has_not;
} cases[] = {
    {"GET /a?q=1", {"HTTP/1.1 200", "content-type: text/html; charset=utf-8", "\r\n\r\n/a!"}, NULL},
    {"GET /<&\">", {"HTTP/1.1 200", "/&lt;&amp;&quot;&gt;!", "x-extra: yes"}, "/<"},
    {"HEAD /a", {"HTTP/1.1 200", "content-length: 3", "\r\n\r\n"}, "/a!"},
    {"GET /empty", {"HTTP/1.1 200", "content-length: 0", "x-extra: yes"}, NULL},
    {"GET /none", {"HTTP/1.1 404", "404 page not found", "text/plain"}, "half"},
    {"GET /busy", {"HTTP/1.1 503", "not now", "text/plain"}, NULL},
    {"GET /huge", {"HTTP/1.1 503", "content-length: 0", "x-extra: yes"}, NULL},
    {"POST /a", {"HTTP/1.1 405", "allow: GET, HEAD", "405 method not allowed"}, "/a!"},
};

static void test_answers(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        char *answer;

        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", cases[i].request);
        answer = test_talk(&f.at, text);
        for (size_t j = 0; j < 3; j++)
            if (!strstr(answer, cases[i].has[j]))
                fail_msg("%s: no \"%s\" in\n%s", cases[i].request, cases[i].has[j], answer);
        if (cases[i].has_not && strstr(answer, cases[i].has_not))
            fail_msg("%s: \"%s\" in\n%s", cases[i].request, cases[i].has_not, answer);
        free(answer);
    }
    close_fixture(&f);
}

static void test_taken_address_is_one_line(void **state)
{
    struct pp_http_server_config taken = config;
    struct fixture f;
    struct pp_error err = {0};

    (void)state;
    open_fixture(&f);
    taken.endpoint = pp_page_server_address(f.server);
    assert_null(pp_page_server_start(&taken, NULL, "extension other", &f.loops, page, suffix, &err));
    assert_non_null(strstr(err.message, taken.endpoint));
    assert_null(strchr(err.message, '\n'));
    close_fixture(&f);
}

static void test_stop_accepts_null(void **state)
{
    (void)state;
    pp_page_server_stop(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_taken_address_is_one_line),
        cmocka_unit_test(test_stop_accepts_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
