/* The `auth` block of a server at work: every request is shown to the extension before anything else. */
#ifndef PP_PIPELINE_HTTP_AUTH_H
#define PP_PIPELINE_HTTP_AUTH_H

#include <stdatomic.h>

#include "config/groups/auth.h"
#include "pipeline/auth.h"
#include "pipeline/telemetry.h"

/* Why a request is not let in, for the protocol's own form of saying so. */
struct pp_auth_refusal {
    int http_status; /* 401, or 503 when the sender may try again */
    struct pp_str why;
    struct pp_http_header challenge; /* WWW-Authenticate; to be sent with 401 */
};

typedef void pp_auth_refuse(void *context, struct pp_http_request *request, const struct pp_auth_refusal *refusal);

/* Embedded in a server; all zero lets everybody in. */
struct pp_http_auth {
    const struct pp_server_auth *extension;
    const struct pp_string_list *request_params;
    pp_auth_refuse *refuse;
    void *context;
    struct pp_counter *admitted, *refused, *busy;
    atomic_uint pending; /* requests whose outcome is awaited */
};

/* `config` NULL: everybody is admitted, and `self` may be NULL. `refuse` answers; NULL: in plain text. False when there is no such extension, so that a server never opens
 * without the one that its configuration names. In the `create` of `self` or later. */
bool pp_http_auth_init(struct pp_http_auth *auth, const struct pp_component *self, const struct pp_auth_config *config, pp_auth_refuse *refuse,
                       void *context, struct pp_error *err);
/* Waits until no request is waited for any more, which takes moments. After the server has been stopped, before what `auth` is in is freed. */
void pp_http_auth_drain(struct pp_http_auth *auth);
/* For struct pp_http_handler's `authenticate`. */
enum pp_http_admission pp_http_auth_check(struct pp_http_auth *auth, struct pp_http_request *request);

#endif
