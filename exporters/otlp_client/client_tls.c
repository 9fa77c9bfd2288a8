#include "client_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"

/* Where distributions keep the system's authorities in one file; SSL_CERT_FILE in the environment
 * comes first, as in OpenSSL and Go. */
static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/ssl/cert.pem",                  /* OpenSSL's own default */
    NULL,
};

/* What tells one version of a file from the next. */
struct stamp {
    struct timespec mtime;
    off_t size;
    ino_t inode;
};

struct shared_material {
    struct pp_tls_material material; /* first */
    atomic_uint refs;
};

enum { CA, CERT, KEY, FILES };

struct pp_client_tls {
    const struct pp_tls_client_config *config;
    const char *files[FILES]; /* NULL: not a file */
    pthread_mutex_t lock;     /* for all below */
    struct stamp stamps[FILES];
    uint64_t next_check_ms;
    struct shared_material *current;
};

void pp_tls_material_unref(struct pp_tls_material *material)
{
    struct shared_material *shared = (struct shared_material *)material;

    if (!shared || atomic_fetch_sub(&shared->refs, 1) != 1) {
        return;
    }
    pp_free(material->ca);
    pp_free(material->cert);
    if (material->key) {
        explicit_bzero(material->key, strlen(material->key));
    }
    pp_free(material->key);
    pp_free(shared);
}

static bool read_fd(int fd, const char *path, struct pp_buf *out, struct pp_error *err)
{
    for (;;) {
        char *room = pp_buf_reserve(out, 16384);
        ssize_t n;

        if (!room) {
            return out->len + 16384 > out->max
                       ? pp_error_set(err, PP_ERR_LIMIT, "%s: larger than %u bytes", path,
                                      PP_PEM_BYTES_MAX)
                       : pp_error_nomem(err);
        }
        n = read(fd, room, 16384);
        if (n == 0) {
            return true;
        }
        if (n < 0 && errno != EINTR) {
            return pp_error_set(err, PP_ERR_IO, "cannot read %s: %s", path, strerror(errno));
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
}

static bool read_file(const char *path, struct pp_buf *out, struct pp_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0) {
        return pp_error_set(err, PP_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    ok = read_fd(fd, path, out, err);
    close(fd);
    return ok;
}

static const char *system_bundle(void)
{
    const char *path = getenv("SSL_CERT_FILE");

    if (path && *path) {
        return path;
    }
    for (size_t i = 0; system_bundles[i]; i++) {
        if (access(system_bundles[i], R_OK) == 0) {
            return system_bundles[i];
        }
    }
    return NULL;
}

/* Appends what a `_file` and `_pem` pair names. */
static bool add_source(const char *file, const char *pem, struct pp_buf *out, struct pp_error *err)
{
    if (file) {
        return read_file(file, out, err);
    }
    return !pem || pp_buf_add_c(out, pem) || pp_error_nomem(err);
}

/* The text as a string of its own; *ret stays NULL for an empty one. */
static bool take_text(struct pp_buf *buf, char **ret, struct pp_error *err)
{
    if (buf->len == 0) {
        return true;
    }
    *ret = pp_str_dup(pp_buf_str(buf));
    return *ret || pp_error_nomem(err);
}

static bool read_ca(const struct pp_tls_client_config *config, struct pp_buf *buf,
                    struct pp_error *err)
{
    const struct pp_tls_config *common = &config->common;
    bool own = common->ca_file || common->ca_pem;
    const char *bundle = !own || common->include_system_ca_certs_pool ? system_bundle() : NULL;

    if (config->insecure_skip_verify) {
        return true;
    }
    if (!add_source(common->ca_file, common->ca_pem, buf, err)) {
        return false;
    }
    return !bundle ||
           ((buf->len == 0 || pp_buf_add_byte(buf, '\n')) && read_file(bundle, buf, err));
}

static struct shared_material *material_read(const struct pp_tls_client_config *config,
                                             struct pp_error *err)
{
    const struct pp_tls_config *common = &config->common;
    struct shared_material *shared = pp_calloc(1, sizeof(*shared));
    struct pp_buf buf;
    bool ok;

    if (!shared) {
        pp_error_nomem(err);
        return NULL;
    }
    atomic_init(&shared->refs, 1);
    pp_buf_init(&buf, PP_PEM_BYTES_MAX);
    ok = read_ca(config, &buf, err) && take_text(&buf, &shared->material.ca, err);
    pp_buf_reset(&buf);
    ok = ok && add_source(common->cert_file, common->cert_pem, &buf, err) &&
         take_text(&buf, &shared->material.cert, err);
    pp_buf_reset(&buf);
    ok = ok && add_source(common->key_file, common->key_pem, &buf, err) &&
         take_text(&buf, &shared->material.key, err);
    if (buf.data) {
        explicit_bzero(buf.data, buf.cap);
    }
    pp_buf_done(&buf);
    if (!ok) {
        pp_tls_material_unref(&shared->material);
        return NULL;
    }
    return shared;
}

/* Lets OpenSSL say whether files and texts are what they should be; its message names the one that
 * is not. */
static bool material_check(const struct pp_tls_client_config *config, struct pp_error *err)
{
    const struct pp_tls_config *common = &config->common;
    struct pp_tls_options options = {
        .cert = {common->cert_file, common->cert_pem},
        .key = {common->key_file, common->key_pem},
        .insecure_skip_verify = config->insecure_skip_verify,
    };
    struct pp_tls_client *client;

    if (!config->insecure_skip_verify) {
        options.ca = (struct pp_tls_source){common->ca_file, common->ca_pem};
    }
    client = pp_tls_client_new(&options, err);
    pp_tls_client_free(client);
    return client != NULL;
}

static struct shared_material *material_load(const struct pp_tls_client_config *config,
                                             struct pp_error *err)
{
    struct shared_material *shared = material_read(config, err);

    if (shared && !material_check(config, err)) {
        pp_tls_material_unref(&shared->material);
        return NULL;
    }
    return shared;
}

/* Takes note of the files as they are now; true when one is another than before. A missing file
 * counts as unchanged: it is being replaced. */
static bool stamps_update(struct pp_client_tls *tls)
{
    bool changed = false;

    for (int i = 0; i < FILES; i++) {
        struct stamp *old = &tls->stamps[i];
        struct stat st;

        if (!tls->files[i] || stat(tls->files[i], &st) != 0) {
            continue;
        }
        changed |= st.st_mtim.tv_sec != old->mtime.tv_sec ||
                   st.st_mtim.tv_nsec != old->mtime.tv_nsec || st.st_size != old->size ||
                   st.st_ino != old->inode;
        *old = (struct stamp){st.st_mtim, st.st_size, st.st_ino};
    }
    return changed;
}

static uint64_t next_check(const struct pp_client_tls *tls)
{
    int64_t interval_ns = tls->config->common.reload_interval;

    return interval_ns > 0 ? pp_clock_mono_ms() + (uint64_t)interval_ns / PP_NS_PER_MS : UINT64_MAX;
}

struct pp_client_tls *pp_client_tls_new(const struct pp_tls_client_config *config,
                                        struct pp_error *err)
{
    struct pp_client_tls *tls = pp_calloc(1, sizeof(*tls));

    if (!tls) {
        pp_error_nomem(err);
        return NULL;
    }
    tls->config = config;
    tls->files[CA] = config->insecure_skip_verify ? NULL : config->common.ca_file;
    tls->files[CERT] = config->common.cert_file;
    tls->files[KEY] = config->common.key_file;
    stamps_update(tls); /* before reading: a change in between is then seen at the next check */
    tls->current = material_load(config, err);
    if (!tls->current) {
        pp_free(tls);
        return NULL;
    }
    tls->next_check_ms = next_check(tls);
    pthread_mutex_init(&tls->lock, NULL);
    return tls;
}

void pp_client_tls_free(struct pp_client_tls *tls)
{
    if (!tls) {
        return;
    }
    pp_tls_material_unref(&tls->current->material);
    pthread_mutex_destroy(&tls->lock);
    pp_free(tls);
}

struct pp_tls_material *pp_client_tls_material(struct pp_client_tls *tls,
                                               struct pp_error *ret_warning)
{
    struct shared_material *shared;

    *ret_warning = (struct pp_error){0};
    pthread_mutex_lock(&tls->lock);
    if (pp_clock_mono_ms() >= tls->next_check_ms) {
        tls->next_check_ms = next_check(tls);
        if (stamps_update(tls)) {
            shared = material_load(tls->config, ret_warning);
            if (shared) {
                pp_tls_material_unref(&tls->current->material);
                tls->current = shared;
            } else {
                pp_error_prefix(ret_warning,
                                "changed certificates are not used, the old ones stay");
            }
        }
    }
    shared = tls->current;
    atomic_fetch_add(&shared->refs, 1);
    pthread_mutex_unlock(&tls->lock);
    return &shared->material;
}

bool pp_client_tls_wanted(const struct pp_tls_client_config *config)
{
    return !config->insecure || config->common.ca_file || config->common.ca_pem;
}
