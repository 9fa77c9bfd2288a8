/* The client's side: sends a user and a password, each from the configuration or from a file. */
#ifndef PP_BASICAUTH_CLIENT_H
#define PP_BASICAUTH_CLIENT_H

#include "basicauth_config.h"
#include "pipeline/auth.h"

/* Of a user name or password in a file. */
#define PP_BASICAUTH_FILE_BYTES_MAX 4096u

struct pp_basicauth_client_state;

struct pp_basicauth_client_state *pp_basicauth_client_new(struct pp_component *component, const struct pp_basicauth_client *config, struct pp_error *err);
void pp_basicauth_client_free(struct pp_basicauth_client_state *client);
bool pp_basicauth_client_start(struct pp_basicauth_client_state *client, struct pp_error *err);
bool pp_basicauth_client_sign(struct pp_basicauth_client_state *client, struct pp_header_set *headers, struct pp_error *err);

#endif
