/* Sets headers of what clients send, from the configuration, from files, or from what came with the data. */
#include <pthread.h>

#include "base/mem.h"
#include "headers_setter_config.h"
#include "pipeline/auth.h"
#include "pipeline/secret_digest.h"
#include "pipeline/secret_file.h"

/* Of a value in a file. */
#define FILE_BYTES_MAX 8192u

struct setter {
    const struct pp_header_config *config;
    struct headers_setter *owner;
    struct pp_secret_file *file; /* value_file; else NULL */
    char *text;                  /* of the file, under the owner's lock; NULL until it has been read */
};

struct headers_setter {
    struct pp_component component;
    struct pp_client_auth client;
    const struct pp_client_auth *additional; /* NULL: none */
    pthread_mutex_t lock;
    struct setter *setters;
    size_t setters_n;
};

static bool on_content(void *arg, struct pp_str content, struct pp_error *err)
{
    struct setter *setter = arg;
    char *text, *old;

    content = pp_str_trim(content);
    if (content.n == 0 || memchr(content.p, '\0', content.n))
        return pp_error_set(err, PP_ERR_INVALID, content.n ? "there is a NUL in it" : "is empty");
    text = pp_str_dup(content);
    if (!text)
        return pp_error_nomem(err);
    pthread_mutex_lock(&setter->owner->lock);
    old = setter->text;
    setter->text = text;
    pthread_mutex_unlock(&setter->owner->lock);
    pp_secret_wipe(old, old ? strlen(old) : 0);
    pp_free(old);
    return true;
}

static bool value_from_file(struct setter *setter, struct pp_arena *arena, struct pp_str *ret, struct pp_error *err)
{
    const char *copy = NULL;
    bool there;

    pp_secret_file_poll(setter->file);
    pthread_mutex_lock(&setter->owner->lock);
    there = setter->text != NULL;
    if (there)
        copy = pp_arena_strdup(arena, pp_str_c(setter->text));
    pthread_mutex_unlock(&setter->owner->lock);
    if (!there)
        return pp_error_set(err, PP_ERR_IO, "\"%s\" has not been read yet", setter->config->value_file);
    if (!copy)
        return pp_error_nomem(err);
    *ret = pp_str_c(copy);
    return true;
}

/* One value or none; of several nobody could say which one counts. */
static bool value_from_context(const struct pp_header_config *config, const struct pp_context *context, struct pp_str *ret, struct pp_error *err)
{
    struct pp_str key = pp_str_c(config->from_context), second;

    if (!pp_context_metadata(context, key, 0, ret))
        *ret = pp_str_c(config->default_value);
    else if (pp_context_metadata(context, key, 1, &second))
        return pp_error_set(err, PP_ERR_INVALID, "the data came with more than one value of \"%s\"", config->from_context);
    return true;
}

static bool find_value(struct setter *setter, const struct pp_context *context, struct pp_arena *arena, struct pp_str *ret, struct pp_error *err)
{
    const struct pp_header_config *config = setter->config;

    if (setter->file)
        return value_from_file(setter, arena, ret, err);
    if (config->from_context)
        return value_from_context(config, context, ret, err);
    if (config->from_attribute) {
        if (!pp_context_auth(context, pp_str_c(config->from_attribute), ret))
            *ret = pp_str_c(config->default_value);
        return true;
    }
    *ret = pp_str_c(config->value);
    return true;
}

static bool apply(struct setter *setter, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    const struct pp_header_config *config = setter->config;
    const struct pp_http_header *there = pp_header_set_find(headers, config->key);
    bool has = there && there->value.n > 0;
    struct pp_str value;

    if (config->action == PP_HEADER_DELETE) {
        pp_header_set_remove(headers, config->key);
        return true;
    }
    if ((config->action == PP_HEADER_INSERT && has) || (config->action == PP_HEADER_UPDATE && !has))
        return true;
    return find_value(setter, context, headers->arena, &value, err) && pp_header_set_put(headers, config->key, value, err);
}

static bool sign(struct pp_component *component, const struct pp_context *context, struct pp_header_set *headers, struct pp_error *err)
{
    struct headers_setter *self = (struct headers_setter *)component;

    for (size_t i = 0; i < self->setters_n; i++)
        if (!apply(&self->setters[i], context, headers, err))
            return pp_error_prefix(err, "%s", component->log_id);
    return !self->additional || self->additional->sign(self->additional->component, context, headers, err);
}

static void headers_setter_destroy(struct pp_component *component)
{
    struct headers_setter *self = (struct headers_setter *)component;

    for (size_t i = 0; i < self->setters_n; i++) {
        struct setter *setter = &self->setters[i];

        pp_secret_file_free(setter->file);
        pp_secret_wipe(setter->text, setter->text ? strlen(setter->text) : 0);
        pp_free(setter->text);
    }
    pp_free(self->setters);
    pthread_mutex_destroy(&self->lock);
}

static bool make_setters(struct headers_setter *self, const struct pp_group_list *headers)
{
    const struct pp_header_config *list = headers->v;

    self->setters = pp_calloc(headers->n + 1, sizeof(*self->setters));
    for (size_t i = 0; self->setters && i < headers->n; i++) {
        struct setter *setter = &self->setters[self->setters_n++];
        const struct pp_secret_file_options options = {list[i].value_file, FILE_BYTES_MAX, self->component.log_id, on_content, setter};

        *setter = (struct setter){.config = &list[i], .owner = self};
        if (list[i].value_file && list[i].action != PP_HEADER_DELETE) {
            setter->file = pp_secret_file_new(&options);
            if (!setter->file)
                return false;
        }
    }
    return self->setters != NULL;
}

static bool headers_setter_create(struct pp_component *component, struct pp_error *err)
{
    struct headers_setter *self = (struct headers_setter *)component;
    const struct pp_headers_setter_config *config = component->config;

    pthread_mutex_init(&self->lock, NULL);
    if (config->additional_auth && *config->additional_auth) {
        self->additional = pp_component_client_auth(component, config->additional_auth);
        if (!self->additional)
            pp_error_set(err, PP_ERR_CONFIG, "additional_auth: there is no authenticator \"%s\"", config->additional_auth);
    }
    self->client = (struct pp_client_auth){component, self->additional && self->additional->needs_tls, sign};
    if (!make_setters(self, &config->headers))
        pp_error_nomem(err);
    else if (self->additional || !config->additional_auth || !*config->additional_auth)
        return true;
    headers_setter_destroy(component);
    return false;
}

static bool headers_setter_start(struct pp_component *component, struct pp_error *err)
{
    struct headers_setter *self = (struct headers_setter *)component;

    for (size_t i = 0; i < self->setters_n; i++)
        if (self->setters[i].file && !pp_secret_file_load(self->setters[i].file, err))
            return false;
    return true;
}

static unsigned headers_setter_offers(const void *config)
{
    (void)config;
    return PP_OFFERS_CLIENT_AUTH;
}

static void *headers_setter_interface(struct pp_component *component, enum pp_capability capability)
{
    return capability == PP_OFFERS_CLIENT_AUTH ? &((struct headers_setter *)component)->client : NULL;
}

const struct pp_factory pp_headers_setter_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "headers_setter",
    .stability = PP_ALPHA,
    .summary = "Sets headers of what clients send, also from what came with the data.",
    .instance_size = sizeof(struct headers_setter),
    .config = &pp_headers_setter_group,
    .readme = "extensions/headers_setter",
    .starts_beside_old = true,
    .offers = headers_setter_offers,
    .interface = headers_setter_interface,
    .create = headers_setter_create,
    .start = headers_setter_start,
    .destroy = headers_setter_destroy,
};
