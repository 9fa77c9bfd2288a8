#include "grpc_credentials.h"

#include <grpc/grpc_security.h>

static void refuse(struct pp_check *check, const char *path)
{
    pp_check_error(check, path,
                   "the gRPC client has no setting for this (it uses TLS 1.2 and 1.3 with the "
                   "system's list of ciphers); "
                   "leave it out, or use otlp_http");
}

void pp_grpc_credentials_check(const struct pp_tls_client_config *config, struct pp_check *check)
{
    const struct pp_tls_config *common = &config->common;

    if (common->min_version == PP_TLS_1_3) {
        refuse(check, "tls.min_version");
    }
    if (common->max_version != PP_TLS_VERSION_DEFAULT && common->max_version != PP_TLS_1_3) {
        refuse(check, "tls.max_version");
    }
    if (common->cipher_suites.n) {
        refuse(check, "tls.cipher_suites");
    }
    if (common->curve_preferences.n) {
        refuse(check, "tls.curve_preferences");
    }
}

static grpc_tls_certificate_provider *provider_new(const struct pp_tls_material *material)
{
    grpc_tls_identity_pairs *pairs = NULL;

    if (material->cert) {
        pairs = grpc_tls_identity_pairs_create();
        grpc_tls_identity_pairs_add_pair(pairs, material->key, material->cert);
    }
    return grpc_tls_certificate_provider_static_data_create(material->ca,
                                                            pairs); /* takes the pairs */
}

static void trust_anyone(grpc_tls_credentials_options *options)
{
    grpc_tls_certificate_verifier *verifier = grpc_tls_certificate_verifier_no_op_create();

    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_certificate_verifier_release(verifier);
    grpc_tls_credentials_options_set_verify_server_cert(options, 0);
    grpc_tls_credentials_options_set_check_call_host(options, 0);
}

grpc_channel_credentials *pp_grpc_credentials_new(const struct pp_tls_client_config *config,
                                                  const struct pp_tls_material *material)
{
    grpc_tls_credentials_options *options;

    if (!material) {
        return grpc_insecure_credentials_create();
    }
    options = grpc_tls_credentials_options_create();
    if (material->ca || material->cert) {
        grpc_tls_certificate_provider *provider = provider_new(material);

        grpc_tls_credentials_options_set_certificate_provider(options, provider);
        grpc_tls_certificate_provider_release(provider);
    }
    if (material->ca) {
        grpc_tls_credentials_options_watch_root_certs(options);
    }
    if (material->cert) {
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    if (config->insecure_skip_verify) {
        trust_anyone(options);
    }
    return grpc_tls_credentials_create(options); /* takes the options */
}
