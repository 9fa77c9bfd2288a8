/* Requests whose sender must be known first: admitted, refused, or held until somebody says, over both protocols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_h2.h"

#define LATER_US 30000
#define MAX_HELD 8

static struct pp_http_request *_Atomic held[MAX_HELD];

static void refuse(struct pp_http_request *request)
{
    static const struct pp_http_header challenge = {{"www-authenticate", 16}, {"Test", 4}};
    struct pp_grpc_status status = {PP_GRPC_UNAUTHENTICATED, PP_STR("who are you"), PP_GRPC_NO_RETRY_DELAY};

    if (request->grpc)
        pp_grpc_respond(request, &status, NULL);
    else
        pp_http_respond(request, &(struct pp_http_response){401, &challenge, 1, pp_bytes_copy(PP_STR("who are you"))});
}

static void *decide_later(void *arg)
{
    struct pp_http_request *request = arg;

    usleep(LATER_US);
    if (pp_str_eq_c(pp_http_request_header(request, "x-user"), "later"))
        pp_http_request_admit(request);
    else
        refuse(request);
    return NULL;
}

/* Admits "yes", refuses without the header, and leaves "later", "later-no" to a thread and "held" to the test. */
static enum pp_http_admission authenticate(void *context, struct pp_http_request *request)
{
    struct pp_str user = pp_http_request_header(request, "x-user");
    pthread_t thread;

    (void)context;
    if (pp_str_eq_c(user, "yes"))
        return PP_HTTP_ADMITTED;
    if (pp_str_eq_c(user, "held")) {
        for (size_t i = 0; i < MAX_HELD; i++) {
            struct pp_http_request *none = NULL;

            if (atomic_compare_exchange_strong(&held[i], &none, request))
                return PP_HTTP_HELD;
        }
        abort();
    }
    if (user.n == 0) {
        refuse(request);
        return PP_HTTP_ANSWERED;
    }
    if (pthread_create(&thread, NULL, decide_later, request) != 0)
        abort();
    pthread_detach(thread);
    return PP_HTTP_HELD;
}

static void await_held(size_t n)
{
    size_t seen = 0;

    for (int i = 0; i < TEST_TIMEOUT_MS && seen < n; i++) {
        seen = 0;
        for (size_t k = 0; k < MAX_HELD; k++)
            seen += atomic_load(&held[k]) != NULL;
        usleep(1000);
    }
    assert_int_equal(seen, n);
}

/* Waits until `n` requests are held, then lets them all in or answers them. */
static void decide(size_t n, bool admitted)
{
    await_held(n);
    for (size_t k = 0; k < MAX_HELD; k++) {
        struct pp_http_request *request = atomic_exchange(&held[k], NULL);

        if (request && admitted)
            pp_http_request_admit(request);
        else if (request)
            refuse(request);
    }
}

static void start(struct test_server *t)
{
    test_server_init(t, 1);
    t->handler.authenticate = authenticate;
    test_server_start(t);
}

static void assert_talk(const struct test_server *t, const char *text, const char *expected)
{
    char *answer = test_talk(t, text);

    if (!strstr(answer, expected))
        fail_msg("\"%s\" is not in the answer to\n%s\nwhich is\n%s", expected, text, answer);
    free(answer);
}

#define REQUEST(user, rest) "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-User: " user "\r\n" rest

static void test_h1(void **state)
{
    struct test_server t;

    (void)state;
    start(&t);
    assert_talk(&t, REQUEST("yes", "Content-Length: 3\r\n\r\nabc"), "\r\n\r\nabc");
    assert_talk(&t, REQUEST("later", "Content-Length: 3\r\n\r\nabc"), "\r\n\r\nabc");
    assert_talk(&t, REQUEST("later", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "\r\n\r\nabc");
    assert_talk(&t, REQUEST("later", "Content-Length: 0\r\n\r\n"), "body=0");
    assert_talk(&t, REQUEST("later", "\r\n"), "body=0");
    assert_talk(&t, REQUEST("later", "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na"), "100 Continue");
    assert_talk(&t, "POST /echo HTTP/1.1\r\nHost: h\r\nX-User: later\r\nContent-Length: 3\r\n\r\nabc" REQUEST("later", "Content-Length: 3\r\n\r\ndef"),
                "\r\n\r\ndef");
    assert_int_equal(t.requests_seen, 8);
    /* on_headers still has its say. */
    assert_talk(&t, "POST /refused HTTP/1.1\r\nHost: h\r\nX-User: later\r\nConnection: close\r\n\r\n", "HTTP/1.1 403");
    assert_int_equal(t.headers_seen, 9);
    test_server_stop(&t);
}

/* The answer comes although not one byte of the huge body was sent; the handler never hears of the request. */
static void test_h1_refused(void **state)
{
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nX-User: later-no\r\nContent-Length: 100000000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nX-User: later-no\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n",
        "GET /refused HTTP/1.1\r\nHost: h\r\nX-User: later-no\r\n\r\n",
    };
    struct test_server t;

    (void)state;
    start(&t);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char *answer = test_talk(&t, requests[i]);

        assert_non_null(strstr(answer, "HTTP/1.1 401"));
        assert_non_null(strstr(answer, "www-authenticate: Test\r\n"));
        assert_null(strstr(answer, "100 Continue"));
        free(answer);
    }
    assert_int_equal(t.headers_seen + t.requests_seen, 0);
    test_server_stop(&t);
}

/* Writes without waiting until the peer takes no more for a while. */
static size_t write_until_stuck(int fd)
{
    static const char zeros[65536];
    size_t sent = 0;

    for (;;) {
        struct pollfd p = {fd, POLLOUT, 0};
        ssize_t n;

        if (poll(&p, 1, 300) == 0)
            return sent;
        n = send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return sent;
        sent += (size_t)n;
        if (sent > (64u << 20))
            fail_msg("the body of a held request is read");
    }
}

static void test_h1_is_not_read_while_held(void **state)
{
    enum { BODY = 64 << 20 };
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-User: held\r\nContent-Length: 67108864\r\n\r\n";
    struct test_server t;
    size_t sent, n = 0;
    char *answer, *rest;
    int fd;

    (void)state;
    test_server_init(&t, 1);
    t.handler.authenticate = authenticate;
    t.options.body_bytes_max = BODY;
    t.options.inflight_bytes_max = 2 * BODY;
    test_server_start(&t);
    fd = test_connect(&t);
    test_send(fd, PP_STR(head));
    sent = write_until_stuck(fd);
    assert_int_equal(t.headers_seen, 0);
    decide(1, true);
    rest = calloc(1, BODY - sent);
    test_send(fd, (struct pp_str){rest, BODY - sent});
    free(rest);
    answer = test_read_all(fd, SIZE_MAX / 2, &n);
    assert_true(n > BODY);
    assert_non_null(strstr(answer, "body=67108864"));
    free(answer);
    close(fd);
    test_server_stop(&t);
}

/* Peers that go while they wait, and a server that stops meanwhile. */
static void test_gone_while_held(void **state)
{
    struct test_server t;
    int fd;

    (void)state;
    start(&t);
    fd = test_connect(&t);
    test_send(fd, PP_STR(REQUEST("held", "Content-Length: 3\r\n\r\nabc")));
    close(fd);
    decide(1, true);
    fd = test_connect(&t);
    test_send(fd, PP_STR(REQUEST("held", "Content-Length: 3\r\n\r\nab")));
    shutdown(fd, SHUT_WR);
    decide(1, true);
    char *answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    assert_non_null(strstr(answer, "HTTP/1.1 400"));
    free(answer);
    close(fd);
    fd = test_connect(&t);
    test_send(fd, PP_STR(REQUEST("held", "Content-Length: 3\r\n\r\nabc")));
    await_held(1);
    pp_http_server_stop(t.server, 50);
    decide(1, true);
    close(fd);
    test_server_stop(&t);
}

#define MESSAGE PP_STR("\0\0\0\0\3abc")

static void assert_calls(struct test_h2 *h2, const char *grpc_status)
{
    test_h2_run(h2, test_h2_all_closed);
    for (size_t i = 0; i < h2->calls_n; i++) {
        assert_string_equal(h2->calls[i].grpc_status, grpc_status);
        if (strcmp(grpc_status, "0") == 0)
            assert_int_equal(h2->calls[i].body.len, MESSAGE.n);
    }
}

static void test_h2(void **state)
{
    static const char *const users[] = {"yes", "later", "later", "yes", "later"};
    struct test_server t;
    struct test_h2 h2;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    for (size_t i = 0; i < 5; i++)
        test_h2_call(&h2, "/t.T/Echo", MESSAGE, false, "x-user", users[i], NULL);
    assert_calls(&h2, "0");
    /* The connection goes on. */
    test_h2_call(&h2, "/t.T/Echo", MESSAGE, false, "x-user", "later", NULL);
    assert_calls(&h2, "0");
    assert_int_equal(t.requests_seen, 6);
    test_h2_close(&h2);
    test_server_stop(&t);
}

static void test_h2_refused(void **state)
{
    struct test_server t;
    struct test_h2 h2;

    (void)state;
    start(&t);
    test_h2_open(&h2, &t, true);
    /* No END_STREAM: more of the body would follow. */
    test_h2_call(&h2, "/t.T/Echo", PP_STR(""), true, "x-other", "1", NULL);
    test_h2_call(&h2, "/t.T/Echo", PP_STR(""), true, "x-user", "later-no", NULL);
    test_h2_call(&h2, "/t.T/Echo", MESSAGE, false, "x-user", "later-no", NULL);
    assert_calls(&h2, "16");
    assert_int_equal(t.headers_seen + t.requests_seen, 0);
    test_h2_close(&h2);
    /* Several held at once, then the connection breaks. */
    test_h2_open(&h2, &t, true);
    for (int i = 0; i < 3; i++)
        test_h2_call(&h2, "/t.T/Echo", MESSAGE, false, "x-user", "held", NULL);
    test_h2_flush(&h2);
    await_held(3);
    test_h2_close(&h2);
    decide(3, true);
    test_server_stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1),
        cmocka_unit_test(test_h1_refused),
        cmocka_unit_test(test_h1_is_not_read_while_held),
        cmocka_unit_test(test_gone_while_held),
        cmocka_unit_test(test_h2),
        cmocka_unit_test(test_h2_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
