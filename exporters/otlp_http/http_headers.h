/* The header lines of a request, as curl takes them. */
#ifndef PP_EXPORTERS_HTTP_HEADERS_H
#define PP_EXPORTERS_HTTP_HEADERS_H

#include <curl/curl.h>

#include "http_post.h"

/* The user's headers, and ours where he did not give one of that name. NULL when memory is out. */
struct curl_slist *pp_http_headers_make(const struct pp_http_post_options *options);

#endif
