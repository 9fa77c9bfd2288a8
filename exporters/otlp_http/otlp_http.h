/* The parts of the exporter and how they meet:
 *
 *   otlp_http_exporter.c   configuration, create, start
 *   otlp_http_plain.c      sending on the loops by our own HTTP/1.1 client (h1_pool.h): http:// without a proxy
 *   otlp_http_curl.c       sending on worker threads by libcurl (http_post.h): TLS, HTTP/2, proxies
 *   otlp_http_answer.c     what an answer means, whoever got it
 */
#ifndef PP_EXPORTERS_OTLP_HTTP_H
#define PP_EXPORTERS_OTLP_HTTP_H

#include "config/groups/http_client.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "http_post.h"
#include "otlp_client/otlp_request.h"
#include "otlp_url.h"
#include "pipeline/exporter_base.h"

#define PP_OTLP_TYPE_PROTOBUF "application/x-protobuf"
#define PP_OTLP_TYPE_JSON "application/json"

struct otlp_http_config {
    struct pp_http_client_config client;
    const char *profiles_endpoint;
    int encoding;
    struct pp_retry_config retry_on_failure;
    struct pp_sending_queue_config sending_queue;
    bool references;
};

struct otlp_http {
    struct pp_exporter exporter; /* first */
    struct pp_otlp_url url;
    struct pp_client_tls *tls; /* from start on, with https */
    const struct pp_client_auth *auth;
    bool is_plain; /* our own client can do it */
    struct pp_otlp_request_options request;
    struct pp_counter *rejected;
};

const struct otlp_http_config *pp_otlp_http_config(const struct pp_component *self);
/* How requests are made; everything in it is borrowed from the exporter. */
struct pp_http_post_options pp_otlp_http_options(struct otlp_http *exporter);

/* What becomes of the batch; the result's message is in `text`. */
void pp_otlp_http_read_answer(struct otlp_http *exporter, const struct pp_http_answer *answer, struct pp_error *text,
                              struct pp_result *ret);

extern const struct pp_exporter_ops pp_otlp_http_plain_ops, pp_otlp_http_curl_ops;

#endif
