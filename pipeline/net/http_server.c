#include "net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_internal.h"

/* Connections taken in one turn of the loop. */
#define ACCEPTS_PER_TURN 64
/* Before trying again when there is no room: no file descriptors, or as many connections as allowed. */
#define ACCEPT_RETRY_MS 100u
#define WARN_INTERVAL_MS 60000u
#define WARNING_BYTES 320u
/* File descriptors that connections of all servers together leave to exporters, files and the rest; with fewer than twice as many, half. */
#define FDS_RESERVED 128u

const struct pp_http_server_options PP_HTTP_SERVER_DEFAULTS = {
    .connections_max = 4096,
    .body_bytes_max = 64u * 1024 * 1024,
    .inflight_bytes_max = 512u * 1024 * 1024,
    .header_bytes_max = 64u * 1024,
    .headers_max = 128,
    .streams_max = 256,
    .keep_alives = true,
    .header_timeout_ms = 60000,
    .stall_timeout_ms = 60000,
};

static atomic_size_t connections_of_all; /* servers of the process */

struct http_acceptor {
    uv_poll_t poll;
    struct http_shard *shard;
    int fd; /* a duplicate: while a successor shares the socket, each has its own */
};

struct pp_http_server *http_server_ref(struct pp_http_server *server)
{
    atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
    return server;
}

void http_server_unref(struct pp_http_server *server)
{
    if (!server || atomic_fetch_sub_explicit(&server->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < server->shards_n; i++)
        pp_loop_unref(server->shards[i].loop);
    pp_listener_close(server->listener);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->all_closed);
    pp_free(server->shards);
    pp_free(server);
}

static void warn_sometimes(struct pp_http_server *server, atomic_uint_fast64_t *warned_ms, const char *message)
{
    uint64_t now = http_now();
    uint_fast64_t last = atomic_load(warned_ms);

    if (!server->handler.on_warning || (last != 0 && now < last + WARN_INTERVAL_MS))
        return;
    if (atomic_compare_exchange_strong(warned_ms, &last, now))
        server->handler.on_warning(server->handler.context, message);
}

void http_server_warn(struct pp_http_server *server, const char *message)
{
    warn_sometimes(server, &server->warned_ms, message);
}

const char *pp_http_protection_name(enum pp_http_protection protection)
{
    static const char *const names[] = {"full", "evicted", "flooded", "slow"};

    return names[protection];
}

void http_server_protected(struct pp_http_server *server, enum pp_http_protection protection, const char *peer)
{
    static const char *const texts[] = {
        [PP_HTTP_FULL] = "as many connections are open as allowed and none is idle; new ones wait",
        [PP_HTTP_EVICTED] = "as many connections are open as allowed; idle ones are closed to let new ones in",
        [PP_HTTP_FLOODED] = "closed a connection that sent a flood of HTTP/2 frames",
        [PP_HTTP_SLOW] = "closed a connection that was too slow",
    };
    char message[WARNING_BYTES];

    if (server->handler.on_protection)
        server->handler.on_protection(server->handler.context, protection);
    snprintf(message, sizeof(message), "%s: %s%s%s", server->address, texts[protection], peer ? ": " : "", peer ? peer : "");
    warn_sometimes(server, &server->protections_warned_ms[protection], message);
}

void http_server_conn_opened(struct pp_http_server *server)
{
    atomic_fetch_add(&connections_of_all, 1);
    atomic_fetch_add(&server->connections, 1);
}

void http_server_conn_closed(struct pp_http_server *server)
{
    atomic_fetch_sub(&connections_of_all, 1);
    if (atomic_fetch_sub(&server->connections, 1) != 1)
        return;
    pthread_mutex_lock(&server->lock);
    pthread_cond_broadcast(&server->all_closed);
    pthread_mutex_unlock(&server->lock);
}

struct pp_str http_shard_date(struct http_shard *shard)
{
    time_t now = (time_t)(pp_clock_unix_ns() / PP_NS_PER_S);
    struct tm tm;

    if ((uint64_t)now != shard->date_s) {
        shard->date_s = (uint64_t)now;
        gmtime_r(&now, &tm);
        strftime(shard->date, sizeof(shard->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return pp_str_c(shard->date);
}

static void on_acceptor_closed(uv_handle_t *handle)
{
    pp_free(handle->data);
}

static void stop_accepting(struct http_shard *shard)
{
    struct http_acceptor *acceptor = shard->acceptor;

    if (!acceptor)
        return;
    shard->acceptor = NULL;
    uv_poll_stop(&acceptor->poll);
    uv_close((uv_handle_t *)&acceptor->poll, on_acceptor_closed);
    close(acceptor->fd);
}

static void pause_accepting(struct http_shard *shard)
{
    stop_accepting(shard);
    pp_timer_start(shard->retry_accept, ACCEPT_RETRY_MS);
}

/* Whether to go on accepting after this error. */
static bool after_accept_error(struct http_shard *shard, int error)
{
    char message[256];

    if (error == EAGAIN || error == EWOULDBLOCK)
        return false;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        if (http_shard_make_room(shard))
            return true;
        snprintf(message, sizeof(message), "cannot accept connections on %s: %s; trying again",
                 shard->server->address, strerror(error));
        http_server_warn(shard->server, message);
        pause_accepting(shard);
        return false;
    }
    return true; /* a peer that went away in the queue */
}

/* By its own limit, or by what all servers together may take of the process's descriptors. */
static bool is_full(const struct pp_http_server *server)
{
    return atomic_load(&server->connections) >= server->options.connections_max ||
           atomic_load(&connections_of_all) >= server->connections_of_all_max;
}

static bool somebody_waits(const struct http_acceptor *acceptor)
{
    struct pollfd waiting = {acceptor->fd, POLLIN, 0};

    return poll(&waiting, 1, 0) == 1;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct http_acceptor *acceptor = poll->data;
    struct http_shard *shard = acceptor->shard;
    struct pp_http_server *server = shard->server;
    const int on = 1;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd;

        if (is_full(server)) {
            if (!somebody_waits(acceptor))
                return;
            if (!http_shard_make_room(shard)) {
                http_server_protected(server, PP_HTTP_FULL, NULL);
                pause_accepting(shard);
                return;
            }
        }
        fd = accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (!after_accept_error(shard, errno))
                return;
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a unix socket says no, rightly */
        http_conn_open(shard, fd);
    }
}

static bool start_accepting(struct http_shard *shard)
{
    struct http_acceptor *acceptor = pp_calloc(1, sizeof(*acceptor));
    size_t number = (size_t)(shard - shard->server->shards);

    if (!acceptor)
        return false;
    acceptor->shard = shard;
    acceptor->fd = fcntl(pp_listener_fd(shard->server->listener, number), F_DUPFD_CLOEXEC, 0);
    if (acceptor->fd < 0 || uv_poll_init(pp_loop_uv(shard->loop), &acceptor->poll, acceptor->fd) != 0) {
        if (acceptor->fd >= 0)
            close(acceptor->fd);
        pp_free(acceptor);
        return false;
    }
    acceptor->poll.data = acceptor;
    shard->acceptor = acceptor;
    uv_poll_start(&acceptor->poll, UV_READABLE, on_acceptable);
    return true;
}

static void on_retry_accept(void *arg)
{
    struct http_shard *shard = arg;

    if (!shard->draining && !shard->acceptor && !start_accepting(shard))
        pp_timer_start(shard->retry_accept, ACCEPT_RETRY_MS);
}

struct shard_start {
    struct http_shard *shard;
    bool ok;
};

static void shard_start(void *arg)
{
    struct shard_start *start = arg;
    struct http_shard *shard = start->shard;

    shard->retry_accept = pp_timer_new(shard->loop, on_retry_accept, shard);
    start->ok = shard->retry_accept && start_accepting(shard);
}

static void shard_drain(void *arg)
{
    struct http_shard *shard = arg;
    struct http_conn *next;

    shard->draining = true;
    stop_accepting(shard);
    pp_timer_free(shard->retry_accept);
    shard->retry_accept = NULL;
    for (struct http_conn *conn = shard->conns; conn; conn = next) {
        next = conn->next;
        http_conn_enter(conn);
        if (conn->protocol)
            conn->protocol->drain(conn);
        else
            http_conn_close(conn);
        http_conn_leave(conn);
    }
}

static void shard_abort(void *arg)
{
    struct http_shard *shard = arg;

    while (shard->conns) {
        struct http_conn *conn = shard->conns;

        http_conn_enter(conn);
        http_conn_close(conn);
        http_conn_leave(conn);
    }
}

/* Strings of the options in one block behind the server's own struct. */
static size_t string_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *copy_string(char **at, const char *s)
{
    const char *copy = *at;

    if (!s)
        return NULL;
    memcpy(*at, s, strlen(s) + 1);
    *at += strlen(s) + 1;
    return copy;
}

static size_t connections_of_all_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur > 2 * FDS_RESERVED ? limit.rlim_cur - FDS_RESERVED : limit.rlim_cur / 2;
}

static struct pp_http_server *make_server(const struct pp_http_server_options *options, const struct pp_http_handler *handler,
                                          const struct pp_loop_pool *loops)
{
    size_t strings = string_size(options->endpoint) + string_size(options->transport) + string_size(options->owner);
    struct pp_http_server *server = pp_calloc(1, sizeof(*server) + strings);
    char *at = (char *)(server + 1);
    pthread_condattr_t attr;

    if (!server)
        return NULL;
    server->shards = pp_calloc(loops->n, sizeof(*server->shards));
    if (!server->shards) {
        pp_free(server);
        return NULL;
    }
    server->options = *options;
    server->options.endpoint = copy_string(&at, options->endpoint);
    server->options.transport = copy_string(&at, options->transport);
    server->options.owner = copy_string(&at, options->owner);
    server->handler = *handler;
    server->connections_of_all_max = connections_of_all_max();
    atomic_init(&server->refs, 1);
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->all_closed, &attr);
    pthread_condattr_destroy(&attr);
    for (; server->shards_n < loops->n; server->shards_n++)
        server->shards[server->shards_n] =
            (struct http_shard){.server = server, .loop = pp_loop_ref(loops->loops[server->shards_n])};
    return server;
}

struct pp_http_server *pp_http_server_new(const struct pp_http_server_options *options, const struct pp_http_handler *handler,
                                          const struct pp_loop_pool *loops, struct pp_error *err)
{
    struct pp_http_server *server = make_server(options, handler, loops);

    if (!server) {
        pp_error_nomem(err);
        return NULL;
    }
    server->listener = pp_listener_open(options->endpoint, options->transport, options->owner, loops->n, err);
    if (!server->listener) {
        http_server_unref(server);
        return NULL;
    }
    snprintf(server->address, sizeof(server->address), "%s", pp_listener_address(server->listener));
    return server;
}

bool pp_http_server_start(struct pp_http_server *server, struct pp_error *err)
{
    server->started = true;
    for (size_t i = 0; i < server->shards_n; i++) {
        struct shard_start start = {.shard = &server->shards[i]};

        if (!pp_loop_call(server->shards[i].loop, shard_start, &start) || !start.ok) {
            pp_http_server_stop(server, 0);
            return pp_error_set(err, PP_ERR_IO, "cannot accept connections on %s: out of memory or file descriptors",
                                server->address);
        }
    }
    return true;
}

static void wait_closed(struct pp_http_server *server, uint64_t timeout_ms)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / PP_MS_PER_S);
    until.tv_nsec += (long)(timeout_ms % PP_MS_PER_S * PP_NS_PER_MS);
    if (until.tv_nsec >= (long)PP_NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= (long)PP_NS_PER_S;
    }
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->connections) > 0 && rc == 0)
        rc = pthread_cond_timedwait(&server->all_closed, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
}

void pp_http_server_stop(struct pp_http_server *server, uint64_t timeout_ms)
{
    if (!server->started || server->stopped)
        return;
    server->stopped = true;
    for (size_t i = 0; i < server->shards_n; i++)
        pp_loop_call(server->shards[i].loop, shard_drain, &server->shards[i]);
    /* Who comes now is told at once, unless a successor has the socket too. */
    pp_listener_close(server->listener);
    server->listener = NULL;
    wait_closed(server, timeout_ms);
    for (size_t i = 0; i < server->shards_n; i++)
        pp_loop_call(server->shards[i].loop, shard_abort, &server->shards[i]);
}

void pp_http_server_free(struct pp_http_server *server)
{
    if (!server)
        return;
    pp_http_server_stop(server, 0);
    pp_listener_close(server->listener);
    server->listener = NULL;
    http_server_unref(server);
}

const char *pp_http_server_address(const struct pp_http_server *server)
{
    return server->address;
}

size_t pp_http_server_connections(const struct pp_http_server *server)
{
    return atomic_load(&server->connections);
}
