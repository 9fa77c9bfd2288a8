/* Sockets, timers and the clock in memory: stands in for net/stream.c, net/loop.c, net/listener.c and base/clock.c, so that a fuzz target
 * drives the real HTTP server in one thread, without system calls, and every run of an input is the same. Link memory_net.c into the target
 * before the libraries: the members that it replaces are then never taken out of their archives. */
#ifndef PP_FUZZ_MEMORY_NET_H
#define PP_FUZZ_MEMORY_NET_H

#include "net/http_server.h"

/* The one loop there is; for pp_http_server_new. */
const struct pp_loop_pool *memory_loops(void);

/* How the peer of the next connection behaves. */
struct memory_peer {
    struct pp_str sends;
    size_t piece_bytes; /* what arrives at once; at least 1 */
    size_t reads_bytes; /* what it reads of the answers before it stops; SIZE_MAX: everything */
    bool half_closes;   /* sends its FIN behind the last byte; else it just stays */
    bool (*between)(void *arg); /* called between two pieces and while time goes by: may answer a request; whether it did */
    void *arg;
};

/* Connects to the server, plays the peer, then lets the time go by until the server has closed the connection; a server that does not do so in
 * `patience_ms` of the clock here is a fault (abort). */
void memory_net_play(struct pp_http_server *server, const struct memory_peer *peer, uint64_t patience_ms);

#endif
