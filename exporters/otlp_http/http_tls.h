/* A tls block on a curl handle. */
#ifndef PP_EXPORTERS_HTTP_TLS_H
#define PP_EXPORTERS_HTTP_TLS_H

#include <curl/curl.h>

#include "otlp_client/client_tls.h"

/* Names of ciphers and curves that OpenSSL does not know are reported. */
void pp_http_tls_check(const struct pp_tls_client_config *config, struct pp_check *check);

/* `material` must outlive the handle. */
bool pp_http_tls_apply(CURL *handle, const struct pp_tls_client_config *config,
                       const struct pp_tls_material *material);

#endif
