/* From a host and a port to a connected socket, on a loop, without blocking it. */
#ifndef PP_EXPORTERS_H1_DIAL_H
#define PP_EXPORTERS_H1_DIAL_H

#include "net/loop.h"

struct pp_h1_dial;

/* `fd` is connected, non-blocking and the callee's; -1: `why` says what went wrong. Called later, once, on the loop; the dial is gone then. */
typedef void pp_h1_dialed(void *arg, int fd, const char *why);

/* `host` is a name or an address without brackets; both strings are borrowed till the end. NULL: it could not begin. */
struct pp_h1_dial *pp_h1_dial_start(struct pp_loop *loop, const char *host, const char *port, pp_h1_dialed *fn, void *arg,
                                    struct pp_error *err);
/* `fn` is not called any more. Accepts NULL. */
void pp_h1_dial_cancel(struct pp_h1_dial *dial);

#endif
