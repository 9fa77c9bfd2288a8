/* An endpoint as the Collector's configuration writes it, as a gRPC target name. */
#ifndef PP_EXPORTERS_GRPC_TARGET_H
#define PP_EXPORTERS_GRPC_TARGET_H

#include "base/error.h"

/* Longest target, in bytes with its NUL; longer than any DNS name or socket path. */
#define PP_GRPC_TARGET_MAX 512

struct pp_grpc_target {
    char name[PP_GRPC_TARGET_MAX]; /* "dns:///host:port", "unix:path" */
    bool tls;                      /* https:// was written: TLS even with tls.insecure */
    bool http;  /* http:// was written, which, as in the Collector, does not turn TLS off */
    bool local; /* a unix socket */
};

/* Accepts host:port, [v6]:port, and these with http://, https:// or dns:// (dns:///, dns://server/)
 * before them, and unix:path, unix:///path, unix-abstract:name, passthrough:///host:port.
 * PP_ERR_CONFIG says what is wrong. */
bool pp_grpc_target_parse(const char *endpoint, struct pp_grpc_target *ret, struct pp_error *err);

/* Host (without brackets) and port of a target that is not local; *ret_port points into it. */
void pp_grpc_target_split(const struct pp_grpc_target *target, char host[PP_GRPC_TARGET_MAX], const char **ret_port);

#endif
