#include "net/test_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define BIG_BYTES (8u * 1024 * 1024)
#define LATER_US 20000

static _Atomic(struct pp_http_request *) held;

static void respond_text(struct pp_http_request *request, int status, struct pp_bytes *body)
{
    char seen[512];
    struct pp_http_header headers[2] = {{PP_STR("content-type"), PP_STR("text/plain")}, {PP_STR("X-Seen"), {seen, 0}}};
    struct pp_http_response response = {status, headers, 2, body};

    headers[1].value.n = (size_t)snprintf(seen, sizeof(seen), "%.*s v%u q=%.*s a=%.*s body=%zu tls=%d", PP_STR_ARG(request->method),
                                          request->http_version, PP_STR_ARG(request->query), PP_STR_ARG(request->authority),
                                          request->body ? request->body->len : 0, request->tls);
    if (request->tls_peer_name.n > 0)
        headers[1].value.n += (size_t)snprintf(seen + headers[1].value.n, sizeof(seen) - headers[1].value.n, " cn=%.*s",
                                               PP_STR_ARG(request->tls_peer_name));
    pp_http_respond(request, &response);
}

static void *answer_later(void *arg)
{
    struct pp_http_request *request = arg;

    usleep(LATER_US);
    if (request->grpc) {
        struct pp_grpc_status ok = {PP_GRPC_OK, PP_STR(""), PP_GRPC_NO_RETRY_DELAY};

        pp_grpc_respond(request, &ok, pp_bytes_ref(request->body));
    } else {
        respond_text(request, 200, pp_bytes_ref(request->body));
    }
    return NULL;
}

static void start_later(struct pp_http_request *request)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, answer_later, request) != 0)
        abort();
    pthread_detach(thread);
}

static void on_grpc(struct pp_http_request *request)
{
    struct pp_grpc_status status = {PP_GRPC_UNIMPLEMENTED, PP_STR("no such method"), PP_GRPC_NO_RETRY_DELAY};

    if (pp_str_eq_c(request->path, "/t.T/Echo")) {
        status.code = PP_GRPC_OK;
        pp_grpc_respond(request, &status, pp_bytes_ref(request->body));
        return;
    }
    if (pp_str_eq_c(request->path, "/t.T/Fail"))
        status = (struct pp_grpc_status){PP_GRPC_UNAVAILABLE, PP_STR("queue is 100% full\n"), 1500};
    pp_grpc_respond(request, &status, NULL);
}

static void on_request(void *context, struct pp_http_request *request)
{
    struct test_server *t = context;

    atomic_fetch_add(&t->requests_seen, 1);
    if (pp_str_eq_c(request->path, "/later") || pp_str_eq_c(request->path, "/t.T/Later")) {
        start_later(request);
    } else if (pp_str_eq_c(request->path, "/never")) {
        atomic_store(&held, request);
    } else if (request->grpc) {
        on_grpc(request);
    } else if (pp_str_eq_c(request->path, "/echo")) {
        respond_text(request, 200, pp_bytes_ref(request->body));
    } else if (pp_str_eq_c(request->path, "/big")) {
        struct pp_bytes *big = pp_bytes_new(BIG_BYTES);

        memset(big->data, 'b', big->len);
        respond_text(request, 200, big);
    } else {
        respond_text(request, 404, NULL);
    }
}

static void on_headers(void *context, struct pp_http_request *request)
{
    struct test_server *t = context;

    atomic_fetch_add(&t->headers_seen, 1);
    if (pp_str_eq_c(request->path, "/refused"))
        respond_text(request, 403, pp_bytes_copy(PP_STR("no")));
}

void test_server_init(struct test_server *t, size_t loops)
{
    struct pp_error err;

    memset(t, 0, sizeof(*t));
    t->options = PP_HTTP_SERVER_DEFAULTS;
    t->options.endpoint = "127.0.0.1:0";
    t->handler = (struct pp_http_handler){.context = t, .on_headers = on_headers, .on_request = on_request};
    assert_true(pp_loop_pool_init(&t->loops, loops, "test", &err));
}

void test_server_start(struct test_server *t)
{
    struct pp_error err = {0};
    const char *colon;

    t->server = pp_http_server_new(&t->options, &t->handler, &t->loops, &err);
    if (!t->server || !pp_http_server_start(t->server, &err))
        fail_msg("%s", err.message);
    colon = strrchr(pp_http_server_address(t->server), ':');
    t->port = colon ? (unsigned)atoi(colon + 1) : 0;
}

void test_server_stop(struct test_server *t)
{
    if (t->server)
        pp_http_server_stop(t->server, 1000);
    pp_http_server_free(t->server);
    t->server = NULL;
    pp_loop_pool_done(&t->loops);
}

void test_server_release_held(void)
{
    struct pp_http_request *request = NULL;

    for (int i = 0; i < TEST_TIMEOUT_MS && !request; i++) {
        request = atomic_exchange(&held, NULL);
        if (!request)
            usleep(1000);
    }
    assert_non_null(request);
    respond_text(request, 200, pp_bytes_copy(PP_STR("released")));
}

int test_connect(const struct test_server *t)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void test_send(int fd, struct pp_str data)
{
    while (data.n > 0) {
        ssize_t n = send(fd, data.p, data.n, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server may have had enough */
        data.p += n;
        data.n -= (size_t)n;
    }
}

/* Waits for input; false at the end of the time. */
static bool wait_readable(int fd, uint64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t now = pp_clock_mono_ms();

    return now < until_ms && poll(&p, 1, (int)(until_ms - now)) > 0;
}

static char *read_while(int fd, size_t max, const char *until, size_t *ret_n)
{
    uint64_t deadline = pp_clock_mono_ms() + TEST_TIMEOUT_MS;
    size_t n = 0, cap = 65536;
    char *text = malloc(cap + 1);

    assert_non_null(text);
    text[0] = '\0';
    while (n < max && !(until && strstr(text, until))) {
        ssize_t got;

        if (!wait_readable(fd, deadline))
            fail_msg("nothing more within the time after %zu bytes: %.200s", n, text);
        if (n == cap) {
            cap *= 2;
            text = realloc(text, cap + 1);
            assert_non_null(text);
        }
        got = recv(fd, text + n, cap - n < max - n ? cap - n : max - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
    }
    if (ret_n)
        *ret_n = n;
    return text;
}

char *test_read_all(int fd, size_t max, size_t *ret_n)
{
    return read_while(fd, max, NULL, ret_n);
}

char *test_read_until(int fd, const char *until)
{
    return read_while(fd, SIZE_MAX / 2, until, NULL);
}

char *test_talk(const struct test_server *t, const char *text)
{
    int fd = test_connect(t);
    char *answer;

    test_send(fd, pp_str_c(text));
    shutdown(fd, SHUT_WR);
    answer = test_read_all(fd, SIZE_MAX / 2, NULL);
    close(fd);
    return answer;
}

char *test_run(int status, const char *fmt, ...)
{
    char command[4096], *text = calloc(1, 65536);
    va_list args;
    FILE *pipe;
    int rc;

    assert_non_null(text);
    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    rc = (int)fread(text, 1, 65535, pipe);
    (void)rc;
    rc = pclose(pipe);
    if (!WIFEXITED(rc) || WEXITSTATUS(rc) != status)
        fail_msg("status %d of: %s\n%s", WEXITSTATUS(rc), command, text);
    return text;
}
