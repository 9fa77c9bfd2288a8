#include "grpc_connection.h"

#include <stdio.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "grpc_session.h"
#include "grpc_socket.h"

/* Reads of one turn, so that one server does not starve the rest of the loop. */
#define READS_PER_TURN 4

enum state { CONNECTING, HANDSHAKING, OPEN, CLOSED };

struct pp_grpc_connection {
    uv_poll_t poll;
    uv_prepare_t turn_end; /* runs while there may be something to write */
    int handles;           /* not closed yet */
    struct pp_loop *loop;
    const struct pp_grpc_peer *peer;
    struct pp_grpc_keepalive keepalive;
    const struct pp_grpc_connection_events *events;
    void *arg;
    struct pp_grpc_socket socket;
    struct pp_grpc_session *session;
    struct pp_timer *timer; /* of connecting, then of keepalive */
    enum state state;
    bool ready, going_away;
    bool turn_end_runs;
    bool want_write;  /* a write did not take everything */
    bool step_writes; /* the handshake waits for the socket to be writable */
    bool watched, asked; /* keepalive: its timer runs; a ping is out */
    uint64_t heard_ms;   /* from the server, by the loop's clock */
    int polled;          /* events asked of libuv */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_timer(void *connection);

/* Asks for exactly the events that somebody waits for. */
static void update_poll(struct pp_grpc_connection *c)
{
    int events = 0;

    switch (c->state) {
    case CONNECTING:
        events = UV_WRITABLE;
        break;
    case HANDSHAKING:
        events = c->step_writes ? UV_WRITABLE : UV_READABLE;
        break;
    case OPEN:
        events = c->want_write ? UV_READABLE | UV_WRITABLE : UV_READABLE;
        break;
    case CLOSED:
        return;
    }
    if (events != c->polled) {
        c->polled = events;
        uv_poll_start(&c->poll, events, on_poll);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pp_grpc_connection *c = handle->data;

    if (--c->handles == 0) {
        pp_loop_unref(c->loop);
        pp_free(c);
    }
}

/* Gives up everything but the struct itself, which the owner frees. */
static void shut(struct pp_grpc_connection *c)
{
    if (c->state == CLOSED) {
        return;
    }
    c->state = CLOSED;
    uv_poll_stop(&c->poll);
    uv_prepare_stop(&c->turn_end);
    pp_timer_free(c->timer);
    c->timer = NULL;
    pp_grpc_socket_close(&c->socket);
}

void pp_grpc_connection_free(struct pp_grpc_connection *c)
{
    if (!c) {
        return;
    }
    shut(c);
    pp_grpc_session_free(c->session);
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    uv_close((uv_handle_t *)&c->turn_end, on_handle_closed);
}

/* Tells of calls that have ended, in what was read or because they could not be sent any more. */
static void end_calls(struct pp_grpc_connection *c)
{
    struct pp_grpc_call *call;
    const char *why;

    while ((call = pp_grpc_session_take_ended(c->session, &why))) {
        call->connection = NULL;
        if (call->complete) {
            pp_grpc_call_answer(call);
        } else if (call->refused && !call->tried_again) {
            c->events->on_refused(c->arg, call, why);
        } else {
            pp_grpc_call_fail(call, PP_STATUS_UNAVAILABLE, why);
        }
    }
}

/* The connection is gone: its calls fail or, if nothing of them has left, may go elsewhere. The last thing anyone does with it. */
static void fail(struct pp_grpc_connection *c, const char *why)
{
    char text[PP_ANSWER_TEXT_MAX];
    struct pp_grpc_call *call;

    snprintf(text, sizeof(text), "%.*s", PP_ANSWER_TEXT_MAX - 1, why);
    shut(c);
    end_calls(c);
    while ((call = pp_grpc_session_take_any(c->session))) {
        call->connection = NULL;
        if (call->sent == 0 && !call->tried_again) {
            c->events->on_refused(c->arg, call, text);
        } else {
            pp_grpc_call_fail(call, PP_STATUS_UNAVAILABLE, text);
        }
    }
    c->events->on_closed(c->arg, text);
}

/* After reading or writing. The last thing done with a connection that ends with its last call. */
static void settle(struct pp_grpc_connection *c)
{
    end_calls(c);
    if (c->going_away && !pp_grpc_session_has_calls(c->session)) {
        fail(c, "the server went away");
    } else {
        update_poll(c);
    }
}

static void on_turn_end(uv_prepare_t *handle);

/* What is to be written leaves when this turn of the loop has collected everything. */
static void schedule_write(struct pp_grpc_connection *c)
{
    if (!c->turn_end_runs && c->state == OPEN) {
        c->turn_end_runs = true;
        uv_prepare_start(&c->turn_end, on_turn_end);
    }
}

static bool write_front(struct pp_grpc_connection *c, struct pp_error *err)
{
    struct pp_grpc_outbox *outbox = pp_grpc_session_outbox(c->session);
    struct iovec slices[PP_GRPC_SLICES_MAX];
    ssize_t n = pp_grpc_socket_write(&c->socket, slices, pp_grpc_outbox_front(outbox, slices, PP_GRPC_SLICES_MAX), err);

    if (n > 0) {
        pp_grpc_outbox_written(outbox, (size_t)n);
    }
    c->want_write = n == 0;
    return n >= 0;
}

static void write_out(struct pp_grpc_connection *c)
{
    struct pp_grpc_outbox *outbox = pp_grpc_session_outbox(c->session);
    struct pp_error err = {0};
    bool ok, more;

    /* Until the session has no more to say: what it holds back for want of room comes once something has left. */
    c->want_write = false;
    do {
        ok = pp_grpc_session_fill(c->session, &err);
        more = ok && outbox->n > 0;
        ok = ok && (!more || write_front(c, &err));
    } while (ok && more && !c->want_write);
    if (ok) {
        settle(c);
    } else {
        fail(c, err.message);
    }
}

static void on_turn_end(uv_prepare_t *handle)
{
    struct pp_grpc_connection *c = handle->data;

    uv_prepare_stop(&c->turn_end);
    c->turn_end_runs = false;
    if (c->state == OPEN && !c->want_write) {
        write_out(c);
    }
}

static uint64_t now_ms(const struct pp_grpc_connection *c)
{
    return uv_now(pp_loop_uv(c->loop));
}

/* Starts keepalive's timer when there is a reason to ask the server. */
static void watch(struct pp_grpc_connection *c)
{
    bool wanted = c->keepalive.without_calls || pp_grpc_session_has_calls(c->session);

    if (c->keepalive.time_ms == 0 || c->watched || !c->ready || !wanted) {
        return;
    }
    c->watched = true;
    pp_timer_start(c->timer, c->keepalive.time_ms);
}

/* The server has said something, maybe the answer to a ping: silence counts from here. */
static void hear(struct pp_grpc_connection *c)
{
    c->heard_ms = now_ms(c);
    if (c->asked) {
        c->asked = false;
        pp_timer_start(c->timer, c->keepalive.time_ms);
    }
}

static void keep_alive(struct pp_grpc_connection *c)
{
    uint64_t silent_ms = now_ms(c) - c->heard_ms;

    c->watched = false;
    if (c->asked && silent_ms >= c->keepalive.timeout_ms) {
        fail(c, "keepalive: the server does not answer a ping");
        return;
    }
    if (silent_ms < c->keepalive.time_ms) {
        /* It has spoken meanwhile: from then on. */
        c->watched = c->keepalive.without_calls || pp_grpc_session_has_calls(c->session);
        if (c->watched) {
            pp_timer_start(c->timer, c->keepalive.time_ms - silent_ms);
        }
        return;
    }
    if (!c->keepalive.without_calls && !pp_grpc_session_has_calls(c->session)) {
        return;
    }
    c->asked = pp_grpc_session_ping(c->session);
    c->heard_ms = now_ms(c); /* from here on the answer is waited for */
    c->watched = true;
    pp_timer_start(c->timer, c->keepalive.timeout_ms);
    schedule_write(c);
}

static void on_timer(void *connection)
{
    struct pp_grpc_connection *c = connection;

    if (c->ready) {
        keep_alive(c);
    } else {
        fail(c, c->state == CONNECTING    ? "cannot connect: timed out"
                : c->state == HANDSHAKING ? "TLS handshake failed: timed out"
                                          : "the server does not speak HTTP/2: it said nothing");
    }
}

/* After the session has heard something. */
static void react(struct pp_grpc_connection *c)
{
    if (!c->ready && pp_grpc_session_ready(c->session)) {
        c->ready = true;
        pp_timer_stop(c->timer);
        c->events->on_ready(c->arg);
        watch(c);
    }
    end_calls(c);
    if (c->ready && !c->going_away && !pp_grpc_session_takes_calls(c->session)) {
        c->going_away = true;
        c->events->on_going_away(c->arg, pp_grpc_session_pings_too_much(c->session));
    }
    schedule_write(c);
}

/* False: the connection is gone. */
static bool read_once(struct pp_grpc_connection *c, bool *ret_more)
{
    char *scratch = pp_loop_scratch(c->loop);
    struct pp_error err = {0};
    ssize_t n = -1;

    *ret_more = false;
    if (!scratch) {
        pp_error_nomem(&err);
    } else {
        n = pp_grpc_socket_read(&c->socket, scratch, PP_LOOP_SCRATCH_BYTES, &err);
    }
    if (n == 0) {
        return true;
    }
    hear(c);
    if (n < 0 || !pp_grpc_session_receive(c->session, (struct pp_str){scratch, (size_t)n}, &err)) {
        fail(c, err.message);
        return false;
    }
    react(c);
    /* A short read of clear text means an empty socket: saves the call that would say so. */
    *ret_more = c->socket.ssl || n == PP_LOOP_SCRATCH_BYTES;
    return true;
}

static void read_some(struct pp_grpc_connection *c)
{
    bool more = true;

    /* Under TLS to the end: what OpenSSL holds already no poll would announce. */
    for (int i = 0; more && (i < READS_PER_TURN || c->socket.ssl); i++) {
        if (!read_once(c, &more)) {
            return;
        }
    }
    settle(c);
}

static void open_session(struct pp_grpc_connection *c)
{
    c->state = OPEN;
    c->heard_ms = now_ms(c);
    write_out(c);
}

static void step_handshake(struct pp_grpc_connection *c)
{
    struct pp_error err = {0};

    switch (pp_grpc_socket_handshake(&c->socket, &err)) {
    case PP_GRPC_DONE:
        open_session(c);
        return;
    case PP_GRPC_FAILED:
        fail(c, err.message);
        return;
    case PP_GRPC_WAIT_WRITE:
        c->step_writes = true;
        break;
    case PP_GRPC_WAIT_READ:
        c->step_writes = false;
        break;
    }
    update_poll(c);
}

static void on_connected(struct pp_grpc_connection *c)
{
    struct pp_error err = {0}, warning = {0};

    if (!pp_grpc_socket_connected(&c->socket, &err)) {
        fail(c, err.message);
        return;
    }
    if (!c->peer->tls) {
        open_session(c);
        return;
    }
    if (!pp_grpc_socket_use_tls(&c->socket, c->peer->tls, c->peer->server_name, c->peer->verify, &warning, &err)) {
        fail(c, err.message);
        return;
    }
    if (warning.kind != PP_ERR_NONE) {
        pp_log(PP_LOG_WARN, c->peer->log_id, "%s", warning.message);
    }
    c->state = HANDSHAKING;
    step_handshake(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pp_grpc_connection *c = poll->data;

    /* A broken socket is asked itself for the reason. */
    events = status < 0 ? UV_READABLE | UV_WRITABLE : events;
    switch (c->state) {
    case CONNECTING:
        on_connected(c);
        break;
    case HANDSHAKING:
        step_handshake(c);
        break;
    case OPEN:
        if (events & UV_WRITABLE) {
            c->want_write = false;
            schedule_write(c);
        }
        if (events & UV_READABLE) {
            read_some(c);
        }
        break;
    case CLOSED:
        break;
    }
}

struct pp_grpc_connection *pp_grpc_connection_new(struct pp_loop *loop, const struct sockaddr *address, socklen_t address_n,
                                                  const struct pp_grpc_peer *peer, const struct pp_grpc_keepalive *keepalive,
                                                  const struct pp_grpc_connection_events *events, void *arg, struct pp_error *err)
{
    struct pp_grpc_connection *c = pp_calloc(1, sizeof(*c));
    int rc;

    if (!c || !pp_grpc_socket_open(address, address_n, &c->socket, err)) {
        pp_free(c);
        if (!c) {
            pp_error_nomem(err);
        }
        return NULL;
    }
    c->session = pp_grpc_session_new(peer->headers, peer->headers_n);
    c->timer = pp_timer_new(loop, on_timer, c);
    if (!c->session || !c->timer) {
        pp_error_nomem(err);
        goto fail;
    }
    rc = uv_poll_init(pp_loop_uv(loop), &c->poll, c->socket.fd);
    if (rc != 0) {
        pp_error_set(err, PP_ERR_IO, "cannot watch a socket: %s", uv_strerror(rc));
        goto fail;
    }
    uv_prepare_init(pp_loop_uv(loop), &c->turn_end);
    c->poll.data = c->turn_end.data = c;
    c->handles = 2;
    c->loop = pp_loop_ref(loop);
    c->peer = peer;
    c->keepalive = *keepalive;
    c->events = events;
    c->arg = arg;
    pp_timer_start(c->timer, PP_GRPC_CONNECT_MS_MAX);
    update_poll(c);
    return c;
fail:
    pp_timer_free(c->timer);
    pp_grpc_session_free(c->session);
    pp_grpc_socket_close(&c->socket);
    pp_free(c);
    return NULL;
}

bool pp_grpc_connection_ready(const struct pp_grpc_connection *c)
{
    return c->state == OPEN && c->ready && !c->going_away && pp_grpc_session_takes_calls(c->session);
}

bool pp_grpc_connection_has_calls(const struct pp_grpc_connection *c)
{
    return pp_grpc_session_has_calls(c->session);
}

bool pp_grpc_connection_call(struct pp_grpc_connection *c, struct pp_grpc_call *call, struct pp_error *err)
{
    if (!pp_grpc_session_start(c->session, call, err)) {
        return false;
    }
    call->connection = c;
    watch(c);
    schedule_write(c);
    return true;
}

void pp_grpc_connection_cancel(struct pp_grpc_connection *c, struct pp_grpc_call *call)
{
    pp_grpc_session_cancel(c->session, call);
    call->connection = NULL;
    schedule_write(c);
}

void pp_grpc_connection_drain(struct pp_grpc_connection *c)
{
    c->going_away = true;
}
