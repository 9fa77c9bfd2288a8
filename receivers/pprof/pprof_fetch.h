/* One GET by libcurl that can be broken off from another thread. */
#ifndef PP_PPROF_FETCH_H
#define PP_PPROF_FETCH_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/groups/http_client.h"
#include "pipeline/client_auth.h"

#define PP_FETCH_TIMEOUT_MS_DEFAULT 120000 /* when the configuration sets none: a CPU profile takes its `seconds` */
#define PP_FETCH_CONNECT_TIMEOUT_MS 10000
#define PP_FETCH_REDIRECTS_MAX 10

struct pp_fetcher;

/* `config` is borrowed. `auth` signs each request, NULL: nobody does; what is signed follows no redirect, which could lead the credentials elsewhere. NULL
 * with an error that names the URL when the settings cannot be used. */
struct pp_fetcher *pp_fetcher_new(const struct pp_http_client_config *config, const struct pp_client_auth *auth, struct pp_error *err);
void pp_fetcher_free(struct pp_fetcher *fetcher);

/* Fetches into `body`, whose max bounds it (PP_ERR_LIMIT past it). Any status but 200 is an error with the first line of what the server said. *stop is looked
 * at all the time; pp_fetcher_wake makes that happen now. Every error begins with the URL. */
bool pp_fetcher_get(struct pp_fetcher *fetcher, const atomic_bool *stop, struct pp_buf *body, struct pp_error *err);
void pp_fetcher_wake(struct pp_fetcher *fetcher);

#endif
