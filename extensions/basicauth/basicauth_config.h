/* Configuration of the basicauth extension: the Collector's keys. */
#ifndef PP_BASICAUTH_CONFIG_H
#define PP_BASICAUTH_CONFIG_H

#include "config/rows.h"

struct pp_basicauth_htpasswd {
    const char *file;
    const char *inline_lines; /* `inline` */
};

struct pp_basicauth_client {
    const char *username, *password;
    const char *username_file, *password_file; /* win over the two above */
};

/* Exactly one of the two: a server's or a client's. */
struct pp_basicauth_config {
    struct pp_basicauth_htpasswd *htpasswd;
    struct pp_basicauth_client *client_auth;
};

extern const struct pp_group pp_basicauth_group;

#endif
