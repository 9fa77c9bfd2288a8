#include "basicauth_client.h"

#include <pthread.h>

#include "base/mem.h"
#include "basic_header.h"
#include "pipeline/secret_digest.h"
#include "pipeline/secret_file.h"

/* A text that may come from a file. */
struct part {
    pthread_mutex_t *lock;
    struct pp_secret_file *file; /* NULL: from the configuration */
    char *text;                  /* under the lock; NULL until a file has been read */
};

struct pp_basicauth_client_state {
    pthread_mutex_t lock;
    struct part user, password;
};

static void set_text(struct part *part, char *text)
{
    char *old;

    pthread_mutex_lock(part->lock);
    old = part->text;
    part->text = text;
    pthread_mutex_unlock(part->lock);
    pp_secret_wipe(old, old ? strlen(old) : 0);
    pp_free(old);
}

static bool on_content(void *arg, struct pp_str content, struct pp_error *err)
{
    char *text;

    content = pp_str_trim(content);
    if (content.n == 0 || memchr(content.p, '\0', content.n))
        return pp_error_set(err, PP_ERR_INVALID, content.n ? "there is a NUL in it" : "is empty");
    text = pp_str_dup(content);
    if (!text)
        return pp_error_nomem(err);
    set_text(arg, text);
    return true;
}

static bool part_init(struct part *part, pthread_mutex_t *lock, const char *text, const char *path, const char *log_id)
{
    const struct pp_secret_file_options options = {path, PP_BASICAUTH_FILE_BYTES_MAX, log_id, on_content, part};

    part->lock = lock;
    if (path && *path) {
        part->file = pp_secret_file_new(&options);
        return part->file != NULL;
    }
    part->text = pp_strdup(text ? text : "");
    return part->text != NULL;
}

static void part_done(struct part *part)
{
    pp_secret_file_free(part->file);
    pp_secret_wipe(part->text, part->text ? strlen(part->text) : 0);
    pp_free(part->text);
}

struct pp_basicauth_client_state *pp_basicauth_client_new(struct pp_component *component, const struct pp_basicauth_client *config, struct pp_error *err)
{
    struct pp_basicauth_client_state *client = pp_calloc(1, sizeof(*client));

    if (client) {
        pthread_mutex_init(&client->lock, NULL);
        if (part_init(&client->user, &client->lock, config->username, config->username_file, component->log_id) &&
            part_init(&client->password, &client->lock, config->password, config->password_file, component->log_id))
            return client;
    }
    pp_basicauth_client_free(client);
    pp_error_nomem(err);
    return NULL;
}

void pp_basicauth_client_free(struct pp_basicauth_client_state *client)
{
    if (!client)
        return;
    part_done(&client->user);
    part_done(&client->password);
    pthread_mutex_destroy(&client->lock);
    pp_free(client);
}

bool pp_basicauth_client_start(struct pp_basicauth_client_state *client, struct pp_error *err)
{
    return (!client->user.file || pp_secret_file_load(client->user.file, err)) &&
           (!client->password.file || pp_secret_file_load(client->password.file, err));
}

bool pp_basicauth_client_sign(struct pp_basicauth_client_state *client, struct pp_header_set *headers, struct pp_error *err)
{
    struct pp_str value;
    bool ok;

    if (client->user.file)
        pp_secret_file_poll(client->user.file);
    if (client->password.file)
        pp_secret_file_poll(client->password.file);
    pthread_mutex_lock(&client->lock);
    ok = client->user.text && client->password.text
             ? pp_basic_format(headers->arena, pp_str_c(client->user.text), pp_str_c(client->password.text), &value, err)
             : pp_error_set(err, PP_ERR_IO, "the files with user and password have not been read yet");
    pthread_mutex_unlock(&client->lock);
    return ok && pp_header_set_put(headers, "authorization", value, err);
}
