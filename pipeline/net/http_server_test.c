#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/test_server.h"

#define CURL "curl -sS --max-time 10 --noproxy '*' "

static atomic_uint protections[PP_HTTP_PROTECTIONS];

static void assert_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("\"%s\" is not in:\n%.1000s", part, text ? text : "");
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%.1000s", part, text);
}

static struct test_server *start(struct test_server *t, size_t loops)
{
    test_server_init(t, loops);
    test_server_start(t);
    return t;
}

static void check(char *answer, const char *part)
{
    assert_has(answer, part);
    free(answer);
}

/* curl speaks both versions: methods, bodies, queries, late answers. */
static void test_curl(void **state)
{
    static const struct {
        const char *flags, *path, *part;
    } cases[] = {
        {"--http1.1 -d hello", "/echo?a=b&c", "x-seen: POST v11 q=a=b&c"},
        {"--http1.1 -d hello", "/echo", "\r\n\r\nhello"},
        {"--http1.1 -H 'Transfer-Encoding: chunked' -d hello", "/echo", "body=5"},
        {"--http1.1 -H 'Expect: 100-continue' -d hello", "/echo", "100 Continue"},
        {"--http1.0 -d hello", "/echo", "v10"},
        {"--http1.1 -I", "/echo", "x-seen: HEAD v11"},
        {"--http1.1 -X PUT -d x", "/later", "x-seen: PUT"},
        {"--http1.1", "/nowhere", "404 Not Found"},
        {"--http1.1 -d data", "/refused", "403 Forbidden"},
        {"--http2-prior-knowledge -d hello", "/echo?a=b", "x-seen: POST v20 q=a=b"},
        {"--http2-prior-knowledge -d hello", "/echo", "\r\n\r\nhello"},
        {"--http2-prior-knowledge -I", "/echo", "x-seen: HEAD v20"},
        {"--http2-prior-knowledge -d hello", "/later", "x-seen: POST"},
        {"--http2-prior-knowledge", "/nowhere", "HTTP/2 404"},
        {"--http2-prior-knowledge -d data", "/refused", "HTTP/2 403"},
    };
    struct test_server t;

    (void)state;
    start(&t, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(test_run(0, CURL "-i %s 'http://127.0.0.1:%u%s'", cases[i].flags, t.port, cases[i].path), cases[i].part);
    test_server_stop(&t);
}

static void test_bodies_of_many_sizes(void **state)
{
    static const unsigned sizes[] = {0, 1, 16383, 65536, 262144, 262145, 5000000};
    static const char *const flags[] = {"--http1.1", "--http1.1 -H 'Transfer-Encoding: chunked'", "--http2-prior-knowledge"};
    struct test_server t;

    (void)state;
    start(&t, 1);
    for (size_t f = 0; f < 3; f++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            check(test_run(0,
                           "f=$(mktemp); g=$(mktemp); head -c %u /dev/urandom > $f; " CURL
                           "%s --data-binary @$f http://127.0.0.1:%u/echo -o $g && cmp $f $g && echo same; rm $f $g",
                           sizes[i], flags[f], t.port),
                  "same");
    test_server_stop(&t);
}

static void test_big_answer(void **state)
{
    struct test_server t;

    (void)state;
    start(&t, 1);
    check(test_run(0, CURL "--http1.1 http://127.0.0.1:%u/big | wc -c", t.port), "8388608");
    check(test_run(0, CURL "--http2-prior-knowledge http://127.0.0.1:%u/big | wc -c", t.port), "8388608");
    check(test_run(0, CURL "--limit-rate 40M --http2-prior-knowledge http://127.0.0.1:%u/big | wc -c", t.port), "8388608");
    test_server_stop(&t);
}

/* Raw HTTP/1: one text in, what must be in the answer and what must not. */
static void test_raw_h1(void **state)
{
    static const struct {
        const char *text, *part, *not;
    } cases[] = {
        {"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "connection: close"},
        {"\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "400"},
        {"GET /echo HTTP/1.0\r\n\r\n", "connection: close\r\n", "keep-alive"},
        {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "connection: keep-alive\r\n", "close"},
        {"GET http://h.example/echo?x HTTP/1.1\r\nHost: y\r\n\r\n", "q=x a=h.example ", "400"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET /nope HTTP/1.1\r\nHost: x\r\n\r\n", "404", "400"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nab\r\n0\r\nTrailer: x\r\n\r\n"
         "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n",
         "body=2", "400"},
        /* what could be read two ways */
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nab", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400", "200"},
        {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nA: 1\r\n folded\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\n\tA: 1\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\nHost: x\n\n\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/1.1\r\n\r\n", "400", "200"},
        {"GET /echo HTTP/2.0\r\nHost: x\r\n\r\n", "505", "200"},
        {"GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n", "400", "200"},
        {"GET /echo#f HTTP/1.1\r\nHost: x\r\n\r\n", "400", "200"},
        {"G\x01T /echo HTTP/1.1\r\nHost: x\r\n\r\n", "400", "200"},
        {"echo /echo\r\n\r\n", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n", "400", "200"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "400", "200"},
        /* cut off in the middle */
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", "400", "200"},
    };
    struct test_server t;

    (void)state;
    start(&t, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *answer = test_talk(&t, cases[i].text);

        assert_has(answer, cases[i].part);
        assert_has_not(answer, cases[i].not );
        free(answer);
    }
    check(test_talk(&t, "GET /echo HT"), ""); /* hung up in the head: no answer, no harm */
    test_server_stop(&t);
}

/* The same requests one byte at a time, and pipelined on one connection. */
static void test_bytewise_and_pipelined(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                               "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ndef"
                               "GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct test_server t;
    int fd;
    char *answer, *abc, *def, *nope;

    (void)state;
    start(&t, 1);
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        fd = test_connect(&t);
        if (!bytewise)
            test_send(fd, PP_STR(text));
        for (size_t i = 0; bytewise && i < sizeof(text) - 1; i++) {
            test_send(fd, (struct pp_str){text + i, 1});
            if (i % 7 == 0)
                usleep(500);
        }
        answer = test_read_all(fd, SIZE_MAX / 2, NULL);
        close(fd);
        abc = strstr(answer, "\r\n\r\nabc");
        def = abc ? strstr(abc, "\r\n\r\ndef") : NULL;
        nope = def ? strstr(def, "404 Not Found") : NULL;
        assert_non_null(nope);
        assert_has(nope, "connection: close");
        free(answer);
    }
    test_server_stop(&t);
}

static void test_limits(void **state)
{
    struct test_server t;
    char *text;

    (void)state;
    test_server_init(&t, 1);
    t.options.body_bytes_max = 1000;
    t.options.header_bytes_max = 4096;
    t.options.headers_max = 20;
    test_server_start(&t);
    for (int h2 = 0; h2 < 2; h2++) {
        const char *version = h2 ? "--http2-prior-knowledge" : "--http1.1";

        check(test_run(0, CURL "-w '%%{http_code}' -o /dev/null %s -d \"$(head -c 1000 /dev/zero | tr '\\0' x)\" http://127.0.0.1:%u/echo",
                       version, t.port),
              "200");
        check(test_run(0, CURL "-w '%%{http_code}' -o /dev/null %s -d \"$(head -c 1001 /dev/zero | tr '\\0' x)\" http://127.0.0.1:%u/echo",
                       version, t.port),
              "413");
        /* without a length in the headers, the limit shows on the way */
        check(test_run(0, "head -c 3000000 /dev/zero | " CURL "-w '%%{http_code}' -o /dev/null %s -T - http://127.0.0.1:%u/echo || true", version,
                       t.port),
              "413");
        check(test_run(0, CURL "-w '%%{http_code}' -o /dev/null %s -H \"a: $(head -c 5000 /dev/zero | tr '\\0' x)\" http://127.0.0.1:%u/echo",
                       version, t.port),
              "431");
        check(test_run(0, CURL "-w '%%{http_code}' -o /dev/null %s $(seq -f '-H a%%g:b' 25) http://127.0.0.1:%u/echo", version, t.port), "431");
    }
    /* a head without an end */
    text = malloc(20001);
    memset(text, 'a', 20000);
    memcpy(text, "GET /echo HTTP/1.1\r\nx: ", 23);
    text[20000] = '\0';
    check(test_talk(&t, text), "431");
    free(text);
    test_server_stop(&t);
}

/* Bodies that are read straight to their place, one behind the other on one connection: no byte goes astray at the seams, whether the next
 * request waits in the socket while one is handled or comes later. */
static void test_large_and_pipelined(void **state)
{
    static const struct {
        const char *path;
        size_t n;
    } requests[] = {{"/echo", 300000}, {"/later", 40000}, {"/echo", 20}, {"/later", 5000000}, {"/echo", 32768}};
    struct test_server t;
    struct pp_buf out, bodies;
    char *answer, *at;
    int fd;

    (void)state;
    start(&t, 1);
    pp_buf_init(&out, SIZE_MAX);
    pp_buf_init(&bodies, SIZE_MAX);
    for (size_t i = 0; i < 5; i++) {
        size_t from = bodies.len;

        for (size_t k = 0; k < requests[i].n; k++)
            pp_buf_add_byte(&bodies, (char)('a' + (k + k / 1000 + i) % 26));
        pp_buf_printf(&out, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: %s\r\nContent-Length: %zu\r\n\r\n", requests[i].path,
                      i == 4 ? "close" : "keep-alive", requests[i].n);
        pp_buf_add(&out, bodies.data + from, requests[i].n);
    }
    fd = test_connect(&t);
    test_send(fd, pp_buf_str(&out));
    at = answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    close(fd);
    for (size_t i = 0, from = 0; i < 5; from += requests[i++].n) {
        at = strstr(at, "\r\n\r\n");
        assert_non_null(at);
        at += 4;
        assert_memory_equal(at, bodies.data + from, requests[i].n);
        at += requests[i].n;
    }
    assert_int_equal(*at, '\0');
    free(answer);
    pp_buf_done(&out);
    pp_buf_done(&bodies);
    test_server_stop(&t);
}

static void test_inflight_budget(void **state)
{
    struct test_server t;

    (void)state;
    test_server_init(&t, 1);
    t.options.inflight_bytes_max = 100000;
    test_server_start(&t);
    check(test_run(0, "head -c 300000 /dev/zero | " CURL "-w '%%{http_code}' -o /dev/null --data-binary @- http://127.0.0.1:%u/echo", t.port),
          "503");
    /* and what was charged is given back */
    for (int i = 0; i < 5; i++)
        check(test_run(0, "head -c 90000 /dev/zero | " CURL "-w '%%{http_code}' -o /dev/null --data-binary @- http://127.0.0.1:%u/echo", t.port),
              "200");
    test_server_stop(&t);
}

/* Slow peers at every stage are let go in time, and say why when that can be said. */
static void test_slow_peers(void **state)
{
    static const struct {
        const char *text, *answer; /* "": closed without one */
    } cases[] = {
        {"", ""},
        {"GET /echo HTTP/1.1\r\nHost:", ""},
        {"PRI * HTTP/2.0\r\n\r\n", ""},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", "408 Request Timeout"},
        {"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK"}, /* then idle */
    };
    struct test_server t;

    (void)state;
    test_server_init(&t, 1);
    t.options.header_timeout_ms = 150;
    t.options.stall_timeout_ms = 150;
    t.options.idle_timeout_ms = 150;
    test_server_start(&t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = test_connect(&t);
        uint64_t before = pp_clock_mono_ms(), took;
        char *answer;

        test_send(fd, pp_str_c(cases[i].text));
        answer = test_read_all(fd, SIZE_MAX / 2, NULL);
        took = pp_clock_mono_ms() - before;
        if (cases[i].answer[0])
            assert_has(answer, cases[i].answer);
        else
            assert_string_equal(answer, "");
        assert_in_range(took, 140, 5000);
        free(answer);
        close(fd);
    }
    test_server_stop(&t);
}

/* One byte now and then is progress, but the whole request has its time too. */
static void test_slow_loris(void **state)
{
    struct test_server t;
    uint64_t until = pp_clock_mono_ms() + 5000;
    char byte;
    int fd;

    (void)state;
    test_server_init(&t, 1);
    t.options.stall_timeout_ms = 200;
    t.options.read_timeout_ms = 500;
    test_server_start(&t);
    fd = test_connect(&t);
    test_send(fd, PP_STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"));
    while (pp_clock_mono_ms() < until && recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
        test_send(fd, PP_STR("x"));
        usleep(50000);
    }
    assert_true(pp_clock_mono_ms() < until);
    close(fd);
    assert_int_equal(atomic_load(&t.requests_seen), 0);
    test_server_stop(&t);
}

/* A byte now and then is no progress: no read_timeout is set, and each byte comes well within the stall timeout. */
static void test_trickle(void **state)
{
    uint64_t start_ms = pp_clock_mono_ms();
    struct test_server t;
    char byte;
    int fd;

    (void)state;
    test_server_init(&t, 1);
    t.options.stall_timeout_ms = 300;
    test_server_start(&t);
    fd = test_connect(&t);
    test_send(fd, PP_STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"));
    while (pp_clock_mono_ms() < start_ms + TEST_TIMEOUT_MS && recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
        test_send(fd, PP_STR("x"));
        usleep(20000);
    }
    assert_in_range(pp_clock_mono_ms() - start_ms, 300, TEST_TIMEOUT_MS - 1);
    close(fd);
    test_server_stop(&t);
}

/* A peer that does not read its answer is closed after the stall timeout, and its memory with it. */
static void test_slow_reader(void **state)
{
    struct test_server t;
    int fd, size = 4096;

    (void)state;
    test_server_init(&t, 1);
    t.options.stall_timeout_ms = 200;
    test_server_start(&t);
    fd = test_connect(&t);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    test_send(fd, PP_STR("GET /big HTTP/1.1\r\nHost: x\r\n\r\n"));
    for (int i = 0; i < 500 && (i < 10 || pp_http_server_connections(t.server) > 0); i++)
        usleep(10000);
    assert_int_equal(pp_http_server_connections(t.server), 0);
    close(fd);
    test_server_stop(&t);
}

static int connect_and_send(const struct test_server *t, const char *text)
{
    int fd = test_connect(t);

    test_send(fd, pp_str_c(text));
    return fd;
}

static void count_protection(void *context, enum pp_http_protection protection)
{
    (void)context;
    atomic_fetch_add(&protections[protection], 1);
}

static void start_limited(struct test_server *t, size_t connections_max)
{
    for (int i = 0; i < PP_HTTP_PROTECTIONS; i++)
        atomic_store(&protections[i], 0);
    test_server_init(t, 1);
    t->options.connections_max = connections_max;
    t->handler.on_protection = count_protection;
    test_server_start(t);
}

#define ECHO_REQUEST "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"

/* Requests under way keep their connections: who comes then waits. */
static void test_connection_limit(void **state)
{
    struct test_server t;
    int fds[3];
    char *answer;

    (void)state;
    start_limited(&t, 2);
    for (int i = 0; i < 2; i++) {
        fds[i] = connect_and_send(&t, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
        free(test_read_until(fds[i], "100 Continue\r\n\r\n"));
    }
    fds[2] = connect_and_send(&t, ECHO_REQUEST); /* waits in the queue */
    usleep(50000);
    assert_int_equal(pp_http_server_connections(t.server), 2);
    assert_true(atomic_load(&protections[PP_HTTP_FULL]) > 0);
    close(fds[0]);
    answer = test_read_until(fds[2], "\r\n\r\n");
    assert_has(answer, "200 OK");
    free(answer);
    test_send(fds[1], PP_STR("ab"));
    answer = test_read_until(fds[1], "\r\n\r\n");
    assert_has(answer, "200 OK");
    free(answer);
    assert_int_equal(atomic_load(&protections[PP_HTTP_EVICTED]), 0);
    close(fds[1]);
    close(fds[2]);
    test_server_stop(&t);
}

/* Connections that do nothing make room for those that want something, the oldest first: nobody can keep others out by just staying. */
static void test_idle_connections_make_room(void **state)
{
    struct test_server t;
    int fds[3];
    size_t n;

    (void)state;
    start_limited(&t, 3);
    fds[0] = connect_and_send(&t, ECHO_REQUEST); /* has had its answer */
    free(test_read_until(fds[0], "\r\n\r\n"));
    fds[1] = connect_and_send(&t, "GET /echo HTTP/1.1\r\nHo"); /* does not end its head */
    fds[2] = connect_and_send(&t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); /* opens no stream */
    while (pp_http_server_connections(t.server) < 3)
        usleep(1000);
    for (int i = 0; i < 3; i++) {
        int fd = connect_and_send(&t, ECHO_REQUEST);

        free(test_read_until(fd, "\r\n\r\n"));
        free(test_read_all(fds[i], 1000, &n)); /* to the end of the one that had to go */
        assert_int_equal(atomic_load(&protections[PP_HTTP_EVICTED]), i + 1);
        assert_true(pp_http_server_connections(t.server) <= 3);
        close(fds[i]);
        fds[i] = fd;
    }
    assert_int_equal(atomic_load(&protections[PP_HTTP_FULL]), 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    test_server_stop(&t);
}

/* The peer is gone before the answer: nothing breaks, and stopping does not wait for the handler. */
static void test_peer_gone(void **state)
{
    struct test_server t;
    int fd;

    (void)state;
    start(&t, 1);
    fd = test_connect(&t);
    test_send(fd, PP_STR("POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"));
    while (atomic_load(&t.requests_seen) == 0)
        usleep(1000);
    close(fd);
    test_server_release_held();
    fd = test_connect(&t);
    test_send(fd, PP_STR("POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"));
    while (atomic_load(&t.requests_seen) == 1)
        usleep(1000);
    test_server_stop(&t);
    test_server_release_held(); /* server, loops and connection are gone */
    close(fd);
}

static void *stop_in_thread(void *arg)
{
    struct test_server *t = arg;

    pp_http_server_stop(t->server, TEST_TIMEOUT_MS);
    return NULL;
}

/* A request in flight is answered during a graceful stop, and told that the connection closes. */
static void test_graceful_stop(void **state)
{
    struct test_server t;
    pthread_t thread;
    char *answer;
    int fd;

    (void)state;
    start(&t, 1);
    fd = test_connect(&t);
    test_send(fd, PP_STR("POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"));
    while (atomic_load(&t.requests_seen) == 0)
        usleep(1000);
    assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, &t), 0);
    usleep(50000);
    test_server_release_held();
    answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    assert_has(answer, "released");
    assert_has(answer, "connection: close");
    free(answer);
    close(fd);
    pthread_join(thread, NULL);
    test_server_stop(&t);
}

static struct pp_http_server *open_on(struct test_server *t, const char *endpoint, const char *transport, const char *owner,
                                      struct pp_error *err)
{
    struct pp_http_server_options options = t->options;

    options.endpoint = endpoint;
    options.transport = transport;
    options.owner = owner;
    return pp_http_server_new(&options, &t->handler, &t->loops, err);
}

/* With several loops too (SO_REUSEPORT would let both in). */
static void test_port_in_use(void **state)
{
    (void)state;
    for (size_t loops = 1; loops <= 2; loops++) {
        struct test_server t;
        struct pp_error err = {0};
        char endpoint[32];

        start(&t, loops);
        snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", t.port);
        assert_null(open_on(&t, endpoint, NULL, NULL, &err));
        assert_int_equal(err.kind, PP_ERR_IO);
        assert_has(err.message, endpoint);
        assert_has(err.message, "address already in use");
        test_server_stop(&t);
    }
}

static void test_bad_endpoints(void **state)
{
    static const struct {
        const char *endpoint, *transport, *part;
    } cases[] = {
        {"127.0.0.1", "tcp", "no port"},
        {"127.0.0.1:99999", "tcp", "0 to 65535"},
        {"127.0.0.1:x", "tcp", "0 to 65535"},
        {"::1:4317", "tcp", "brackets"},
        {"no-such-host.invalid:1", "tcp", "no-such-host.invalid"},
        {"192.0.2.1:0", "tcp", "no such address"},
        {"/nonexistent/folder/socket", "unix", "/nonexistent/folder/socket"},
        {"", "unix", "1 to 107"},
        {"x:1", "carrier pigeon", "carrier pigeon"},
    };
    struct test_server t;

    (void)state;
    test_server_init(&t, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pp_error err = {0};

        assert_null(open_on(&t, cases[i].endpoint, cases[i].transport, NULL, &err));
        assert_has(err.message, cases[i].part);
    }
    test_server_stop(&t);
}

/* A successor of the same owner takes the socket over: at no time is a connection refused. */
static void test_takeover(void **state)
{
    struct test_server t;
    struct pp_http_server *next;
    struct pp_error err = {0};

    (void)state;
    test_server_init(&t, 2);
    t.options.owner = "receiver otlp";
    test_server_start(&t);
    assert_null(open_on(&t, pp_http_server_address(t.server), NULL, "receiver otlp/other", &err));
    next = open_on(&t, t.options.endpoint, NULL, "receiver otlp", &err);
    assert_non_null(next);
    assert_string_equal(pp_http_server_address(next), pp_http_server_address(t.server));
    assert_true(pp_http_server_start(next, &err));
    pp_http_server_stop(t.server, 0);
    pp_http_server_free(t.server);
    t.server = next;
    for (int i = 0; i < 8; i++)
        check(test_run(0, CURL "-i -d x http://127.0.0.1:%u/echo", t.port), "200 OK");
    test_server_stop(&t);
}

static void test_unix_socket(void **state)
{
    char folder[] = "/tmp/profpipe-net-XXXXXX", path[64];
    struct test_server t;
    struct pp_error err = {0};
    struct pp_http_server *second;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
    test_server_init(&t, 2);
    t.options.endpoint = path;
    t.options.transport = "unix";
    test_server_start(&t);
    for (int i = 0; i < 4; i++)
        check(test_run(0, CURL "-i --unix-socket %s http://x/echo -d y", path), "200 OK");
    assert_null(open_on(&t, path, "unix", NULL, &err)); /* somebody answers there */
    assert_has(err.message, "in use");
    pp_http_server_free(t.server);
    t.server = NULL;
    assert_int_equal(access(path, F_OK), -1); /* taken away at the end */
    /* what a killed process leaves behind is replaced */
    free(test_run(0, "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('%s')\"", path));
    second = open_on(&t, path, "unix", NULL, &err);
    assert_non_null(second);
    pp_http_server_free(second);
    /* another kind of file is not */
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_null(open_on(&t, path, "unix", NULL, &err));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(folder);
    test_server_stop(&t);
}

static void test_ipv6_and_names(void **state)
{
    static const char *const endpoints[] = {"localhost:0", "[::1]:0", ":0", "[::]:0", "0.0.0.0:0"};

    (void)state;
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        struct test_server t;

        test_server_init(&t, 1);
        t.options.endpoint = endpoints[i];
        test_server_start(&t);
        check(test_run(0, CURL "-i 'http://%s:%u/echo'", i == 1 ? "[::1]" : "127.0.0.1", t.port), "200 OK");
        test_server_stop(&t);
    }
}

static void test_one_protocol_only(void **state)
{
    struct test_server t;

    (void)state;
    test_server_init(&t, 1);
    t.options.http2_only = true;
    test_server_start(&t);
    check(test_run(0, CURL "-i --http1.1 http://127.0.0.1:%u/echo", t.port), "505");
    check(test_run(0, CURL "-i --http2-prior-knowledge http://127.0.0.1:%u/echo", t.port), "HTTP/2 200");
    test_server_stop(&t);
    test_server_init(&t, 1);
    t.options.http1_only = true;
    t.options.keep_alives = false;
    test_server_start(&t);
    check(test_run(0, CURL "-i http://127.0.0.1:%u/echo", t.port), "connection: close");
    check(test_run(0, CURL "-i --http2-prior-knowledge http://127.0.0.1:%u/echo 2>/dev/null || echo failed", t.port), "failed");
    test_server_stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curl),           cmocka_unit_test(test_bodies_of_many_sizes),
        cmocka_unit_test(test_big_answer),     cmocka_unit_test(test_raw_h1),
        cmocka_unit_test(test_bytewise_and_pipelined), cmocka_unit_test(test_large_and_pipelined),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_inflight_budget), cmocka_unit_test(test_slow_peers),
        cmocka_unit_test(test_slow_loris),     cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_connection_limit), cmocka_unit_test(test_idle_connections_make_room),
        cmocka_unit_test(test_peer_gone),
        cmocka_unit_test(test_graceful_stop),  cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_bad_endpoints),  cmocka_unit_test(test_takeover),
        cmocka_unit_test(test_unix_socket),    cmocka_unit_test(test_ipv6_and_names),
        cmocka_unit_test(test_one_protocol_only),
    };

    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
