#include "h1_connection.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "h1_dial.h"

/* Answers are a few hundred bytes. */
#define READ_BYTES (16u * 1024)

/* The socket, as libuv watches it. Lives on until libuv has let go of it. */
struct pp_h1_socket {
    uv_poll_t poll;
    struct pp_h1_connection *connection; /* NULL: closed */
    int fd;
    int polled;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_socket_closed(uv_handle_t *handle)
{
    pp_free(handle->data);
}

static void watch(struct pp_h1_socket *socket, int events)
{
    if (socket->polled != events) {
        socket->polled = events;
        uv_poll_start(&socket->poll, events, on_poll);
    }
}

/* The kernel's buffer took it, all or a part. */
static bool write_some(struct pp_h1_connection *connection, const struct pp_h1_call *call, size_t total)
{
    const struct iovec all[] = {{(char *)call->head.p, call->head.n}, {(char *)call->end, call->end_n}, {call->body->data, call->body->len}};
    struct iovec left[3];
    struct msghdr message = {.msg_iov = left};
    size_t skip = connection->sent;
    ssize_t n;

    for (size_t i = 0; i < 3; i++) {
        size_t gone = skip < all[i].iov_len ? skip : all[i].iov_len;

        skip -= gone;
        if (gone < all[i].iov_len) {
            left[message.msg_iovlen++] = (struct iovec){(char *)all[i].iov_base + gone, all[i].iov_len - gone};
        }
    }
    n = sendmsg(connection->socket->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        connection->mute = true;
        return false;
    }
    connection->sent += n > 0 ? (size_t)n : 0;
    return n > 0 && connection->sent < total;
}

/* Writes what goes, and asks for events accordingly. */
static void write_request(struct pp_h1_connection *connection)
{
    const struct pp_h1_call *call = connection->call;
    size_t total = call->head.n + call->end_n + call->body->len;

    while (!connection->mute && connection->sent < total && write_some(connection, call, total))
        ;
    watch(connection->socket, UV_READABLE | (!connection->mute && connection->sent < total ? UV_WRITABLE : 0));
}

static void start_request(struct pp_h1_connection *connection, struct pp_h1_call *call)
{
    connection->call = call;
    connection->sent = 0;
    pp_h1_answer_reset(&connection->reader);
    call->connection = connection;
}

static void answered(struct pp_h1_connection *connection)
{
    struct pp_h1_call *call = connection->call;
    bool sent = connection->sent == call->head.n + call->end_n + call->body->len;

    connection->call = NULL;
    call->connection = NULL;
    connection->used = true;
    watch(connection->socket, UV_READABLE);
    connection->events->answered(connection->pool, connection, call, sent && !connection->mute && connection->reader.keep_alive);
}

static void failed(struct pp_h1_connection *connection)
{
    struct pp_h1_call *call = connection->call;

    connection->call = NULL;
    call->connection = NULL;
    connection->events->failed(connection->pool, connection, call, connection->used && !connection->reader.begun);
}

/* True: more of the answer is to come. False: the connection may be gone. */
static bool take(struct pp_h1_connection *connection, enum pp_h1_event event)
{
    if (event == PP_H1_DONE) {
        answered(connection);
    } else if (event == PP_H1_BAD) {
        failed(connection);
    }
    return event == PP_H1_MORE;
}

static void broke(struct pp_h1_connection *connection, int error)
{
    struct pp_http_answer *answer = &connection->reader.answer;

    answer->status = 0;
    snprintf(answer->message, sizeof(answer->message), "the connection broke: %s", strerror(error));
    failed(connection);
}

/* As `take`. */
static bool read_answer(struct pp_h1_connection *connection)
{
    char data[READ_BYTES];
    ssize_t n = recv(connection->socket->fd, data, sizeof(data), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !connection->mute) {
        return true;
    }
    if (!connection->call) {
        connection->events->closed(connection->pool, connection); /* the server has closed it, or speaks without being asked */
    } else if (n > 0) {
        return take(connection, pp_h1_answer_take(&connection->reader, (struct pp_str){data, (size_t)n}));
    } else if (n == 0) {
        return take(connection, pp_h1_answer_end(&connection->reader));
    } else {
        broke(connection, errno == EAGAIN || errno == EINTR ? EPIPE : errno);
    }
    return false;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pp_h1_connection *connection = ((struct pp_h1_socket *)poll->data)->connection;

    if ((events & UV_WRITABLE) && connection->call) {
        write_request(connection);
    }
    if (status < 0) {
        connection->mute = true; /* libuv watches no more: what is there is read now, up to the error */
        while (read_answer(connection))
            ;
    } else if (events & UV_READABLE) {
        read_answer(connection);
    }
}

static struct pp_h1_socket *socket_new(struct pp_h1_connection *connection, int fd)
{
    struct pp_h1_socket *socket = pp_calloc(1, sizeof(*socket));

    if (!socket || uv_poll_init(pp_loop_uv(connection->loop), &socket->poll, fd) != 0) {
        pp_free(socket);
        close(fd);
        return NULL;
    }
    socket->poll.data = socket;
    socket->fd = fd;
    socket->connection = connection;
    return socket;
}

static void on_dialed(void *arg, int fd, const char *why)
{
    struct pp_h1_connection *connection = arg;

    connection->dial = NULL;
    if (fd >= 0) {
        connection->socket = socket_new(connection, fd);
        why = "out of memory";
    }
    if (connection->socket) {
        write_request(connection);
        return;
    }
    pp_answer_text(connection->reader.answer.message, pp_str_c(why));
    failed(connection);
}

struct pp_h1_connection *pp_h1_connection_new(struct pp_loop *loop, struct pp_h1_pool *pool, const struct pp_h1_connection_events *events,
                                              const char *host, const char *port, struct pp_h1_call *call, struct pp_error *err)
{
    struct pp_h1_connection *connection = pp_calloc(1, sizeof(*connection));

    if (!connection) {
        pp_error_nomem(err);
        return NULL;
    }
    connection->loop = loop;
    connection->pool = pool;
    connection->events = events;
    pp_h1_answer_init(&connection->reader);
    connection->dial = pp_h1_dial_start(loop, host, port, on_dialed, connection, err);
    if (!connection->dial) {
        pp_free(connection);
        return NULL;
    }
    start_request(connection, call);
    return connection;
}

void pp_h1_connection_begin(struct pp_h1_connection *connection, struct pp_h1_call *call)
{
    start_request(connection, call);
    write_request(connection);
}

void pp_h1_connection_free(struct pp_h1_connection *connection)
{
    struct pp_h1_socket *socket = connection->socket;

    pp_h1_dial_cancel(connection->dial);
    if (socket) {
        socket->connection = NULL;
        uv_poll_stop(&socket->poll);
        uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
        close(socket->fd);
    }
    if (connection->call) {
        connection->call->connection = NULL;
    }
    pp_h1_answer_done(&connection->reader);
    pp_free(connection);
}
