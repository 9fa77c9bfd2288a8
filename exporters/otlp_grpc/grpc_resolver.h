/* A target's addresses, without blocking the loop. */
#ifndef PP_EXPORTERS_GRPC_RESOLVER_H
#define PP_EXPORTERS_GRPC_RESOLVER_H

#include <sys/socket.h>

#include "grpc_target.h"
#include "net/loop.h"

/* More than that of a name's addresses are not used. */
#define PP_GRPC_ADDRESSES_MAX 64u

struct pp_grpc_address {
    struct sockaddr_storage socket;
    socklen_t n;
};

/* The address when no name has to be looked up: a unix socket, a number; false otherwise, with PP_ERR_NONE unless the socket's path is too long. */
bool pp_grpc_address_of(const struct pp_grpc_target *target, struct pp_grpc_address *ret, struct pp_error *err);

struct pp_grpc_lookup;
/* `n` 0: `why` says what went wrong. */
typedef void pp_grpc_looked_up(void *arg, const struct pp_grpc_address *addresses, size_t n, const char *why);

/* Asks the system's resolver, on libuv's threads; `fn` is called later, on the loop. NULL: it cannot be asked. */
struct pp_grpc_lookup *pp_grpc_lookup_start(struct pp_loop *loop, const struct pp_grpc_target *target, pp_grpc_looked_up *fn, void *arg,
                                            struct pp_error *err);
/* `fn` is not called any more. The resolver itself cannot be stopped: it ends by its own timeouts. Accepts NULL. */
void pp_grpc_lookup_cancel(struct pp_grpc_lookup *lookup);

#endif
