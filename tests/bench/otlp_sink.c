/* Sink: otlp_sink COUNTER. Listens on two free loopback ports (gRPC, HTTP/1.1), prints them as JSON, takes every message and counts, also in the
 * file COUNTER. One command
 * a line on standard input, one JSON line of answer each:
 *   stats                      what has come so far
 *   mode ok|refuse|hang [delay_ms=D] [bytes_per_s=B]
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
#define WAIT_NS (NS_PER_S / 10)

enum { SLOT_INPUT = CONNECTIONS_MAX, SLOT_GRPC, SLOT_HTTP };

struct server {
    struct sink sink;
    int epoll, grpc, http;
    struct sink_conn *conns[CONNECTIONS_MAX]; /* NULL: free */
    unsigned conns_n;                         /* slots ever used */
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
        s->conns_n = slot < s->conns_n ? s->conns_n : slot + 1;
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

    printf("{\"messages\":%llu,\"refused\":%llu,\"body_bytes\":%llu,\"payload_bytes\":%llu,\"ended\":%llu,\"first_ns\":%llu,\"last_ns\":%llu,"
           "\"now_ns\":%llu,\"cpu_s\":%.6f}\n",
           (unsigned long long)k->messages, (unsigned long long)k->refused, (unsigned long long)k->body_bytes, (unsigned long long)k->payload_bytes,
           (unsigned long long)k->broken, (unsigned long long)k->first_ns, (unsigned long long)k->last_ns, (unsigned long long)bench_now_ns(), bench_cpu_s());
    fflush(stdout);
}

static void run_command(struct server *s, const char *command)
{
    if (strncmp(command, "mode ", 5) == 0) {
        s->sink.mode = strncmp(command + 5, "refuse", 6) == 0 ? SINK_REFUSE : strncmp(command + 5, "hang", 4) == 0 ? SINK_HANG : SINK_OK;
        s->sink.delay_ns = (uint64_t)(bench_number(command, "delay_ms", 0) * 1e6);
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

static uint64_t next_wait(const struct server *s, uint64_t now)
{
    uint64_t due = now + WAIT_NS;

    for (unsigned i = 0; s->sink.delay_ns && i < s->conns_n; i++) {
        uint64_t at = s->conns[i] ? s->conns[i]->protocol->next_due(s->conns[i]) : UINT64_MAX;
        due = at < due ? at : due;
    }
    return due > now ? due - now : 0;
}

static void serve(struct server *s)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now = bench_now_ns(), wait = next_wait(s, now);
    int n = epoll_pwait2(s->epoll, events, EVENTS_MAX, &(struct timespec){0, (long)wait}, NULL);

    if (n < 0 && errno != EINTR)
        bench_die("epoll_pwait2");
    now = bench_now_ns();
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
    for (unsigned i = 0; s->sink.delay_ns && i < s->conns_n; i++) {
        if (s->conns[i] && s->conns[i]->protocol->next_due(s->conns[i]) <= now)
            progress(s, i, now);
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
