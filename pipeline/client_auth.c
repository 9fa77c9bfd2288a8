#include "pipeline/client_auth.h"

bool pp_client_auth_find(const struct pp_component *self, const struct pp_auth_config *config, bool in_the_clear, const struct pp_client_auth **ret,
                         struct pp_error *err)
{
    const struct pp_client_auth *auth;

    if (!config) {
        *ret = NULL;
        return true;
    }
    auth = pp_component_client_auth(self, config->authenticator);
    if (!auth)
        return pp_error_set(err, PP_ERR_CONFIG, "auth: there is no authenticator \"%s\"", config->authenticator);
    if (auth->needs_tls && in_the_clear)
        return pp_error_set(err, PP_ERR_CONFIG, "auth: the credentials of \"%s\" are not sent without TLS over gRPC; set tls up, without insecure: true",
                            config->authenticator);
    *ret = auth;
    return true;
}

bool pp_client_auth_headers(const struct pp_client_auth *auth, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    return !auth || auth->sign(auth->component, context, headers, err) || pp_error_prefix(err, "auth");
}

bool pp_client_auth_metadata(const struct pp_client_auth *auth, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    if (!pp_client_auth_headers(auth, context, headers, err))
        return false;
    for (size_t i = 0; i < headers->n; i++) {
        char *name = pp_arena_strdup(headers->arena, headers->v[i].name);

        if (!name)
            return pp_error_nomem(err);
        for (char *c = name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + ('a' - 'A'));
        headers->v[i].name.p = name;
    }
    return true;
}
