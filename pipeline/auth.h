/* What extensions that authenticate are to others: checking who sends (`auth` of a server), signing what is sent (`auth` of a client). */
#ifndef PP_PIPELINE_AUTH_H
#define PP_PIPELINE_AUTH_H

#include "base/arena.h"
#include "net/http_server.h"
#include "pipeline/service.h"

/* ---- servers ---- */

enum pp_auth_outcome {
    PP_AUTH_ADMITTED,
    PP_AUTH_REFUSED,
    PP_AUTH_BUSY,    /* more is waiting to be verified than there is room for: the sender may try again */
    PP_AUTH_PENDING, /* `decided` follows */
};

/* One request's check; its memory lives until it is decided. */
struct pp_auth_check {
    struct pp_http_request *request;              /* its headers, query and arena */
    const struct pp_string_list *request_params;  /* query parameters that count as headers; NULL: none */
    void (*decided)(struct pp_auth_check *check); /* called once after PP_AUTH_PENDING, from any thread; `outcome` is one of the first three */
    /* Filled in by the extension. */
    enum pp_auth_outcome outcome;
    const char *why;                         /* not admitted: for the sender; static */
    const struct pp_http_header *attributes; /* admitted: what is known of the sender; in the request's arena */
    size_t attributes_n;
};

/* Offered as PP_OFFERS_SERVER_AUTH; lives as long as its component. */
struct pp_server_auth {
    struct pp_component *component;
    const char *challenge; /* of WWW-Authenticate (RFC 9110, section 11.6.1) */
    /* On a loop's thread; must not block. The outcome, which is also in check->outcome unless it is pending. */
    enum pp_auth_outcome (*check)(struct pp_component *self, struct pp_auth_check *check);
};

/* The value of header `name` (any case), else of a query parameter of that name among request_params, decoded; p == NULL when there is neither. */
struct pp_str pp_auth_credential(const struct pp_auth_check *check, const char *name);

/* ---- clients ---- */

/* Headers of one request in the making. All text is in `arena`; names keep their case and are found in any. */
#define PP_AUTH_HEADERS_MAX 256u
struct pp_header_set {
    struct pp_arena *arena;
    struct pp_http_header *v;
    size_t n, cap;
};

/* NULL when there is none. */
const struct pp_http_header *pp_header_set_find(const struct pp_header_set *set, const char *name);
/* Replaces every header of that name, or adds one. Copies. PP_ERR_INVALID when name or value could not stand in a header (RFC 9110, section 5:
 * no CR, LF, NUL or other control characters). The error shows no value, which may be secret. */
bool pp_header_set_put(struct pp_header_set *set, const char *name, struct pp_str value, struct pp_error *err);
void pp_header_set_remove(struct pp_header_set *set, const char *name);

/* Offered as PP_OFFERS_CLIENT_AUTH; lives as long as its component. */
struct pp_client_auth {
    struct pp_component *component;
    bool needs_tls; /* gRPC: not to be used on a connection in the clear, as in the Collector */
    /* Adds, changes or removes headers of a request that carries a batch with `context` (NULL: none). Any thread, several at once; quick. False: the
     * request must not be sent; PP_ERR_IO when a later try may succeed (a token file that is not there), other kinds are final. */
    bool (*sign)(struct pp_component *self, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err);
};

/* ---- looking them up: typed pp_component_extension ---- */

static inline const struct pp_server_auth *pp_component_server_auth(const struct pp_component *self, const char *id)
{
    return pp_component_extension(self, id, PP_OFFERS_SERVER_AUTH);
}

static inline const struct pp_client_auth *pp_component_client_auth(const struct pp_component *self, const char *id)
{
    return pp_component_extension(self, id, PP_OFFERS_CLIENT_AUTH);
}

#endif
