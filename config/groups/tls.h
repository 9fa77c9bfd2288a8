/* tls blocks, as the Collector's configtls. Durations in nanoseconds. */
#ifndef PP_CONFIG_GROUPS_TLS_H
#define PP_CONFIG_GROUPS_TLS_H

#include "config/groups/duration.h"
#include "config/rows.h"

enum pp_tls_version { PP_TLS_VERSION_DEFAULT, PP_TLS_1_0, PP_TLS_1_1, PP_TLS_1_2, PP_TLS_1_3 };

/* What both sides share. A _file and its _pem exclude each other; cert and key come together. */
struct pp_tls_config {
    const char *ca_file, *ca_pem;
    bool include_system_ca_certs_pool; /* the CAs above on top of the system's, instead of in their
                                          place */
    const char *cert_file, *cert_pem;
    const char *key_file, *key_pem;
    int min_version; /* enum pp_tls_version; the default is 1.2 */
    int max_version; /* enum pp_tls_version; the default is the newest the library has */
    struct pp_string_list cipher_suites;     /* Go's names (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
                                                empty: the library's choice */
    struct pp_string_list curve_preferences; /* P256, P384, P521, X25519, X25519MLKEM768; empty: the
                                                library's choice */
    int64_t reload_interval; /* how often certificate and key are read again; 0: never */
};

/* Only for PP_ROW_INLINE into the two below. */
extern const struct pp_field pp_tls_common_fields[];
extern const struct pp_group pp_tls_common_group;

struct pp_tls_client_config {
    struct pp_tls_config common;
    bool insecure; /* plaintext, unless a CA is given: then TLS all the same, as in the Collector */
    bool insecure_skip_verify;
    const char *server_name_override;
};

struct pp_tls_server_config {
    struct pp_tls_config common;
    const char *client_ca_file; /* set: clients must show a certificate it vouches for */
    bool client_ca_file_reload;
};

/* Both start all zero: a client speaks TLS with the system's CAs. */
extern const struct pp_field pp_tls_client_fields[];
extern const struct pp_group pp_tls_client_group;
extern const struct pp_field pp_tls_server_fields[];
extern const struct pp_group pp_tls_server_group;

#endif
