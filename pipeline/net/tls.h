/* TLS settings to OpenSSL contexts. Certificates are read when the context is made, so that an unreadable or unfitting file is
 * an error before anything starts, and again when they change, if asked. */
#ifndef PP_NET_TLS_H
#define PP_NET_TLS_H

#include "base/error.h"
#include "base/str.h"

struct ssl_ctx_st;
struct pp_tls_server;
struct pp_tls_client;

/* A file or its text; at most one of the two is set. */
struct pp_tls_source {
    const char *file;
    const char *pem;
};

/* All strings are borrowed for the call only. NULL: not set. */
struct pp_tls_options {
    struct pp_tls_source ca;        /* client: whom to trust; server: unused */
    struct pp_tls_source cert, key;
    struct pp_tls_source client_ca; /* server: ask for a client's certificate and verify it against this */
    bool include_system_ca;         /* client: the system's authorities beside `ca`; without `ca` they are always used */
    const char *min_version, *max_version; /* "1.0" to "1.3"; NULL: 1.2 and the newest */
    const char *const *cipher_suites;      /* IANA names of TLS 1.2 suites, as in Go; TLS 1.3 suites are not configurable */
    size_t cipher_suites_n;
    const char *const *curves; /* "X25519", "P256", "P384", "P521" */
    size_t curves_n;
    uint64_t reload_interval_ms;   /* read cert and key files again after this time, at the next handshake; 0: never */
    bool client_ca_reload;         /* read the client_ca file again when it has changed */
    const char *server_name;       /* client: name to check instead of the host's */
    bool insecure_skip_verify;     /* client: any certificate will do */
};

/* NULL on failure: PP_ERR_CONFIG for what the settings say, PP_ERR_IO for files that cannot be read; the message names the file. */
struct pp_tls_server *pp_tls_server_new(const struct pp_tls_options *options, struct pp_error *err);
void pp_tls_server_free(struct pp_tls_server *tls);
/* The context for a new connection, with one reference for the caller (SSL_CTX_free). Reads changed files first when that is
 * due; if they are bad the old certificate stays in use and `ret_warning` (may be NULL) says so once. Any thread. */
struct ssl_ctx_st *pp_tls_server_context(struct pp_tls_server *tls, struct pp_error *ret_warning);

/* The same settings for a client that uses OpenSSL itself. */
struct pp_tls_client *pp_tls_client_new(const struct pp_tls_options *options, struct pp_error *err);
void pp_tls_client_free(struct pp_tls_client *tls);
struct ssl_ctx_st *pp_tls_client_context(struct pp_tls_client *tls, struct pp_error *ret_warning);

#endif
