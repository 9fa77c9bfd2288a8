/* POSTs bodies to one URL over libcurl, one at a time, on connections that stay open in between. */
#ifndef PP_EXPORTERS_HTTP_POST_H
#define PP_EXPORTERS_HTTP_POST_H

#include "config/groups/http_client.h"
#include "otlp_client/client_tls.h"
#include "otlp_client/otlp_answer.h"
#include "otlp_url.h"
#include "pipeline/client_auth.h"

struct pp_http_poster;

/* All borrowed, and outlive the posters. */
struct pp_http_post_options {
    struct pp_component *owner; /* whose log and shutdown this follows */
    const struct pp_http_client_config *config;
    const struct pp_otlp_url *url;
    struct pp_client_tls *tls; /* NULL: http:// */
    const struct pp_client_auth *auth; /* NULL: nothing signs */
    const char *content_type;
    const char *content_encoding; /* NULL: none */
};

/* Headers that cannot be sent are PP_ERR_CONFIG. */
bool pp_http_headers_check(const struct pp_string_map *headers, struct pp_error *err);

struct pp_http_poster *pp_http_poster_new(const struct pp_http_post_options *options,
                                          struct pp_error *err);
void pp_http_poster_free(struct pp_http_poster *poster);

#define PP_HTTP_CONTENT_TYPE_MAX 128

struct pp_http_answer {
    long status; /* 0: there was no answer, `message` says why */
    char message[PP_ANSWER_TEXT_MAX];
    struct pp_str body; /* at most PP_ANSWER_BYTES_MAX; lives until the next post */
    bool body_whole;    /* false: it was longer, or cut off */
    char content_type[PP_HTTP_CONTENT_TYPE_MAX]; /* without parameters; "" when there is none */
    char redirect[PP_ANSWER_TEXT_MAX];           /* where a 3xx answer points; "" */
    int64_t retry_after_ms;                      /* of Retry-After, seconds or date; -1: none */
};

/* Before each post of a poster with `auth`: the headers of a request that carries a batch with `context`.
 * False: it must not be sent. */
bool pp_http_post_sign(struct pp_http_poster *poster, const struct pp_context *context,
                       struct pp_error *err);

/* Waits at most until the deadline (pp_clock_mono_ms), or what pp_exporter_deadline makes of it
 * meanwhile. */
void pp_http_post(struct pp_http_poster *poster, struct pp_str body, uint64_t deadline_mono_ms,
                  struct pp_http_answer *ret);

#endif
