#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pprof_config.h"
#include "pprof_fetch.h"
#include "pprof_ingest.h"

/* A server that gives each connection the same answer, byte for byte; NULL: says nothing and waits for the peer to leave. */
struct server {
    int fd;
    const char *answer;
    size_t answer_n;
    pthread_t thread;
    char url[64];
};

static void *server_main(void *arg)
{
    struct server *s = arg;
    int peer;

    while ((peer = accept(s->fd, NULL, NULL)) >= 0) {
        char request[4096];
        ssize_t n = recv(peer, request, sizeof(request), 0);

        if (s->answer && n > 0)
            n = send(peer, s->answer, s->answer_n, MSG_NOSIGNAL);
        while (!s->answer && n > 0)
            n = recv(peer, request, sizeof(request), 0);
        shutdown(peer, SHUT_WR);
        while (recv(peer, request, sizeof(request), 0) > 0)
            continue;
        close(peer);
    }
    return NULL;
}

static void server_start(struct server *s, const char *answer, size_t n)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    s->answer = answer;
    s->answer_n = n;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &length), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/debug/pprof/heap", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* One fetch; the body in `body` (max `bytes_max`). */
static bool fetch(const char *url, size_t bytes_max, struct pp_buf *body, struct pp_error *err)
{
    struct pp_http_client_config config = {PP_HTTP_CLIENT_DEFAULTS_BODY, .endpoint = url, .timeout = PP_NS(10)};
    struct pp_fetcher *fetcher = pp_fetcher_new(&config, NULL, err);
    atomic_bool stop = false;
    bool ok;

    pp_buf_init(body, bytes_max);
    ok = fetcher && pp_fetcher_get(fetcher, &stop, body, err);
    pp_fetcher_free(fetcher);
    return ok;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

static void test_fetch(void **state)
{
    static const char answer[] = OK_HEAD "Content-Length: 5\r\n\r\na\0b\nc";
    struct server server;
    struct pp_error err = {0};
    struct pp_buf body;

    (void)state;
    server_start(&server, answer, sizeof(answer) - 1);
    if (!fetch(server.url, 100, &body, &err))
        fail_msg("%s", err.message);
    assert_int_equal(body.len, 5);
    assert_memory_equal(body.data, "a\0b\nc", 5);
    pp_buf_done(&body);
    assert_false(fetch(server.url, 4, &body, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    assert_non_null(strstr(err.message, server.url));
    pp_buf_done(&body);
    server_stop(&server);
}

/* What a server says with an error is in the message, its first line, after the URL. */
static void test_fetch_failures(void **state)
{
    static const struct {
        const char *answer, *want;
    } cases[] = {
        {"HTTP/1.1 500 Oops\r\nX-Go-Pprof: 1\r\nConnection: close\r\n\r\nCould not enable CPU profiling: cpu profiling already in use\nmore",
         ": HTTP 500: Could not enable CPU profiling: cpu profiling already in use"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", ": HTTP 404"},
        {OK_HEAD "Content-Length: 50\r\n\r\nshort", "with 45 bytes remaining"},
        {"not http at all\r\n\r\n", "HTTP/0.9"},
        {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "Protocol \"file\" not supported"},
        {"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "Maximum (10) redirects"},
        {OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", "content unencoding"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server server;
        struct pp_error err = {0};
        struct pp_buf body;

        server_start(&server, cases[i].answer, strlen(cases[i].answer));
        if (fetch(server.url, 1000, &body, &err))
            fail_msg("case %zu was taken", i);
        if (!strstr(err.message, cases[i].want) || strncmp(err.message, server.url, strlen(server.url)) != 0)
            fail_msg("case %zu: %s", i, err.message);
        pp_buf_done(&body);
        server_stop(&server);
    }
}

struct breaker {
    struct pp_fetcher *fetcher;
    atomic_bool stop;
};

static void *break_off(void *arg)
{
    struct breaker *b = arg;

    usleep(100000);
    atomic_store(&b->stop, true);
    pp_fetcher_wake(b->fetcher);
    return NULL;
}

/* A dead peer ends at the timeout, or at once when the receiver stops. */
static void test_fetch_is_bounded(void **state)
{
    struct server server;
    struct pp_error err = {0};
    struct pp_http_client_config config = {PP_HTTP_CLIENT_DEFAULTS_BODY, .timeout = PP_NS(0.2)};
    struct breaker breaker = {0};
    struct pp_buf body;
    pthread_t thread;
    uint64_t began_ms = pp_clock_mono_ms();

    (void)state;
    server_start(&server, NULL, 0);
    config.endpoint = server.url;
    pp_buf_init(&body, 1000);
    breaker.fetcher = pp_fetcher_new(&config, NULL, &err);
    assert_false(pp_fetcher_get(breaker.fetcher, &breaker.stop, &body, &err));
    assert_non_null(strstr(err.message, "timed out"));
    pp_fetcher_free(breaker.fetcher);
    config.timeout = PP_NS(60);
    breaker.fetcher = pp_fetcher_new(&config, NULL, &err);
    assert_int_equal(pthread_create(&thread, NULL, break_off, &breaker), 0);
    assert_false(pp_fetcher_get(breaker.fetcher, &breaker.stop, &body, &err));
    assert_non_null(strstr(err.message, "broken off"));
    pthread_join(thread, NULL);
    assert_true(pp_clock_mono_ms() - began_ms < 20000);
    pp_fetcher_free(breaker.fetcher);
    pp_buf_done(&body);
    server_stop(&server);
}

#define PROFILE_PATH "../../tests/fuzz/corpus/pprof/full.gz"
#define FAULTS_MAX 2000u

/* Each allocation between a profile's bytes and its batch fails in turn: an error that says so, no batch, no leak. */
static void test_no_memory(void **state)
{
    static const struct pp_pprof_config config = {.service_name = "shop"};
    const struct pp_component self = {.id = "pprof", .config = &config};
    const struct pp_pprof_source source = {.transport = "file", .attributes = {{"file", PP_STR("full.gz")}}, .attributes_n = 1};
    char content[4096];
    FILE *file;
    struct pp_batch *batch = NULL;
    struct pp_error err;
    struct pp_str text;
    size_t n = 1;

    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    file = fopen(PROFILE_PATH, "rb");
    assert_non_null(file);
    text = (struct pp_str){content, fread(content, 1, sizeof(content), file)};
    fclose(file);
    for (; !batch; n++) {
        bool ok;

        assert_true(n < FAULTS_MAX);
        pp_alloc_fail_at(n);
        ok = pp_pprof_ingest(&self, &source, text, &batch, &err);
        pp_alloc_fail_at(0);
        assert_int_equal(ok, batch != NULL);
        assert_true(ok || err.kind == PP_ERR_NOMEM);
    }
    assert_true(n > 20 && pp_batch_samples(batch) > 0);
    pp_batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_fetch_failures),
        cmocka_unit_test(test_fetch_is_bounded), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
