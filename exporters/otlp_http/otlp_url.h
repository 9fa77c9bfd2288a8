/* Where profiles go on an OTLP/HTTP server. */
#ifndef PP_EXPORTERS_OTLP_URL_H
#define PP_EXPORTERS_OTLP_URL_H

#include "base/error.h"

#define PP_OTLP_PROFILES_PATH "/v1development/profiles"

/* A request's URL in the forms that it is needed in; each owned. */
struct pp_otlp_url {
    char *url; /* what is asked for; its host is the name to be checked, where that is overridden */
    char *shown;   /* for people: the endpoint without user and password */
    char *connect; /* curl's CONNECT_TO entry, where the name to be checked is not the host to
                      connect to; else NULL */
    char *host;    /* Host header to go with it; else NULL */
    bool tls;
    /* The same in parts, for a client that sends the request line itself. */
    char *name;      /* host, an IPv6 address without its brackets */
    char *port;      /* "4318" */
    char *authority; /* host and port as written: "a:4318", "[::1]" */
    char *target;    /* path and query: "/v1development/profiles?x=y" */
    char *path;      /* without the query, which may hold a token */
    bool has_user;   /* a user or a password is in it */
};

/* `profiles_endpoint` is taken as it is; else the path is added to `endpoint`. Either may be NULL.
 * `server_name` (NULL: none) stands in the place of an https host, which is connected to all the
 * same. PP_ERR_CONFIG says what is wrong. */
bool pp_otlp_url_make(const char *endpoint, const char *profiles_endpoint, const char *server_name,
                      struct pp_otlp_url *ret, struct pp_error *err);
void pp_otlp_url_done(struct pp_otlp_url *url);

#endif
