/* Listening sockets: TCP by host name or address, and unix sockets. All that can go wrong with an address goes wrong here, with one
 * line that says what to do. */
#ifndef PP_NET_LISTENER_H
#define PP_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct pp_listener;

/* Opens `shards` sockets on the same address (more than one: shared by SO_REUSEPORT, after making sure that nobody else is there).
 * `transport`: tcp, tcp4, tcp6, unix; NULL is tcp. A host name stands for its first address, IPv4 before IPv6; an empty host for every
 * address. A left-over unix socket that nobody answers on is replaced.
 * If a listener with the same endpoint and the same non-NULL owner is open in this process, both share its sockets. */
struct pp_listener *pp_listener_open(const char *endpoint, const char *transport, const char *owner, size_t shards,
                                     struct pp_error *err);
/* Closes the sockets (and removes a unix socket's file) if this was the last listener on them. Accepts NULL. */
void pp_listener_close(struct pp_listener *listener);

/* The socket of one shard: non-blocking, owned by the listener. */
int pp_listener_fd(const struct pp_listener *listener, size_t shard);
/* "127.0.0.1:4317", "[::]:4317" or the path. */
const char *pp_listener_address(const struct pp_listener *listener);
bool pp_listener_is_unix(const struct pp_listener *listener);

#endif
