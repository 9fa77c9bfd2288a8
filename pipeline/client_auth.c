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

static char *lower(struct pp_arena *arena, struct pp_str name)
{
    char *copy = pp_arena_strdup(arena, name);

    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return copy;
}

static bool is_reserved(struct pp_str name)
{
    static const char *const reserved[] = {"te", "content-type", "content-length", "connection", "transfer-encoding", "host"};

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (pp_str_eq_c(name, reserved[i]))
            return true;
    return pp_str_starts(name, "grpc-");
}

static bool is_printable(struct pp_str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < 0x20 || value.p[i] > 0x7E)
            return false;
    return true;
}

static bool is_binary(struct pp_str name)
{
    return name.n > 4 && memcmp(name.p + name.n - 4, "-bin", 4) == 0;
}

static bool encode(struct pp_arena *arena, struct pp_str *value)
{
    struct pp_buf text;
    const char *copy = NULL;

    pp_buf_init(&text, 2 * value->n + 8);
    if (pp_base64_add(&text, *value))
        copy = pp_arena_strdup(arena, pp_buf_str(&text));
    if (copy)
        *value = (struct pp_str){copy, text.len};
    pp_buf_done(&text);
    return copy != NULL;
}

static bool to_metadata(struct pp_arena *arena, struct pp_http_header *header, struct pp_error *err)
{
    header->name.p = lower(arena, header->name);
    if (!header->name.p)
        return pp_error_nomem(err);
    if (is_reserved(header->name))
        return pp_error_set(err, PP_ERR_INVALID, "auth: header \"%s\" is gRPC's own", header->name.p);
    if (is_binary(header->name))
        return encode(arena, &header->value) || pp_error_nomem(err);
    return is_printable(header->value) ||
           pp_error_set(err, PP_ERR_INVALID, "auth: the value for header \"%s\" is not printable ASCII, which gRPC needs", header->name.p);
}

bool pp_client_auth_metadata(const struct pp_client_auth *auth, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    if (!pp_client_auth_headers(auth, context, headers, err))
        return false;
    for (size_t i = 0; i < headers->n; i++)
        if (!to_metadata(headers->arena, &headers->v[i], err))
            return false;
    return true;
}
