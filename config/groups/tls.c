#include "config/groups/tls.h"

#include <string.h>

static const char *const versions[] = {"", "1.0", "1.1", "1.2", "1.3", NULL};

const struct pp_field pp_tls_common_fields[] = {
    PP_ROW_STRING(struct pp_tls_config, ca_file, 0,
                  "PEM file with the CAs that are trusted to vouch for the peer."),
    PP_ROW_STRING(struct pp_tls_config, ca_pem, PP_FIELD_SECRET, "The same as PEM text."),
    PP_ROW_BOOL(struct pp_tls_config, include_system_ca_certs_pool, 0,
                "Trust the system's CAs beside those given."),
    PP_ROW_STRING(struct pp_tls_config, cert_file, 0,
                  "PEM file with our certificate and its chain."),
    PP_ROW_STRING(struct pp_tls_config, cert_pem, PP_FIELD_SECRET, "The same as PEM text."),
    PP_ROW_STRING(struct pp_tls_config, key_file, 0,
                  "PEM file with the certificate's private key."),
    PP_ROW_STRING(struct pp_tls_config, key_pem, PP_FIELD_SECRET, "The same as PEM text."),
    PP_ROW_ENUM(struct pp_tls_config, min_version, 0, versions,
                "Oldest TLS version accepted; 1.2 when empty."),
    PP_ROW_ENUM(struct pp_tls_config, max_version, 0, versions,
                "Newest TLS version used; the library's newest when empty."),
    PP_ROW_STRINGS(struct pp_tls_config, cipher_suites, 0,
                   "Cipher suites of TLS 1.2 and older, by their IANA names."),
    PP_ROW_STRINGS(struct pp_tls_config, curve_preferences, 0,
                   "Key exchange groups, the preferred one first."),
    PP_ROW_DURATION(struct pp_tls_config, reload_interval, 0, 0, PP_DURATION_MAX_S,
                    "How often certificate and key are read again; 0 reads them once."),
    PP_ROW_IGNORED("include_insecure_cipher_suites", "cipher_suites alone says which are used."),
    PP_ROW_IGNORED("tpm", "Keys in a TPM are not supported."),
    PP_ROW_END,
};

/* The Collector's rules for what both sides share. */
static void validate_common(const void *value, struct pp_check *check)
{
    const struct pp_tls_config *tls = value;
    bool cert = tls->cert_file || tls->cert_pem, key = tls->key_file || tls->key_pem;
    int min = tls->min_version ? tls->min_version : PP_TLS_1_2;

    if (tls->ca_file && tls->ca_pem)
        pp_check_error(check, "ca_pem", "give ca_file or ca_pem, not both");
    if (tls->cert_file && tls->cert_pem)
        pp_check_error(check, "cert_pem", "give cert_file or cert_pem, not both");
    if (tls->key_file && tls->key_pem)
        pp_check_error(check, "key_pem", "give key_file or key_pem, not both");
    if (cert && !key)
        pp_check_error(check, tls->cert_file ? "cert_file" : "cert_pem",
                       "a certificate needs key_file or key_pem too");
    if (key && !cert)
        pp_check_error(check, tls->key_file ? "key_file" : "key_pem",
                       "a key needs cert_file or cert_pem too");
    if (tls->max_version && tls->max_version < min)
        pp_check_error(check, "max_version", "must not be older than min_version (%s)",
                       versions[min]);
}

const struct pp_group pp_tls_common_group = {
    .name = "tls",
    .size = sizeof(struct pp_tls_config),
    .fields = pp_tls_common_fields,
    .validate = validate_common,
};

const struct pp_field pp_tls_client_fields[] = {
    PP_ROW_BOOL(struct pp_tls_client_config, insecure, 0,
                "Speak plaintext instead of TLS, unless a CA is given."),
    PP_ROW_BOOL(struct pp_tls_client_config, insecure_skip_verify, 0,
                "Speak TLS without checking who the server is."),
    PP_ROW_STRING(struct pp_tls_client_config, server_name_override, 0,
                  "Name the server's certificate must be for, instead of the endpoint's host."),
    PP_ROW_INLINE(struct pp_tls_client_config, common, &pp_tls_common_group),
    PP_ROW_END,
};

const struct pp_group pp_tls_client_group = {
    .name = "tls",
    .size = sizeof(struct pp_tls_client_config),
    .fields = pp_tls_client_fields,
};

const struct pp_field pp_tls_server_fields[] = {
    PP_ROW_STRING(
        struct pp_tls_server_config, client_ca_file, 0,
        "PEM file with the CAs that vouch for clients; makes a client certificate mandatory."),
    PP_ROW_BOOL(struct pp_tls_server_config, client_ca_file_reload, 0,
                "Read client_ca_file again when it changes."),
    PP_ROW_INLINE(struct pp_tls_server_config, common, &pp_tls_common_group),
    PP_ROW_END,
};

static void validate_server(const void *value, struct pp_check *check)
{
    const struct pp_tls_server_config *tls = value;

    if (!tls->common.cert_file && !tls->common.cert_pem && !tls->common.key_file &&
        !tls->common.key_pem)
        pp_check_error(check, "",
                       "a TLS server needs cert_file and key_file (or cert_pem and key_pem)");
}

const struct pp_group pp_tls_server_group = {
    .name = "tls",
    .size = sizeof(struct pp_tls_server_config),
    .fields = pp_tls_server_fields,
    .validate = validate_server,
};
