/* User and password (RFC 7617): checks them for servers, sends them for clients. */
#include "basic_header.h"
#include "basicauth_client.h"
#include "basicauth_server.h"

struct basicauth {
    struct pp_component component;
    struct pp_server_auth server_auth;
    struct pp_client_auth client_auth;
    struct pp_basicauth_server *server; /* one of the two */
    struct pp_basicauth_client_state *client;
};

static enum pp_auth_outcome check(struct pp_component *component, struct pp_auth_check *check)
{
    return pp_basicauth_server_check(((struct basicauth *)component)->server, check);
}

static bool sign(struct pp_component *component, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    (void)context;
    return pp_basicauth_client_sign(((struct basicauth *)component)->client, headers, err);
}

static bool basicauth_create(struct pp_component *component, struct pp_error *err)
{
    struct basicauth *self = (struct basicauth *)component;
    const struct pp_basicauth_config *config = component->config;

    self->server_auth = (struct pp_server_auth){component, "Basic realm=\"profpipe\", charset=\"UTF-8\"", check};
    self->client_auth = (struct pp_client_auth){component, true, sign};
    if (config->htpasswd)
        self->server = pp_basicauth_server_new(component, config->htpasswd, err);
    else
        self->client = pp_basicauth_client_new(component, config->client_auth, err);
    return self->server || self->client;
}

static bool basicauth_start(struct pp_component *component, struct pp_error *err)
{
    struct basicauth *self = (struct basicauth *)component;

    return self->server ? pp_basicauth_server_start(self->server, err) : pp_basicauth_client_start(self->client, err);
}

static void basicauth_shutdown(struct pp_component *component, uint64_t deadline_mono_ms)
{
    struct basicauth *self = (struct basicauth *)component;

    (void)deadline_mono_ms; /* what runs takes moments */
    if (self->server)
        pp_basicauth_server_stop(self->server);
}

static void basicauth_destroy(struct pp_component *component)
{
    struct basicauth *self = (struct basicauth *)component;

    pp_basicauth_server_free(self->server);
    pp_basicauth_client_free(self->client);
}

static unsigned basicauth_offers(const void *config)
{
    return ((const struct pp_basicauth_config *)config)->htpasswd ? PP_OFFERS_SERVER_AUTH : PP_OFFERS_CLIENT_AUTH;
}

static void *basicauth_interface(struct pp_component *component, enum pp_capability capability)
{
    struct basicauth *self = (struct basicauth *)component;

    if (capability == PP_OFFERS_SERVER_AUTH && self->server)
        return &self->server_auth;
    return capability == PP_OFFERS_CLIENT_AUTH && self->client ? &self->client_auth : NULL;
}

const struct pp_factory pp_basicauth_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "basicauth",
    .stability = PP_BETA,
    .summary = "User and password: checks them for servers (htpasswd), sends them for clients.",
    .instance_size = sizeof(struct basicauth),
    .config = &pp_basicauth_group,
    .readme = "extensions/basicauth",
    .starts_beside_old = true,
    .offers = basicauth_offers,
    .interface = basicauth_interface,
    .create = basicauth_create,
    .start = basicauth_start,
    .shutdown = basicauth_shutdown,
    .destroy = basicauth_destroy,
};
