/* Cross-origin requests of browsers, by https://fetch.spec.whatwg.org, section "CORS protocol". */
#ifndef PP_OTLP_RECEIVER_CORS_H
#define PP_OTLP_RECEIVER_CORS_H

#include "config/groups/cors.h"
#include "net/http_server.h"

#define PP_CORS_HEADERS_MAX 8u

struct pp_cors_answer {
    struct pp_http_header headers[PP_CORS_HEADERS_MAX];
    size_t headers_n;
};

/* An OPTIONS request by which a browser asks before it sends. */
bool pp_cors_is_preflight(const struct pp_http_request *request);
/* The headers to answer a preflight or an actual request with; texts are in the request's arena. None when the origin may not call. */
void pp_cors_preflight(const struct pp_cors_config *config, struct pp_http_request *request, struct pp_cors_answer *ret);
void pp_cors_actual(const struct pp_cors_config *config, struct pp_http_request *request, struct pp_cors_answer *ret);

#endif
