/* A TLS client's certificates as texts, read from the files that a tls block names and read again
 * when those change. For client libraries that do TLS themselves and take PEM from memory (grpc
 * core, curl). */
#ifndef PP_EXPORTERS_CLIENT_TLS_H
#define PP_EXPORTERS_CLIENT_TLS_H

#include "base/error.h"
#include "config/groups/tls.h"

/* Largest PEM file that is read, in bytes; bundles of all public authorities have some 220 kB. */
#define PP_PEM_BYTES_MAX (4u << 20)

/* Immutable; compare pointers to see whether anything has changed. */
struct pp_tls_material {
    char *ca;   /* all authorities to trust; NULL: the library's own choice */
    char *cert; /* NULL: none */
    char *key;
};

void pp_tls_material_unref(struct pp_tls_material *material);

struct pp_client_tls;

/* Reads everything and tries it out, so that what is unreadable or does not fit together is an
 * error before anything is sent. `config` is borrowed until pp_client_tls_free. NULL on failure. */
struct pp_client_tls *pp_client_tls_new(const struct pp_tls_client_config *config,
                                        struct pp_error *err);
void pp_client_tls_free(struct pp_client_tls *tls);

/* What to use now, with one reference. When reload_interval has passed and a file has changed it is
 * read first; if it is bad then, the old texts stay and `ret_warning` (kind PP_ERR_NONE otherwise)
 * says so, once a change. Any thread. */
struct pp_tls_material *pp_client_tls_material(struct pp_client_tls *tls,
                                               struct pp_error *ret_warning);

/* Whether the client of this block speaks TLS to an endpoint that does not say so itself:
 * `insecure` counts only without a CA, as in the Collector. */
bool pp_client_tls_wanted(const struct pp_tls_client_config *config);

#endif
