#include "basicauth_server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "basic_header.h"
#include "credential_cache.h"
#include "htpasswd.h"
#include "password_hash.h"
#include "pipeline/secret_file.h"
#include "pipeline/telemetry.h"
#include "verify_pool.h"

struct pp_basicauth_server {
    struct pp_component *component;
    const struct pp_basicauth_htpasswd *config;
    struct pp_secret_file *file; /* NULL: none */
    pthread_mutex_t lock;
    struct pp_htpasswd *table; /* NULL until it has been read */
    struct pp_credential_cache admitted, refused;
    struct pp_verify_pool pool;
    struct pp_counter *verifications;
};

/* One slow check. */
struct job {
    struct pp_verify_job base; /* first */
    struct pp_basicauth_server *server;
    struct pp_auth_check *check;
    struct pp_htpasswd *table;              /* a reference, for `entry` */
    const struct pp_htpasswd_entry *entry;  /* a decoy when the user does not exist */
    bool known;
    struct pp_basic_credentials credentials; /* in the request's arena */
    struct pp_secret_digest digest;
};

static const struct pp_metric verifications_metric = {
    .name = "profpipe_extension_basicauth_verifications",
    .help = "Passwords that were checked by a slow hash; the others were remembered, or are stored in a quick form.",
    .unit = "{checks}",
};

static bool on_content(void *arg, struct pp_str content, struct pp_error *err)
{
    struct pp_basicauth_server *server = arg;
    struct pp_htpasswd *table, *old;
    size_t ignored;

    if (!pp_htpasswd_parse(content, pp_str_c(server->config->inline_lines), &table, &ignored, err))
        return false;
    if (ignored)
        pp_log(PP_LOG_WARN, server->component->log_id, "%zu lines of the htpasswd table are ignored: without a colon, or a hash that is broken or too costly",
               ignored);
    pthread_mutex_lock(&server->lock);
    old = server->table;
    server->table = table;
    pthread_mutex_unlock(&server->lock);
    pp_htpasswd_unref(old);
    return true;
}

struct pp_basicauth_server *pp_basicauth_server_new(struct pp_component *component, const struct pp_basicauth_htpasswd *config, struct pp_error *err)
{
    struct pp_basicauth_server *server = pp_calloc(1, sizeof(*server));
    const struct pp_secret_file_options options = {
        .path = config->file,
        .bytes_max = PP_HTPASSWD_BYTES_MAX,
        .log_id = component->log_id,
        .on_content = on_content,
        .arg = server,
    };

    if (!server) {
        pp_error_nomem(err);
        return NULL;
    }
    server->component = component;
    server->config = config;
    pthread_mutex_init(&server->lock, NULL);
    pp_credential_cache_init(&server->admitted, PP_BASICAUTH_ADMITTED_MS);
    pp_credential_cache_init(&server->refused, PP_BASICAUTH_REFUSED_MS);
    pp_verify_pool_init(&server->pool);
    server->verifications = pp_telemetry_counter(component->service ? pp_service_telemetry(component->service) : NULL, &verifications_metric,
                                                 &(struct pp_label){"extension", component->id}, 1);
    if (config->file && *config->file) {
        server->file = pp_secret_file_new(&options);
        if (!server->file) {
            pp_error_nomem(err);
            pp_basicauth_server_free(server);
            return NULL;
        }
    }
    return server;
}

void pp_basicauth_server_free(struct pp_basicauth_server *server)
{
    if (!server)
        return;
    pp_verify_pool_done(&server->pool);
    pp_credential_cache_done(&server->admitted);
    pp_credential_cache_done(&server->refused);
    pp_secret_file_free(server->file);
    pp_htpasswd_unref(server->table);
    pthread_mutex_destroy(&server->lock);
    pp_free(server);
}

bool pp_basicauth_server_start(struct pp_basicauth_server *server, struct pp_error *err)
{
    if (server->file ? !pp_secret_file_load(server->file, err) : !on_content(server, PP_STR(""), err))
        return false;
    pp_verify_pool_restart(&server->pool);
    return true;
}

void pp_basicauth_server_stop(struct pp_basicauth_server *server)
{
    pp_verify_pool_stop(&server->pool);
}

static struct pp_htpasswd *current(struct pp_basicauth_server *server)
{
    struct pp_htpasswd *table;

    if (server->file)
        pp_secret_file_poll(server->file);
    pthread_mutex_lock(&server->lock);
    table = pp_htpasswd_ref(server->table);
    pthread_mutex_unlock(&server->lock);
    return table;
}

static enum pp_auth_outcome refuse(struct pp_auth_check *check)
{
    check->why = "these credentials are not accepted";
    return check->outcome = PP_AUTH_REFUSED;
}

static enum pp_auth_outcome busy(struct pp_auth_check *check)
{
    check->why = "too many credentials are being checked, try again";
    return check->outcome = PP_AUTH_BUSY;
}

/* The Collector's names of what it knows: "username" and "raw". */
static enum pp_auth_outcome admit(struct pp_auth_check *check, const struct pp_basic_credentials *credentials)
{
    struct pp_http_header *attributes = pp_arena_array(&check->request->arena, 2, sizeof(*attributes));

    if (!attributes)
        return busy(check);
    attributes[0] = (struct pp_http_header){PP_STR("username"), credentials->user};
    attributes[1] = (struct pp_http_header){PP_STR("raw"), credentials->raw};
    check->attributes = attributes;
    check->attributes_n = 2;
    return check->outcome = PP_AUTH_ADMITTED;
}

static void job_free(struct job *job)
{
    pp_htpasswd_unref(job->table);
    pp_free(job);
}

static void decide(struct job *job, enum pp_auth_outcome (*outcome)(struct pp_auth_check *check))
{
    struct pp_auth_check *check = job->check;

    if (outcome)
        outcome(check);
    else
        admit(check, &job->credentials);
    job_free(job);
    check->decided(check);
}

static void run(struct pp_verify_job *base)
{
    struct job *job = (struct job *)base;
    struct pp_basicauth_server *server = job->server;
    bool right = pp_password_matches(job->entry->password, job->credentials.password) & job->known;

    pp_counter_add(server->verifications, 1);
    pp_credential_cache_add(right ? &server->admitted : &server->refused, &job->digest, pp_clock_mono_ms());
    decide(job, right ? NULL : refuse);
}

static void drop(struct pp_verify_job *base)
{
    decide((struct job *)base, busy);
}

/* Takes the reference to `table` when it answers "pending". */
static enum pp_auth_outcome check_later(struct pp_basicauth_server *server, struct pp_auth_check *check, struct job given)
{
    struct job *job = pp_malloc(sizeof(*job));

    if (!job)
        return busy(check);
    *job = given;
    job->base = (struct pp_verify_job){.run = run, .drop = drop, .peer = check->request->peer};
    if (pp_verify_pool_add(&server->pool, &job->base))
        return PP_AUTH_PENDING; /* `check` may be gone */
    pp_free(job);
    return busy(check);
}

/* What is remembered is remembered for this very hash: a new password in the table makes it forgotten. */
static enum pp_auth_outcome check_slow(struct pp_basicauth_server *server, struct pp_auth_check *check, const struct job *job)
{
    const struct pp_str parts[] = {job->credentials.user, job->credentials.password, job->entry->password};
    uint64_t now_ms = pp_clock_mono_ms();
    struct job full = *job;

    if (!pp_secret_digest_make(parts, 3, &full.digest))
        return busy(check);
    if (pp_credential_cache_has(&server->admitted, &full.digest, now_ms))
        return admit(check, &job->credentials);
    if (pp_credential_cache_has(&server->refused, &full.digest, now_ms))
        return refuse(check);
    return check_later(server, check, full);
}

static enum pp_auth_outcome check_in(struct pp_basicauth_server *server, struct pp_auth_check *check, struct pp_htpasswd *table,
                                     const struct pp_basic_credentials *credentials)
{
    const struct pp_htpasswd_entry *entry = pp_htpasswd_find(table, credentials->user);
    struct job job = {.server = server, .check = check, .table = table, .entry = entry, .known = entry != NULL, .credentials = *credentials};

    if (credentials->password.n > PP_PASSWORD_BYTES_MAX)
        return refuse(check);
    /* An unknown user costs as much as a known one, or the time would tell which is which. */
    if (!job.known)
        job.entry = pp_htpasswd_decoy(table);
    if (!job.entry)
        return refuse(check);
    if (pp_password_is_slow(job.entry->password))
        return check_slow(server, check, &job);
    return pp_password_matches(job.entry->password, credentials->password) ? admit(check, credentials) : refuse(check);
}

enum pp_auth_outcome pp_basicauth_server_check(struct pp_basicauth_server *server, struct pp_auth_check *check)
{
    struct pp_str value = pp_auth_credential(check, "authorization");
    struct pp_basic_credentials credentials;
    struct pp_htpasswd *table;
    enum pp_auth_outcome outcome;

    check->outcome = PP_AUTH_REFUSED;
    if (!value.p) {
        check->why = "no basic auth provided";
        return PP_AUTH_REFUSED;
    }
    if (!pp_basic_parse(&check->request->arena, value, &credentials)) {
        check->why = "the authorization is not of the Basic scheme, or malformed";
        return PP_AUTH_REFUSED;
    }
    table = current(server);
    outcome = table ? check_in(server, check, table, &credentials) : refuse(check);
    if (outcome != PP_AUTH_PENDING)
        pp_htpasswd_unref(table);
    return outcome;
}
