/* Where a server listens, as the Collector's confignet. */
#ifndef PP_CONFIG_GROUPS_NET_H
#define PP_CONFIG_GROUPS_NET_H

#include "config/groups/duration.h"
#include "config/rows.h"

enum pp_transport { PP_TRANSPORT_TCP, PP_TRANSPORT_TCP4, PP_TRANSPORT_TCP6, PP_TRANSPORT_UNIX };

extern const char *const pp_transport_choices[];

/* Reports an endpoint that cannot be listened on: not host:port (host may be empty: every address;
 * IPv6 in brackets), a port over 65535, a host under unix. `key` is the endpoint's path below
 * `check`. */
void pp_endpoint_check(struct pp_check *check, const char *key, const char *endpoint,
                       int transport);

#endif
