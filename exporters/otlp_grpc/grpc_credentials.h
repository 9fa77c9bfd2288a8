/* A tls block as grpc core's channel credentials. */
#ifndef PP_EXPORTERS_GRPC_CREDENTIALS_H
#define PP_EXPORTERS_GRPC_CREDENTIALS_H

#include "otlp_client/client_tls.h"

struct grpc_channel_credentials;

/* Settings that grpc core has no door for, so that they are an error and not a surprise. */
void pp_grpc_credentials_check(const struct pp_tls_client_config *config, struct pp_check *check);

/* One reference (grpc_channel_credentials_release). `material` NULL: plaintext. NULL when grpc core
 * refuses the texts. */
struct grpc_channel_credentials *pp_grpc_credentials_new(const struct pp_tls_client_config *config,
                                                         const struct pp_tls_material *material);

#endif
