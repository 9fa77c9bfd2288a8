/* The full name of a host, by the system's resolver, within a time: the resolver's own limits add up to half a minute when its servers are away. */
#ifndef PP_RESOURCE_DETECTION_DNS_NAME_H
#define PP_RESOURCE_DETECTION_DNS_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define PP_DNS_NAME_BYTES_MAX 256

/* Asks for `host`; false when there is no answer. Blocks. */
typedef bool pp_dns_resolve_fn(const char *host, char ret_name[PP_DNS_NAME_BYTES_MAX]);

/* With getaddrinfo. */
pp_dns_resolve_fn pp_dns_resolve;

/* Waits at most `timeout_ns`; what takes longer goes on on a thread of its own till it ends, and its answer is lost. 0: no limit but the resolver's. */
bool pp_dns_name(pp_dns_resolve_fn *resolve, const char *host, int64_t timeout_ns, char ret_name[PP_DNS_NAME_BYTES_MAX]);

#endif
