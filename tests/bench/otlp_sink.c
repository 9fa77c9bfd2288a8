/* Sink: otlp_sink COUNTER. Listens on two free loopback ports (gRPC, HTTP/1.1), prints them as JSON, takes every message and counts, also in the
 * file COUNTER. One command
 * a line on standard input, one JSON line of answer each:
 *   stats                 what has come so far
 *   limit bytes_per_s=B   takes no more than this from now on; 0: as fast as it comes
 * Ends at the end of its input. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_net.h"
#include "sink.h"

#define CONNECTIONS_MAX 1024
#define EVENTS_MAX 64
#define PAUSE_NS (2 * NS_PER_S / 1000)

enum { SLOT_INPUT = CONNECTIONS_MAX, SLOT_GRPC, SLOT_HTTP };

struct server {
    struct sink sink;
    int epoll, grpc, http;
    struct sink_conn *conns[CONNECTIONS_MAX]; /* NULL: free */
    char input[1024];
    size_t input_len;
};

static void watch(struct server *s, int fd, uint32_t slot)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_die("epoll_ctl");
}

static void accept_all(struct server *s, int listener, const struct sink_protocol *protocol)
{
    unsigned slot = 0;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        while (slot < CONNECTIONS_MAX && s->conns[slot])
            slot++;
        if (slot == CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        bench_tune(fd);
        s->conns[slot] = protocol->open(&s->sink, fd);
        watch(s, fd, slot);
        protocol->progress(s->conns[slot], bench_now_ns());
    }
}

static void progress(struct server *s, unsigned slot, uint64_t now)
{
    if (!s->conns[slot])
        return;
    s->conns[slot]->protocol->progress(s->conns[slot], now);
    if (s->conns[slot]->broken) {
        s->sink.broken++;
        s->conns[slot]->protocol->close(s->conns[slot]);
        s->conns[slot] = NULL;
    }
}

static void report(const struct server *s)
{
    const struct sink *k = &s->sink;

    printf("{\"messages\":%llu,\"body_bytes\":%llu,\"payload_bytes\":%llu,\"ended\":%llu,\"first_ns\":%llu,\"last_ns\":%llu,"
           "\"now_ns\":%llu,\"cpu_s\":%.6f}\n",
           (unsigned long long)k->messages, (unsigned long long)k->body_bytes, (unsigned long long)k->payload_bytes,
           (unsigned long long)k->broken, (unsigned long long)k->first_ns, (unsigned long long)k->last_ns, (unsigned long long)bench_now_ns(), bench_cpu_s());
    fflush(stdout);
}

static void run_command(struct server *s, const char *command)
{
    if (strncmp(command, "limit ", 6) == 0) {
        s->sink.bytes_per_s = bench_number(command, "bytes_per_s", 0);
        s->sink.limit_start_ns = bench_now_ns();
        s->sink.limit_bytes = 0;
    }
    report(s);
}

static void take_input(struct server *s)
{
    ssize_t got = read(STDIN_FILENO, s->input + s->input_len, sizeof s->input - 1 - s->input_len);
    char *end;

    if (got <= 0)
        exit(0);
    s->input_len += (size_t)got;
    s->input[s->input_len] = '\0';
    while ((end = strchr(s->input, '\n'))) {
        *end = '\0';
        run_command(s, s->input);
        s->input_len -= (size_t)(end + 1 - s->input);
        memmove(s->input, end + 1, s->input_len + 1);
    }
}

/* Above its rate the sink sleeps: what is sent meanwhile fills sockets and windows, as before a slow backend. */
static void keep_rate(struct server *s)
{
    const struct sink *k = &s->sink;

    while (k->bytes_per_s > 0 && (double)k->limit_bytes > k->bytes_per_s * (double)(bench_now_ns() - k->limit_start_ns) / 1e9)
        nanosleep(&(struct timespec){0, (long)PAUSE_NS}, NULL);
}

static void serve(struct server *s)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(s->epoll, events, EVENTS_MAX, -1);
    uint64_t now = bench_now_ns();

    if (n < 0 && errno != EINTR)
        bench_die("epoll_wait");
    for (int i = 0; i < n; i++) {
        uint32_t slot = events[i].data.u32;
        if (slot == SLOT_INPUT)
            take_input(s);
        else if (slot == SLOT_GRPC || slot == SLOT_HTTP)
            accept_all(s, slot == SLOT_GRPC ? s->grpc : s->http, slot == SLOT_GRPC ? &sink_grpc : &sink_http);
        else
            progress(s, slot, now);
        keep_rate(s);
    }
}

int main(int argc, char **argv)
{
    static struct server server;
    uint16_t grpc_port, http_port;

    if (argc != 2) {
        fprintf(stderr, "usage: otlp_sink COUNTER\n");
        return 2;
    }
    server.sink.arrived = bench_shared_counter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    if ((server.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        bench_die("epoll_create1");
    server.grpc = bench_listen(&grpc_port);
    server.http = bench_listen(&http_port);
    watch(&server, STDIN_FILENO, SLOT_INPUT);
    watch(&server, server.grpc, SLOT_GRPC);
    watch(&server, server.http, SLOT_HTTP);
    printf("{\"grpc\":%u,\"http\":%u}\n", grpc_port, http_port);
    fflush(stdout);
    for (;;)
        serve(&server);
}
