/* Configuration over HTTP, for --config http(s)://... */
#ifndef PP_CLI_FETCH_H
#define PP_CLI_FETCH_H

#include "base/buf.h"
#include "base/error.h"

#define PP_FETCH_TIMEOUT_S 15L
#define PP_FETCH_REDIRECTS_MAX 5L

/* Appends the body of a successful GET to `ret_body`, whose maximum is the limit. */
bool pp_fetch(void *ctx, const char *url, struct pp_buf *ret_body, struct pp_error *err);

#endif
