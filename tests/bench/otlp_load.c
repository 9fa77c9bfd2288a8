/* Load generator: otlp_load grpc|http none|gzip|zstd FOLDER COUNTER. Prepares the folder's messages once, then runs what standard
 * input says, one command a line, one JSON line of answer each:
 *   run port=P [seconds=S] [count=N] [rate=R] [window=W] [connections=C] [in_flight=F] [drain=S]
 * With rate an open loop of R requests a second, else a closed one, of which at most W requests are sent and not yet arrived at the sink
 * that counts in the file COUNTER. Ends at the end of its input. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define CONNECTIONS_MAX 1024
#define EVENTS_MAX 64
#define FOREVER_S 1e6
#define RECONNECT_NS (NS_PER_S / 20)

struct loader {
    const struct load_protocol *protocol;
    struct messages messages;
    struct load_run run;
    const uint64_t *arrived;
    uint16_t port;
    unsigned in_flight_each;
    int epoll;
    struct load_conn *conns[CONNECTIONS_MAX]; /* NULL: to be opened */
    unsigned conns_n;
    uint64_t reconnect_ns; /* not before then */
    uint64_t reconnects;
    char last_fault[96];
};

static void conn_open(struct loader *l, unsigned i)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = i};

    l->conns[i] = l->protocol->open(&l->run, l->port, l->in_flight_each);
    if (l->conns[i] && epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->conns[i]->fd, &event) < 0)
        bench_die("epoll_ctl");
}

static void conn_progress(struct loader *l, unsigned i)
{
    if (!l->conns[i])
        return;
    l->protocol->progress(l->conns[i]);
    if (l->conns[i]->broken) {
        memcpy(l->last_fault, l->conns[i]->fault, sizeof l->last_fault);
        l->protocol->close(l->conns[i]);
        l->conns[i] = NULL;
        l->reconnects++;
        l->reconnect_ns = bench_now_ns() + RECONNECT_NS;
    }
}

static unsigned in_flight(const struct loader *l)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->conns_n; i++)
        n += l->conns[i] ? l->conns[i]->in_flight : 0;
    return n;
}

static void reopen(struct loader *l, uint64_t now)
{
    if (now < l->reconnect_ns)
        return;
    for (unsigned i = 0; i < l->conns_n; i++) {
        if (!l->conns[i])
            conn_open(l, i);
        if (!l->conns[i])
            l->reconnect_ns = now + RECONNECT_NS;
    }
}

/* Waits for events or until the next request is due; no longer than until `deadline`. */
static void wait_and_serve(struct loader *l, uint64_t now, uint64_t due, uint64_t deadline)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t until = due < deadline && due > now ? due : deadline;
    uint64_t wait = until > now ? until - now : 0;
    int n;

    if (wait > RECONNECT_NS)
        wait = RECONNECT_NS;
    n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &(struct timespec){(time_t)(wait / NS_PER_S), (long)(wait % NS_PER_S)}, NULL);
    if (n < 0 && errno != EINTR)
        bench_die("epoll_pwait2");
    for (int i = 0; i < n; i++)
        conn_progress(l, events[i].data.u32);
}

/* Open loops, and closed ones with a window, start requests when they are due, not only when a socket moves. */
static void start_due(struct loader *l, uint64_t now)
{
    static unsigned turn;

    for (unsigned i = 0; i < l->conns_n && load_next_due(&l->run, now) <= now; i++) {
        unsigned at = (turn + i) % l->conns_n;
        if (l->conns[at] && l->conns[at]->in_flight < l->conns[at]->in_flight_max)
            conn_progress(l, at);
    }
    turn++;
}

static void run_load(struct loader *l, uint64_t drain_ns)
{
    for (;;) {
        uint64_t now = bench_now_ns(), due = load_next_due(&l->run, now);
        uint64_t deadline = l->run.end_ns + drain_ns;

        reopen(l, now);
        if (due <= now && (l->run.interval_ns > 0 || l->run.window))
            start_due(l, now);
        if (now >= deadline || (due == UINT64_MAX && in_flight(l) == 0))
            return;
        wait_and_serve(l, now, load_next_due(&l->run, now), deadline);
    }
}

static void report(const struct loader *l, double cpu_s)
{
    const struct load_run *r = &l->run;
    uint64_t last = r->last_answer_ns > r->start_ns ? r->last_answer_ns : r->start_ns;

    printf("{\"start_ns\":%llu,\"started\":%llu,\"ok\":%llu,\"refused\":%llu,\"failed\":%llu,\"payload_bytes\":%llu,\"body_bytes\":%llu,\"seconds\":%.6f,"
           "\"cpu_s\":%.6f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"reconnects\":%llu,\"fault\":\"%s\",\"refusal\":\"",
           (unsigned long long)r->start_ns, (unsigned long long)r->started, (unsigned long long)r->ok, (unsigned long long)r->refused, (unsigned long long)r->failed,
           (unsigned long long)r->ok_payload_bytes, (unsigned long long)r->ok_body_bytes, (double)(last - r->start_ns) / 1e9, cpu_s,
           (double)histogram_quantile(&r->latency, 0.5) / 1e6, (double)histogram_quantile(&r->latency, 0.99) / 1e6,
           (unsigned long long)l->reconnects, l->last_fault);
    for (const char *at = r->first_refusal; *at; at++)
        putchar(*at == '"' || *at == '\\' || (unsigned char)*at < ' ' ? ' ' : *at);
    printf("\"}\n");
    fflush(stdout);
}

static void run_command(struct loader *l, const char *command)
{
    double seconds = bench_number(command, "seconds", FOREVER_S), rate = bench_number(command, "rate", 0);
    double cpu = bench_cpu_s();

    memset(&l->run, 0, sizeof l->run);
    l->run.messages = &l->messages;
    l->run.interval_ns = rate > 0 ? 1e9 / rate : 0;
    l->run.count_max = (uint64_t)bench_number(command, "count", 0);
    l->run.window = (uint64_t)bench_number(command, "window", 0);
    l->run.arrived = l->arrived;
    l->run.arrived_before = __atomic_load_n(l->arrived, __ATOMIC_RELAXED);
    l->port = (uint16_t)bench_number(command, "port", 0);
    l->in_flight_each = (unsigned)bench_number(command, "in_flight", 1);
    l->conns_n = (unsigned)bench_number(command, "connections", 1);
    l->conns_n = l->conns_n < CONNECTIONS_MAX ? l->conns_n : CONNECTIONS_MAX;
    l->reconnect_ns = l->reconnects = 0;
    l->last_fault[0] = '\0';
    if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        bench_die("epoll_create1");
    l->run.start_ns = bench_now_ns();
    l->run.end_ns = l->run.start_ns + (uint64_t)(seconds * 1e9);
    run_load(l, (uint64_t)(bench_number(command, "drain", 30) * 1e9));
    for (unsigned i = 0; i < l->conns_n; i++) {
        if (l->conns[i])
            l->protocol->close(l->conns[i]);
        l->conns[i] = NULL;
    }
    close(l->epoll);
    report(l, bench_cpu_s() - cpu);
}

int main(int argc, char **argv)
{
    static struct loader loader;
    char command[1024];

    if (argc != 5 || (strcmp(argv[1], "grpc") != 0 && strcmp(argv[1], "http") != 0)) {
        fprintf(stderr, "usage: otlp_load grpc|http none|gzip|zstd FOLDER COUNTER\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    loader.protocol = strcmp(argv[1], "grpc") == 0 ? &load_grpc : &load_http;
    loader.messages = messages_load(argv[3], encoding_named(argv[2]), loader.protocol->prefix_len);
    loader.arrived = bench_shared_counter(argv[4]);
    printf("{\"messages\":%zu}\n", loader.messages.n);
    fflush(stdout);
    while (fgets(command, sizeof command, stdin)) {
        if (strncmp(command, "run ", 4) == 0)
            run_command(&loader, command);
    }
    return 0;
}
