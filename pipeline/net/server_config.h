/* From the shared configuration groups (config/groups) to what servers take. Strings are borrowed from the configuration. */
#ifndef PP_NET_SERVER_CONFIG_H
#define PP_NET_SERVER_CONFIG_H

#include "config/groups/grpc_server.h"
#include "config/groups/http_server.h"
#include "net/http_server.h"
#include "net/tls.h"

/* Fills *ret for pp_http_server_new and makes the TLS settings it points to, which the caller frees after the server
 * (pp_tls_server_free; NULL in the clear). `owner` is the component's log id. False when the certificates cannot be used; *ret and
 * *ret_tls are untouched then. */
bool pp_http_server_options_from(const struct pp_http_server_config *config, const char *owner, struct pp_http_server_options *ret,
                                 struct pp_tls_server **ret_tls, struct pp_error *err);
bool pp_grpc_server_options_from(const struct pp_grpc_server_config *config, const char *owner, struct pp_http_server_options *ret,
                                 struct pp_tls_server **ret_tls, struct pp_error *err);

/* What servers and clients share. */
void pp_tls_options_from(const struct pp_tls_config *config, struct pp_tls_options *ret);

#endif
