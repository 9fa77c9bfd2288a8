#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define HOST_MAX 256
#define PORT_MAX 65535u

static bool malformed(const char *endpoint, const char *why, struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_CONFIG, "\"%s\" is not an address to listen on: %s", endpoint, why);
}

/* Splits into host (without brackets) and port. */
static bool split(const char *endpoint, char host[HOST_MAX], uint16_t *ret_port, struct pp_error *err)
{
    const char *colon = strrchr(endpoint, ':');
    struct pp_str name;
    uint64_t port;

    if (!colon)
        return malformed(endpoint, "no port; expected host:port", err);
    name = (struct pp_str){endpoint, (size_t)(colon - endpoint)};
    if (!pp_str_to_u64(pp_str_c(colon + 1), &port) || port > PORT_MAX)
        return malformed(endpoint, "the port must be a number from 0 to 65535", err);
    if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
        name = (struct pp_str){name.p + 1, name.n - 2};
    else if (memchr(name.p, ':', name.n))
        return malformed(endpoint, "an IPv6 address stands in brackets: [::1]:4317", err);
    if (name.n >= HOST_MAX)
        return malformed(endpoint, "host name too long", err);
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

static bool have_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static void set_any(int family, uint16_t port, struct pp_address *ret)
{
    *ret = (struct pp_address){0};
    if (family == AF_INET || (family == AF_UNSPEC && !have_ipv6())) {
        ret->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        ret->size = sizeof(ret->in);
    } else {
        ret->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        ret->size = sizeof(ret->in6);
        ret->v6_only = family == AF_INET6;
    }
}

static void take_info(const struct addrinfo *info, uint16_t port, int family, struct pp_address *ret)
{
    *ret = (struct pp_address){.size = info->ai_addrlen};
    memcpy(&ret->storage, info->ai_addr, info->ai_addrlen);
    if (ret->any.sa_family == AF_INET) {
        ret->in.sin_port = htons(port);
    } else {
        ret->in6.sin6_port = htons(port);
        /* "[::]" means both families, as in the Collector, unless tcp6 was asked for. */
        ret->v6_only = family == AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&ret->in6.sin6_addr);
    }
}

static bool resolve_tcp(const char *endpoint, int family, struct pp_address *ret, struct pp_error *err)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list, *pick;
    char host[HOST_MAX];
    uint16_t port = 0;
    int rc;

    if (!split(endpoint, host, &port, err))
        return false;
    if (host[0] == '\0') {
        set_any(family, port, ret);
        return true;
    }
    rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return pp_error_set(err, PP_ERR_IO, "cannot listen on %s: host \"%s\": %s", endpoint, host, gai_strerror(rc));
    for (pick = list; pick && pick->ai_family != AF_INET; pick = pick->ai_next)
        ;
    take_info(pick ? pick : list, port, family, ret);
    freeaddrinfo(list);
    return true;
}

static bool resolve_unix(const char *path, struct pp_address *ret, struct pp_error *err)
{
    size_t n = strlen(path);

    *ret = (struct pp_address){.size = sizeof(ret->un)};
    if (n == 0 || n >= sizeof(ret->un.sun_path))
        return pp_error_set(err, PP_ERR_CONFIG, "\"%s\": the path of a unix socket has 1 to %zu bytes", path,
                            sizeof(ret->un.sun_path) - 1);
    ret->un.sun_family = AF_UNIX;
    memcpy(ret->un.sun_path, path, n);
    return true;
}

bool pp_address_resolve(const char *endpoint, const char *transport, struct pp_address *ret, struct pp_error *err)
{
    if (strcmp(transport, "unix") == 0)
        return resolve_unix(endpoint, ret, err);
    if (strcmp(transport, "tcp") == 0)
        return resolve_tcp(endpoint, AF_UNSPEC, ret, err);
    if (strcmp(transport, "tcp4") == 0)
        return resolve_tcp(endpoint, AF_INET, ret, err);
    if (strcmp(transport, "tcp6") == 0)
        return resolve_tcp(endpoint, AF_INET6, ret, err);
    return pp_error_set(err, PP_ERR_CONFIG, "transport \"%s\" is none of tcp, tcp4, tcp6, unix", transport);
}

void pp_address_text(const struct pp_address *address, char text[PP_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct in6_addr *six = &address->in6.sin6_addr;

    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
        snprintf(text, PP_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->in.sin_port));
        break;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(six)) {
            inet_ntop(AF_INET, six->s6_addr + 12, host, sizeof(host));
            snprintf(text, PP_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->in6.sin6_port));
        } else {
            inet_ntop(AF_INET6, six, host, sizeof(host));
            snprintf(text, PP_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(address->in6.sin6_port));
        }
        break;
    case AF_UNIX:
        snprintf(text, PP_ADDRESS_TEXT_MAX, "%s",
                 address->size > offsetof(struct sockaddr_un, sun_path) && address->un.sun_path[0] ? address->un.sun_path
                                                                                                   : "unix");
        break;
    default:
        snprintf(text, PP_ADDRESS_TEXT_MAX, "?");
    }
}

bool pp_address_of_socket(int fd, struct pp_address *ret)
{
    struct pp_address address = {.size = sizeof(address.storage)};

    if (getsockname(fd, &address.any, &address.size) != 0)
        return false;
    address.v6_only = ret->v6_only;
    *ret = address;
    return true;
}
