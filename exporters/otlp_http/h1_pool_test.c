/* The client on a loop against servers that answer as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <assert.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "h1_pool.h"
#include "http_test_server.h"
#include "pipeline/exporter_base.h"

#define WAIT_S 20 /* far more than anything here takes */
#define OK PP_STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
#define HEAD PP_STR("POST /x HTTP/1.1\r\nHost: h\r\n")

struct fixture {
    struct pp_loop *loop;
    struct http_test_server *server;
    struct pp_h1_pool_options options;
    char port[16];
    struct pp_h1_pool *pool;
};

struct post {
    struct pp_h1_call call;
    struct fixture *f;
    struct pp_http_answer answer;
    char body[64];
    bool ended;
    sem_t done;
    const char *trouble;
};

static void on_done(struct pp_h1_call *call, const struct pp_http_answer *answer)
{
    struct post *post = pp_container_of(call, struct post, call);

    assert_false(post->ended);
    post->ended = true;
    post->answer = *answer;
    snprintf(post->body, sizeof(post->body), PP_STR_FMT, PP_STR_ARG(answer->body));
    sem_post(&post->done);
}

static void on_send(void *post_)
{
    struct post *post = post_;

    pp_h1_pool_send(post->f->pool, &post->call);
}

static void begin(struct fixture *f, struct post *post, size_t n)
{
    *post = (struct post){.f = f, .call = {.head = HEAD, .body = pp_bytes_new(n), .done = on_done}};
    for (size_t i = 0; i < n; i++) {
        post->call.body->data[i] = (char)('a' + (i + i / 777) % 26);
    }
    sem_init(&post->done, 0, 0);
    assert_true(pp_loop_call(f->loop, on_send, post));
}

static void end(struct post *post)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_S;
    assert_int_equal(sem_timedwait(&post->done, &limit), 0);
    pp_bytes_unref(post->call.body);
    sem_destroy(&post->done);
}

static void send_one(struct fixture *f, struct post *post, size_t n)
{
    begin(f, post, n);
    end(post);
}

static void on_cancel(void *post_)
{
    struct post *post = post_;

    pp_h1_pool_cancel(post->f->pool, &post->call, &post->trouble);
}

static void cancel(struct post *post)
{
    assert_true(pp_loop_call(post->f->loop, on_cancel, post));
    assert_false(post->ended);
    pp_bytes_unref(post->call.body);
    sem_destroy(&post->done);
}

static void make_pool(void *f_)
{
    struct fixture *f = f_;

    f->pool = pp_h1_pool_new(f->loop, &f->options, NULL);
}

static void free_pool(void *f_)
{
    pp_h1_pool_free(((struct fixture *)f_)->pool);
}

static void use_port(struct fixture *f, int port)
{
    snprintf(f->port, sizeof(f->port), "%d", port);
    assert_true(pp_loop_call(f->loop, make_pool, f));
    assert_non_null(f->pool);
}

static void use_server(struct fixture *f)
{
    http_test_server_answer(f->server, OK, 0);
    use_port(f, http_test_server_port(f->server));
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.server = http_test_server_new(NULL, NULL, NULL)};
    f.options = (struct pp_h1_pool_options){.host = "127.0.0.1", .port = f.port, .keep_alive = true};
    f.loop = pp_loop_new("h1", NULL);
    *state = &f;
    return f.loop ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pp_loop_call(f->loop, free_pool, f);
    pp_loop_stop(f->loop);
    pp_loop_unref(f->loop);
    http_test_server_free(f->server);
    return 0;
}

static void test_connection_stays(void **state)
{
    static const size_t sizes[] = {0, 1, 20000, 5000000, 3};
    struct fixture *f = *state;
    struct post post;

    use_server(f);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct pp_str got;
        char line[64];

        begin(f, &post, sizes[i]);
        pp_bytes_ref(post.call.body);
        end(&post);
        assert_int_equal(post.answer.status, 200);
        assert_string_equal(post.body, "ok");
        got = http_test_server_body(f->server);
        assert_true(pp_str_eq(got, pp_bytes_str(post.call.body)));
        snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        assert_non_null(strstr(http_test_server_head(f->server), line));
        assert_memory_equal(http_test_server_head(f->server), HEAD.p, HEAD.n);
        pp_bytes_unref(post.call.body);
    }
    assert_int_equal(http_test_server_connections(f->server), 1);
    assert_int_equal(http_test_server_requests(f->server), 5);
}

static void test_no_keep_alive(void **state)
{
    struct fixture *f = *state;
    struct post post;

    f->options.keep_alive = false;
    use_server(f);
    for (int i = 0; i < 3; i++) {
        send_one(f, &post, 10);
        assert_int_equal(post.answer.status, 200);
        assert_non_null(strstr(http_test_server_head(f->server), "Connection: close"));
    }
    assert_int_equal(http_test_server_connections(f->server), 3);
}

/* One connection is allowed, the others wait for it, in order. */
static void test_connections_max(void **state)
{
    struct fixture *f = *state;
    struct post posts[6];

    f->options.connections_max = 1;
    use_server(f);
    http_test_server_answer(f->server, OK, 20);
    for (int i = 0; i < 6; i++) {
        begin(f, &posts[i], 100);
    }
    cancel(&posts[3]);
    assert_string_equal(posts[3].trouble, "all connections are busy");
    for (int i = 0; i < 6; i++) {
        if (i != 3) {
            end(&posts[i]);
            assert_int_equal(posts[i].answer.status, 200);
        }
    }
    assert_int_equal(http_test_server_connections(f->server), 1);
    assert_int_equal(http_test_server_requests(f->server), 5);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct post slow, next;

    f->options.connections_max = 1;
    use_server(f);
    http_test_server_answer(f->server, OK, 300);
    begin(f, &slow, 10);
    usleep(50000);
    begin(f, &next, 10);
    cancel(&slow);
    assert_string_equal(slow.trouble, "no answer by the deadline");
    end(&next); /* on another connection: the first one's answer is not taken for its own */
    assert_int_equal(next.answer.status, 200);
    assert_int_equal(http_test_server_connections(f->server), 2);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    struct post post;

    use_port(f, 1);
    send_one(f, &post, 10);
    assert_int_equal(post.answer.status, 0);
    assert_non_null(strstr(post.answer.message, "connect to 127.0.0.1 port 1: Connection refused"));
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct post post;

    f->options.host = "localhost"; /* whose first address may be ::1, where nobody listens */
    use_server(f);
    send_one(f, &post, 10);
    assert_int_equal(post.answer.status, 200);
}

static void test_unknown_name(void **state)
{
    struct fixture *f = *state;
    struct post post;

    f->options.host = "no.such.host.invalid";
    use_server(f);
    send_one(f, &post, 10);
    assert_int_equal(post.answer.status, 0);
    assert_non_null(strstr(post.answer.message, "resolve host no.such.host.invalid"));
}

/* A server by hand: `play` gets one connection after the other. */
struct stage {
    int listener, port;
    pthread_t thread;
    void (*play)(int fd, int number);
    int plays;
};

static void *stage_main(void *stage_)
{
    struct stage *stage = stage_;

    for (int i = 0; i < stage->plays; i++) {
        int fd = accept(stage->listener, NULL, NULL);

        assert(fd >= 0);
        stage->play(fd, i);
        close(fd);
    }
    return NULL;
}

static void stage_open(struct stage *stage, void (*play)(int fd, int number), int plays)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);

    *stage = (struct stage){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .play = play, .plays = plays};
    assert_int_equal(bind(stage->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(stage->listener, 16), 0);
    getsockname(stage->listener, (struct sockaddr *)&address, &n);
    stage->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&stage->thread, NULL, stage_main, stage), 0);
}

static void stage_close(struct stage *stage)
{
    pthread_join(stage->thread, NULL);
    close(stage->listener);
}

static void read_request(int fd, size_t n)
{
    char data[4096];
    size_t have = 0;

    while (have < n) {
        ssize_t got = read(fd, data, sizeof(data));

        assert(got > 0);
        have += (size_t)got;
    }
}

static void say(int fd, struct pp_str text)
{
    assert(write(fd, text.p, text.n) == (ssize_t)text.n);
}

/* Answers one request, and hangs up when the second one comes. */
static void play_hang_up(int fd, int number)
{
    read_request(fd, 40);
    say(fd, OK);
    if (number == 0) {
        read_request(fd, 1);
    }
}

/* A server may have closed a connection just when the next request goes out on it: it is sent again on a new one, once. */
static void test_stale_connection(void **state)
{
    struct fixture *f = *state;
    struct stage stage;
    struct post post;

    stage_open(&stage, play_hang_up, 2);
    use_port(f, stage.port);
    for (int i = 0; i < 2; i++) {
        send_one(f, &post, 10);
        assert_int_equal(post.answer.status, 200);
    }
    stage_close(&stage);
}

static void play_silence(int fd, int number)
{
    (void)number;
    read_request(fd, 40);
}

/* On a new connection it is not sent again: the server may have taken it. */
static void test_hung_up_on(void **state)
{
    struct fixture *f = *state;
    struct stage stage;
    struct post post;

    stage_open(&stage, play_silence, 1);
    use_port(f, stage.port);
    send_one(f, &post, 10);
    assert_int_equal(post.answer.status, 0);
    assert_string_equal(post.answer.message, "the server closed the connection without an answer");
    stage_close(&stage);
}

/* Refuses after the head, and reads no more. */
static void play_refuse_early(int fd, int number)
{
    char data[65536];

    (void)number;
    read_request(fd, 40);
    say(fd, PP_STR("HTTP/1.1 413 Too large\r\nContent-Length: 3\r\n\r\nbig"));
    shutdown(fd, SHUT_WR);
    while (read(fd, data, sizeof(data)) > 0)
        ;
}

static void test_early_answer(void **state)
{
    struct fixture *f = *state;
    struct stage stage;
    struct post post;

    stage_open(&stage, play_refuse_early, 1);
    use_port(f, stage.port);
    send_one(f, &post, 30000000);
    assert_int_equal(post.answer.status, 413);
    assert_string_equal(post.body, "big");
    stage_close(&stage);
}

/* Answers, and takes note of how long the connection then stays open. */
static uint64_t stayed_ms;

static void play_idle(int fd, int number)
{
    uint64_t since;
    char c;

    (void)number;
    read_request(fd, 40);
    say(fd, OK);
    since = pp_clock_mono_ms();
    assert(read(fd, &c, 1) == 0);
    stayed_ms = pp_clock_mono_ms() - since;
}

static void test_idle_timeout(void **state)
{
    struct fixture *f = *state;
    struct stage stage;
    struct post post;

    f->options.idle_timeout_ms = 100;
    stage_open(&stage, play_idle, 1);
    use_port(f, stage.port);
    send_one(f, &post, 10);
    assert_int_equal(post.answer.status, 200);
    stage_close(&stage);
    assert_in_range(stayed_ms, 80, 15000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_connection_stays), T(test_no_keep_alive), T(test_connections_max), T(test_cancel),
        T(test_nobody_there),     T(test_names),         T(test_unknown_name),    T(test_stale_connection),
        T(test_hung_up_on),       T(test_early_answer),  T(test_idle_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
