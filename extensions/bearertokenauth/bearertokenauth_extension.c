/* Bearer tokens (RFC 6750): checks them for servers, sends them for clients. */
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "bearertokenauth_config.h"
#include "pipeline/auth.h"
#include "pipeline/secret_file.h"
#include "tokens.h"

/* Longest that a start waits for a file, whatever the configuration says: the service cannot be stopped meanwhile. */
#define WAIT_MAX_MS (5ull * 60 * 1000)
#define WAIT_STEP_MS 50u

struct bearertokenauth {
    struct pp_component component;
    struct pp_server_auth server;
    struct pp_client_auth client;
    struct pp_secret_file *file; /* NULL: tokens are in the configuration */
    pthread_mutex_t lock;
    struct pp_tokens *tokens; /* NULL until a file has been read */
};

static const struct pp_bearertokenauth_config *config_of(const struct bearertokenauth *self)
{
    return self->component.config;
}

static struct pp_tokens *current(struct bearertokenauth *self)
{
    struct pp_tokens *tokens;

    if (self->file)
        pp_secret_file_poll(self->file);
    pthread_mutex_lock(&self->lock);
    tokens = pp_tokens_ref(self->tokens);
    pthread_mutex_unlock(&self->lock);
    return tokens;
}

static bool on_content(void *arg, struct pp_str content, struct pp_error *err)
{
    struct bearertokenauth *self = arg;
    struct pp_tokens *tokens, *old;

    if (!pp_tokens_parse(config_of(self)->scheme, content, &tokens, err))
        return false;
    pthread_mutex_lock(&self->lock);
    old = self->tokens;
    self->tokens = tokens;
    pthread_mutex_unlock(&self->lock);
    pp_tokens_unref(old);
    return true;
}

static enum pp_auth_outcome check(struct pp_component *component, struct pp_auth_check *check)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;
    struct pp_str value = pp_auth_credential(check, config_of(self)->header);
    struct pp_tokens *tokens = current(self);

    check->outcome = PP_AUTH_REFUSED;
    if (!value.p)
        check->why = "no token was sent";
    else if (!tokens || !pp_tokens_match(tokens, value))
        check->why = "the token that was sent is not accepted";
    else
        check->outcome = PP_AUTH_ADMITTED;
    pp_tokens_unref(tokens);
    return check->outcome;
}

static bool sign(struct pp_component *component, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;
    struct pp_tokens *tokens = current(self);
    bool ok;

    (void)context;
    if (!tokens)
        return pp_error_set(err, PP_ERR_IO, "%s: \"%s\" has not been read yet", component->log_id, config_of(self)->filename);
    ok = pp_header_set_put(headers, config_of(self)->header, pp_tokens_first(tokens), err);
    pp_tokens_unref(tokens);
    return ok;
}

static bool from_config(struct bearertokenauth *self, struct pp_error *err)
{
    const struct pp_bearertokenauth_config *config = config_of(self);
    struct pp_str list[PP_TOKENS_MAX];
    size_t n = 0;

    for (; n < config->tokens.n && n < PP_TOKENS_MAX; n++)
        list[n] = pp_str_c(config->tokens.v[n]);
    if (n == 0)
        list[n++] = pp_str_c(config->token);
    if (config->tokens.n > PP_TOKENS_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u tokens", PP_TOKENS_MAX);
    return pp_tokens_new(config->scheme, list, n, &self->tokens, err);
}

static bool from_file(struct bearertokenauth *self, struct pp_error *err)
{
    const struct pp_secret_file_options options = {
        .path = config_of(self)->filename,
        .bytes_max = PP_TOKEN_FILE_BYTES_MAX,
        .log_id = self->component.log_id,
        .on_content = on_content,
        .arg = self,
    };

    self->file = pp_secret_file_new(&options);
    return self->file || pp_error_nomem(err);
}

static void bearertokenauth_destroy(struct pp_component *component)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;

    pp_secret_file_free(self->file);
    pp_tokens_unref(self->tokens);
    pthread_mutex_destroy(&self->lock);
}

static bool bearertokenauth_create(struct pp_component *component, struct pp_error *err)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;
    const struct pp_bearertokenauth_config *config = component->config;

    self->server = (struct pp_server_auth){component, *config->scheme ? config->scheme : "Bearer", check};
    self->client = (struct pp_client_auth){component, true, sign};
    pthread_mutex_init(&self->lock, NULL);
    if (config->tokens.n == 0 && config->filename && *config->filename ? from_file(self, err) : from_config(self, err))
        return true;
    bearertokenauth_destroy(component);
    return false;
}

/* As often and as long as the configuration wants, within WAIT_MAX_MS. */
static bool wait_for_file(struct bearertokenauth *self, struct pp_error *err)
{
    const struct pp_bearertokenauth_retry *retry = &config_of(self)->retry_on_failure;
    uint64_t interval_ms = (uint64_t)retry->interval / PP_NS_PER_MS + 1, end_ms = pp_clock_mono_ms() + WAIT_MAX_MS;

    for (int64_t tries = 0; !pp_secret_file_load(self->file, err); tries++) {
        uint64_t next_ms = pp_clock_mono_ms() + interval_ms;

        if ((retry->max_retries && tries >= retry->max_retries) || next_ms > end_ms)
            return false;
        pp_log(PP_LOG_WARN, self->component.log_id, "%s; waiting for it", err->message);
        while (pp_clock_mono_ms() < next_ms)
            usleep(WAIT_STEP_MS * 1000);
    }
    return true;
}

static bool bearertokenauth_start(struct pp_component *component, struct pp_error *err)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;
    const struct pp_bearertokenauth_config *config = component->config;
    struct pp_error later = {0};

    if (!self->file)
        return true;
    if (config->wait_for_token_file)
        return wait_for_file(self, err);
    if (!config->retry_on_failure.enabled)
        return pp_secret_file_load(self->file, err);
    if (!pp_secret_file_load(self->file, &later))
        pp_log(PP_LOG_WARN, component->log_id, "%s; until it is there nothing is sent or admitted", later.message);
    return true;
}

static unsigned bearertokenauth_offers(const void *config)
{
    (void)config;
    return PP_OFFERS_SERVER_AUTH | PP_OFFERS_CLIENT_AUTH;
}

static void *bearertokenauth_interface(struct pp_component *component, enum pp_capability capability)
{
    struct bearertokenauth *self = (struct bearertokenauth *)component;

    if (capability == PP_OFFERS_SERVER_AUTH)
        return &self->server;
    return capability == PP_OFFERS_CLIENT_AUTH ? &self->client : NULL;
}

const struct pp_factory pp_bearertokenauth_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "bearertokenauth",
    .stability = PP_BETA,
    .summary = "Bearer tokens: checks them for servers, sends them for clients.",
    .instance_size = sizeof(struct bearertokenauth),
    .config = &pp_bearertokenauth_group,
    .readme = "extensions/bearertokenauth",
    .starts_beside_old = true,
    .offers = bearertokenauth_offers,
    .interface = bearertokenauth_interface,
    .create = bearertokenauth_create,
    .start = bearertokenauth_start,
    .destroy = bearertokenauth_destroy,
};
