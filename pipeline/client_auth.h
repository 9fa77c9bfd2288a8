/* The `auth` block of a client at work: the extension that it names puts headers into each request. */
#ifndef PP_PIPELINE_CLIENT_AUTH_H
#define PP_PIPELINE_CLIENT_AUTH_H

#include "config/groups/auth.h"
#include "pipeline/auth.h"

/* In `create`. *ret NULL when `config` is NULL: nothing signs. False when there is no such extension, or it is not to be used in the clear and `in_the_clear`
 * says that a gRPC connection is (RFC 6750 and RFC 7617 ask for TLS; the Collector insists with gRPC and not with HTTP). */
bool pp_client_auth_find(const struct pp_component *self, const struct pp_auth_config *config, bool in_the_clear, const struct pp_client_auth **ret,
                         struct pp_error *err);

/* The headers of a request that carries a batch with `context`: `headers` holds what it has without (HTTP: those of the configuration, which may be changed or
 * removed; gRPC: nothing, as in the Collector, so that what comes out is added to those of the configuration) and gets what the extension says. Text is in
 * the set's arena, names as the extension writes them. `auth` NULL leaves it as it is. False: the request must not be sent; PP_ERR_IO may pass. */
bool pp_client_auth_headers(const struct pp_client_auth *auth, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err);

/* The same for gRPC, into an empty set: names in lower case, values of "-bin" names in base64. PP_ERR_INVALID for names that gRPC has for itself and for
 * values that are not printable ASCII (PROTOCOL-HTTP2.md of the gRPC project, Custom-Metadata). */
bool pp_client_auth_metadata(const struct pp_client_auth *auth, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err);

#endif
