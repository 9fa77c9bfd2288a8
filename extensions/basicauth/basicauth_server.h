/* The server's side: checks users and passwords against an htpasswd table. */
#ifndef PP_BASICAUTH_SERVER_H
#define PP_BASICAUTH_SERVER_H

#include "basicauth_config.h"
#include "pipeline/auth.h"

/* How long a slow check is remembered, by its outcome. A change of the table makes both forget. */
#define PP_BASICAUTH_ADMITTED_MS (5u * 60 * 1000)
#define PP_BASICAUTH_REFUSED_MS 10000u

struct pp_basicauth_server;

struct pp_basicauth_server *pp_basicauth_server_new(struct pp_component *component, const struct pp_basicauth_htpasswd *config, struct pp_error *err);
void pp_basicauth_server_free(struct pp_basicauth_server *server);
/* Reads the table. */
bool pp_basicauth_server_start(struct pp_basicauth_server *server, struct pp_error *err);
/* What waits is refused as busy. */
void pp_basicauth_server_stop(struct pp_basicauth_server *server);
enum pp_auth_outcome pp_basicauth_server_check(struct pp_basicauth_server *server, struct pp_auth_check *check);

#endif
