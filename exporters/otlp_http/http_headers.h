/* The header lines of a request, as curl takes them and as they go out. */
#ifndef PP_EXPORTERS_HTTP_HEADERS_H
#define PP_EXPORTERS_HTTP_HEADERS_H

#include <curl/curl.h>

#include "http_post.h"

/* Those of `headers`, the user's, and ours where there is none of that name. NULL when memory is out. */
struct curl_slist *pp_http_headers_make(const struct pp_http_post_options *options,
                                        const struct pp_header_set *headers);
/* The user's headers as the configuration has them, checked by pp_http_headers_check. */
bool pp_http_headers_configured(const struct pp_http_post_options *options,
                                struct pp_header_set *ret, struct pp_error *err);

/* Request line and headers of a request to options->url but for Content-Length and the empty line; those of the configuration, ours, and what the
 * authenticator, if there is one, makes of a batch with `context`. */
bool pp_http_head_make(const struct pp_http_post_options *options, const struct pp_context *context, struct pp_buf *out,
                       struct pp_error *err);

#endif
