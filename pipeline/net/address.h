/* Socket addresses to and from text. */
#ifndef PP_NET_ADDRESS_H
#define PP_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

/* "[v6%interface]:port", or a unix socket's path; with NUL. */
#define PP_ADDRESS_TEXT_MAX 128

struct pp_address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    };
    socklen_t size;
    bool v6_only; /* for listening: no IPv4 on this IPv6 socket */
};

/* "host:port", "[v6]:port", ":port" (every address, both families where the machine has them) with transport tcp, tcp4 or tcp6; a
 * path with unix. Looks host names up, which may block. PP_ERR_CONFIG for a malformed endpoint, PP_ERR_IO for an unknown host. */
bool pp_address_resolve(const char *endpoint, const char *transport, struct pp_address *ret, struct pp_error *err);
/* "127.0.0.1:4317", "[::1]:4317", the path, or "unix" for a nameless one; IPv4 in IPv6 shows as IPv4. */
void pp_address_text(const struct pp_address *address, char text[PP_ADDRESS_TEXT_MAX]);
/* The local address of a socket; false when the system says no. */
bool pp_address_of_socket(int fd, struct pp_address *ret);

#endif
