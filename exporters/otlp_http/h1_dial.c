#include "h1_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

/* Of a name's addresses more are not tried. */
#define ADDRESSES_MAX 16u
/* An address that does not answer gives way to the next one after this; the last one has as long as the caller waits. */
#define ATTEMPT_MS 2000u
#define WHY_MAX 256

/* A socket being connected. Lives on until libuv has let go of it. */
struct attempt {
    uv_poll_t poll;
    struct pp_h1_dial *dial; /* NULL: given up */
};

/* What libuv's resolver needs, which cannot always be stopped. */
struct lookup {
    uv_getaddrinfo_t request;
    struct pp_h1_dial *dial; /* NULL: nobody waits any more */
};

struct address {
    struct sockaddr_storage any;
    socklen_t n;
};

struct pp_h1_dial {
    struct pp_loop *loop;
    const char *host, *port;
    pp_h1_dialed *fn;
    void *arg;
    struct lookup *lookup;
    struct address addresses[ADDRESSES_MAX];
    size_t addresses_n, next;
    struct attempt *attempt;
    int fd;
    struct pp_timer *timer;
    char why[WHY_MAX];
};

static void on_attempt_closed(uv_handle_t *handle)
{
    pp_free(handle->data);
}

/* Lets go of the socket being connected, which stays open. */
static void end_attempt(struct pp_h1_dial *dial)
{
    struct attempt *attempt = dial->attempt;

    pp_timer_stop(dial->timer);
    if (attempt) {
        dial->attempt = NULL;
        attempt->dial = NULL;
        uv_poll_stop(&attempt->poll);
        uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
    }
}

static void dial_free(struct pp_h1_dial *dial)
{
    end_attempt(dial);
    if (dial->fd >= 0) {
        close(dial->fd);
    }
    pp_timer_free(dial->timer);
    pp_free(dial);
}

static void finish(struct pp_h1_dial *dial)
{
    pp_h1_dialed *fn = dial->fn;
    void *arg = dial->arg;
    char why[WHY_MAX];
    int fd = dial->fd;

    memcpy(why, dial->why, sizeof(why));
    dial->fd = -1;
    dial_free(dial);
    fn(arg, fd, why);
}

static void set_why(struct pp_h1_dial *dial, int error)
{
    snprintf(dial->why, sizeof(dial->why), "Failed to connect to %.150s port %s: %s", dial->host, dial->port, strerror(error));
}

static void on_connected(uv_poll_t *poll, int status, int events);

/* Starts to connect to one address; false, with the reason in `why`, when that fails at once. */
static bool attempt_start(struct pp_h1_dial *dial, const struct address *address)
{
    const int on = 1;
    struct attempt *attempt = pp_calloc(1, sizeof(*attempt));

    dial->fd = attempt ? socket(address->any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (dial->fd < 0) {
        set_why(dial, attempt ? errno : ENOMEM);
        pp_free(attempt);
        return false;
    }
    setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((connect(dial->fd, (const struct sockaddr *)&address->any, address->n) != 0 && errno != EINPROGRESS) ||
        uv_poll_init(pp_loop_uv(dial->loop), &attempt->poll, dial->fd) != 0) {
        set_why(dial, errno);
        close(dial->fd);
        dial->fd = -1;
        pp_free(attempt);
        return false;
    }
    attempt->dial = dial;
    attempt->poll.data = attempt;
    dial->attempt = attempt;
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_connected);
    if (dial->next < dial->addresses_n) {
        pp_timer_start(dial->timer, ATTEMPT_MS);
    }
    return true;
}

/* The next address, or the end. */
static void try_next(struct pp_h1_dial *dial)
{
    while (dial->next < dial->addresses_n) {
        if (attempt_start(dial, &dial->addresses[dial->next++])) {
            return;
        }
    }
    finish(dial);
}

static void give_up_attempt(struct pp_h1_dial *dial, int error)
{
    set_why(dial, error);
    end_attempt(dial);
    close(dial->fd);
    dial->fd = -1;
    try_next(dial);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct pp_h1_dial *dial = ((struct attempt *)poll->data)->dial;
    int error = 0;
    socklen_t n = sizeof(error);

    (void)events;
    /* libuv's own status only says that there is an error. */
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) {
        error = errno;
    } else if (error == 0 && status < 0) {
        error = -status;
    }
    if (error != 0) {
        give_up_attempt(dial, error);
        return;
    }
    end_attempt(dial);
    finish(dial);
}

/* The address is silent, or its turn begins: the start of a numeric address waits for the loop too, so that `fn` never comes from within
 * pp_h1_dial_start. */
static void on_timer(void *arg)
{
    struct pp_h1_dial *dial = arg;

    if (dial->attempt) {
        give_up_attempt(dial, ETIMEDOUT);
    } else {
        try_next(dial);
    }
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = request->data;
    struct pp_h1_dial *dial = lookup->dial;

    pp_free(lookup);
    for (const struct addrinfo *a = list; dial && status == 0 && a && dial->addresses_n < ADDRESSES_MAX; a = a->ai_next) {
        struct address *address = &dial->addresses[dial->addresses_n++];

        address->n = a->ai_addrlen;
        memcpy(&address->any, a->ai_addr, a->ai_addrlen);
    }
    uv_freeaddrinfo(list);
    if (!dial) {
        return;
    }
    dial->lookup = NULL;
    snprintf(dial->why, sizeof(dial->why), "Could not resolve host %.150s: %s", dial->host,
             status == 0 ? "no addresses" : uv_strerror(status));
    try_next(dial);
}

static bool lookup_start(struct pp_h1_dial *dial, struct pp_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct lookup *lookup = pp_calloc(1, sizeof(*lookup));
    int rc;

    if (!lookup) {
        return pp_error_nomem(err);
    }
    lookup->dial = dial;
    lookup->request.data = lookup;
    rc = uv_getaddrinfo(pp_loop_uv(dial->loop), &lookup->request, on_looked_up, dial->host, dial->port, &hints);
    if (rc != 0) {
        pp_free(lookup);
        return pp_error_set(err, PP_ERR_IO, "Could not resolve host %.150s: %s", dial->host, uv_strerror(rc));
    }
    dial->lookup = lookup;
    return true;
}

/* Whether the host is an address already; it is the only one then. */
static bool take_number(struct pp_h1_dial *dial)
{
    struct address *address = &dial->addresses[0];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->any;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->any;
    in_port_t port = htons((in_port_t)atoi(dial->port));

    if (inet_pton(AF_INET, dial->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        address->n = sizeof(*v4);
    } else if (inet_pton(AF_INET6, dial->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        address->n = sizeof(*v6);
    }
    dial->addresses_n = address->n > 0;
    return address->n > 0;
}

struct pp_h1_dial *pp_h1_dial_start(struct pp_loop *loop, const char *host, const char *port, pp_h1_dialed *fn, void *arg,
                                    struct pp_error *err)
{
    struct pp_h1_dial *dial = pp_calloc(1, sizeof(*dial));

    if (!dial) {
        pp_error_nomem(err);
        return NULL;
    }
    *dial = (struct pp_h1_dial){.loop = loop, .host = host, .port = port, .fn = fn, .arg = arg, .fd = -1};
    dial->timer = pp_timer_new(loop, on_timer, dial);
    if (!dial->timer) {
        pp_free(dial);
        pp_error_nomem(err);
        return NULL;
    }
    if (take_number(dial)) {
        pp_timer_start(dial->timer, 0);
    } else if (!lookup_start(dial, err)) {
        dial_free(dial);
        return NULL;
    }
    return dial;
}

void pp_h1_dial_cancel(struct pp_h1_dial *dial)
{
    if (!dial) {
        return;
    }
    if (dial->lookup) {
        dial->lookup->dial = NULL;
        uv_cancel((uv_req_t *)&dial->lookup->request); /* works while it waits for a thread; on_looked_up comes in any case */
    }
    dial_free(dial);
}
