#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"

#define BACKLOG 4096

/* The open sockets on one address; shared by the listeners of one owner while a configuration is being replaced. */
struct sockets {
    struct sockets *next;
    char *endpoint, *transport, *owner; /* owner NULL: never shared */
    unsigned refs;
    int *fds;
    size_t n;
    char address[PP_ADDRESS_TEXT_MAX];
    bool is_unix;
    dev_t device; /* of the unix socket's file, to remove only our own */
    ino_t inode;
};

struct pp_listener {
    struct sockets *sockets;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sockets *all;

static bool cannot(struct pp_error *err, const char *what, int error)
{
    const char *hint = "";

    if (error == EADDRINUSE)
        hint = "; stop the process that listens there or choose another endpoint";
    else if (error == EADDRNOTAVAIL)
        hint = "; this machine has no such address";
    else if (error == EACCES)
        hint = "; ports below 1024 need CAP_NET_BIND_SERVICE, a unix socket a writable folder";
    return pp_error_set(err, PP_ERR_IO, "cannot listen on %s: %s%s", what,
                        error == EADDRINUSE ? "address already in use" : strerror(error), hint);
}

/* A bound and listening socket, or -1 with errno. */
static int open_socket(const struct pp_address *address, bool reuse_port)
{
    const int on = 1, off = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    if (address->any.sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->v6_only ? &on : &off, sizeof(on));
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        goto fail;
    if (bind(fd, &address->any, address->size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
fail:
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Whether somebody answers behind a unix socket's file. */
static bool unix_socket_is_alive(const struct pp_address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused;

    if (fd < 0)
        return true;
    refused = connect(fd, &address->any, address->size) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

static int open_unix(const struct pp_address *address)
{
    int fd = open_socket(address, false);
    struct stat st;

    if (fd >= 0 || errno != EADDRINUSE)
        return fd;
    /* Only a socket that a dead process left behind is removed, never another kind of file. */
    if (lstat(address->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || unix_socket_is_alive(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    unlink(address->un.sun_path);
    return open_socket(address, false);
}

static bool open_shards(struct sockets *sockets, struct pp_address *address, size_t shards, struct pp_error *err)
{
    /* The first one without SO_REUSEPORT: with it two daemons could share a port without noticing. */
    int fd = sockets->is_unix ? open_unix(address) : open_socket(address, false);

    if (fd < 0)
        return cannot(err, sockets->address, errno);
    sockets->fds[sockets->n++] = fd;
    if (sockets->is_unix) {
        struct stat st;

        if (lstat(address->un.sun_path, &st) == 0) {
            sockets->device = st.st_dev;
            sockets->inode = st.st_ino;
        }
        /* One queue for all: the kernel wakes whoever is free. */
        for (; sockets->n < shards; sockets->n++) {
            sockets->fds[sockets->n] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            if (sockets->fds[sockets->n] < 0)
                return cannot(err, sockets->address, errno);
        }
        return true;
    }
    pp_address_of_socket(fd, address); /* the port that port 0 has become */
    pp_address_text(address, sockets->address);
    if (shards == 1)
        return true;
    close(fd);
    for (sockets->n = 0; sockets->n < shards; sockets->n++) {
        sockets->fds[sockets->n] = open_socket(address, true);
        if (sockets->fds[sockets->n] < 0)
            return cannot(err, sockets->address, errno);
    }
    return true;
}

static void sockets_free(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->n; i++)
        close(sockets->fds[i]);
    if (sockets->is_unix && sockets->inode != 0) {
        struct stat st;

        if (lstat(sockets->address, &st) == 0 && st.st_dev == sockets->device && st.st_ino == sockets->inode)
            unlink(sockets->address);
    }
    pp_free(sockets->fds);
    pp_free(sockets->endpoint);
    pp_free(sockets->transport);
    pp_free(sockets->owner);
    pp_free(sockets);
}

static struct sockets *find_open(const char *endpoint, const char *transport, const char *owner, size_t shards)
{
    for (struct sockets *s = all; s; s = s->next)
        if (owner && s->owner && strcmp(s->owner, owner) == 0 && strcmp(s->endpoint, endpoint) == 0 &&
            strcmp(s->transport, transport) == 0 && s->n >= shards)
            return s;
    return NULL;
}

static struct sockets *open_new(const char *endpoint, const char *transport, const char *owner, size_t shards,
                                struct pp_error *err)
{
    struct sockets *sockets = pp_calloc(1, sizeof(*sockets));
    struct pp_address address;

    if (!sockets) {
        pp_error_nomem(err);
        return NULL;
    }
    sockets->refs = 1;
    sockets->endpoint = pp_strdup(endpoint);
    sockets->transport = pp_strdup(transport);
    sockets->owner = owner ? pp_strdup(owner) : NULL;
    sockets->fds = pp_calloc(shards, sizeof(*sockets->fds));
    if (!sockets->endpoint || !sockets->transport || (owner && !sockets->owner) || !sockets->fds) {
        pp_error_nomem(err);
        goto fail;
    }
    if (!pp_address_resolve(endpoint, transport, &address, err))
        goto fail;
    sockets->is_unix = address.any.sa_family == AF_UNIX;
    pp_address_text(&address, sockets->address);
    if (!open_shards(sockets, &address, shards, err))
        goto fail;
    sockets->next = all;
    all = sockets;
    return sockets;
fail:
    sockets_free(sockets);
    return NULL;
}

struct pp_listener *pp_listener_open(const char *endpoint, const char *transport, const char *owner, size_t shards,
                                     struct pp_error *err)
{
    struct pp_listener *listener = pp_calloc(1, sizeof(*listener));

    if (!listener) {
        pp_error_nomem(err);
        return NULL;
    }
    if (!transport)
        transport = "tcp";
    pthread_mutex_lock(&all_lock);
    listener->sockets = find_open(endpoint, transport, owner, shards);
    if (listener->sockets)
        listener->sockets->refs++;
    else
        listener->sockets = open_new(endpoint, transport, owner, shards, err);
    pthread_mutex_unlock(&all_lock);
    if (!listener->sockets) {
        pp_free(listener);
        return NULL;
    }
    return listener;
}

void pp_listener_close(struct pp_listener *listener)
{
    if (!listener)
        return;
    pthread_mutex_lock(&all_lock);
    if (--listener->sockets->refs == 0) {
        struct sockets **at = &all;

        while (*at != listener->sockets)
            at = &(*at)->next;
        *at = listener->sockets->next;
        sockets_free(listener->sockets);
    }
    pthread_mutex_unlock(&all_lock);
    pp_free(listener);
}

int pp_listener_fd(const struct pp_listener *listener, size_t shard)
{
    return listener->sockets->fds[shard];
}

const char *pp_listener_address(const struct pp_listener *listener)
{
    return listener->sockets->address;
}

bool pp_listener_is_unix(const struct pp_listener *listener)
{
    return listener->sockets->is_unix;
}
