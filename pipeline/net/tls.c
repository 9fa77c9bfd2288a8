#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

/* A bundle of all the world's authorities has a quarter of this. */
#define PEM_BYTES_MAX (4u * 1024 * 1024)
#define READ_STEP_BYTES 4096u
#define LIST_BYTES_MAX 4096u
/* How often at most the client authorities' file is looked at. */
#define CA_CHECK_INTERVAL_MS 1000u

/* A source with what it is, for messages. */
struct named_source {
    const char *what;
    const struct pp_tls_source *source;
};

static bool is_set(const struct pp_tls_source *source)
{
    return source->file || source->pem;
}

static const char *name_of(const struct pp_tls_source *source)
{
    return source->file ? source->file : "given inline";
}

static bool read_file(const char *what, const char *path, struct pp_buf *out, struct pp_error *err)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return pp_error_set(err, PP_ERR_IO, "cannot read %s %s: %s", what, path, strerror(errno));
    do {
        char *to = pp_buf_reserve(out, READ_STEP_BYTES);

        n = to ? fread(to, 1, READ_STEP_BYTES, f) : 0;
        out->len += n;
    } while (n > 0);
    if (ferror(f))
        pp_error_set(err, PP_ERR_IO, "cannot read %s %s: %s", what, path, strerror(errno));
    else if (out->failed)
        pp_error_set(err, PP_ERR_CONFIG, "%s %s is larger than %u bytes", what, path, PEM_BYTES_MAX);
    n = !ferror(f) && !out->failed;
    fclose(f);
    return n;
}

/* The text of a source as a BIO. */
static BIO *open_source(struct named_source s, struct pp_buf *text, struct pp_error *err)
{
    BIO *bio;

    pp_buf_init(text, PEM_BYTES_MAX);
    if (s.source->pem)
        pp_buf_add_c(text, s.source->pem);
    else if (!read_file(s.what, s.source->file, text, err))
        return NULL;
    bio = text->failed ? NULL : BIO_new_mem_buf(text->data ? text->data : "", (int)text->len);
    if (!bio)
        pp_error_nomem(err);
    return bio;
}

static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1; /* never ask on the terminal */
}

static bool use_certificate(SSL_CTX *ctx, struct named_source s, struct pp_error *err)
{
    struct pp_buf text;
    BIO *bio = open_source(s, &text, err);
    X509 *certificate;
    bool ok = false;

    if (!bio)
        goto out;
    certificate = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    ok = certificate && SSL_CTX_use_certificate(ctx, certificate) == 1;
    X509_free(certificate);
    /* What follows is the chain up to the authority. */
    while (ok && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(ctx, certificate) != 1)
            X509_free(certificate);
    if (!ok)
        pp_error_set(err, PP_ERR_CONFIG, "%s %s holds no usable PEM certificate", s.what, name_of(s.source));
out:
    BIO_free(bio);
    pp_buf_done(&text);
    ERR_clear_error();
    return ok;
}

static bool use_key(SSL_CTX *ctx, struct named_source s, const struct pp_tls_source *certificate, struct pp_error *err)
{
    struct pp_buf text;
    BIO *bio = open_source(s, &text, err);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    bool ok = false;

    if (bio && !key)
        pp_error_set(err, PP_ERR_CONFIG, "%s %s holds no usable PEM key without a passphrase", s.what, name_of(s.source));
    else if (key) {
        ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
        if (!ok)
            pp_error_set(err, PP_ERR_CONFIG, "%s %s does not belong to the certificate %s", s.what, name_of(s.source),
                         name_of(certificate));
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    pp_buf_done(&text);
    ERR_clear_error();
    return ok;
}

/* Trusts every certificate of the bundle; for a server also names them to its clients. */
static bool use_authorities(SSL_CTX *ctx, struct named_source s, bool server, struct pp_error *err)
{
    struct pp_buf text;
    BIO *bio = open_source(s, &text, err);
    X509 *certificate;
    size_t n = 0;

    while (bio && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        n += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate) == 1;
        if (server)
            SSL_CTX_add_client_CA(ctx, certificate);
        X509_free(certificate);
    }
    if (bio && n == 0)
        pp_error_set(err, PP_ERR_CONFIG, "%s %s holds no usable PEM certificate", s.what, name_of(s.source));
    BIO_free(bio);
    pp_buf_done(&text);
    ERR_clear_error();
    return n > 0;
}

static bool set_version(SSL_CTX *ctx, const char *name, const char *key, int fallback,
                        int (*set)(SSL_CTX *ctx, int version), struct pp_error *err)
{
    static const struct {
        const char *name;
        int version;
    } versions[] = {{"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION}, {"1.3", TLS1_3_VERSION}};

    if (!name || !name[0])
        return set(ctx, fallback) == 1;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (strcmp(versions[i].name, name) == 0 && set(ctx, versions[i].version) == 1)
            return true;
    return pp_error_set(err, PP_ERR_CONFIG, "%s \"%s\" is none of 1.0, 1.1, 1.2, 1.3", key, name);
}

static int set_min(SSL_CTX *ctx, int version)
{
    return (int)SSL_CTX_set_min_proto_version(ctx, version);
}

static int set_max(SSL_CTX *ctx, int version)
{
    return (int)SSL_CTX_set_max_proto_version(ctx, version);
}

static bool add_to_list(struct pp_buf *list, const char *name)
{
    return (list->len == 0 || pp_buf_add_byte(list, ':')) && pp_buf_add_c(list, name);
}

/* OpenSSL's name of an IANA suite; NULL when it has no such suite. */
static const char *suite_name(const char *iana)
{
    const char *name = OPENSSL_cipher_name(iana);
    char longer[128];

    if (name && strcmp(name, "(NONE)") != 0)
        return name;
    /* Go still knows the ChaCha suites by their names before RFC 7905. */
    snprintf(longer, sizeof(longer), "%s_SHA256", iana);
    name = OPENSSL_cipher_name(longer);
    return name && strcmp(name, "(NONE)") != 0 ? name : NULL;
}

static bool set_suites(SSL_CTX *ctx, const struct pp_tls_options *options, struct pp_error *err)
{
    struct pp_buf list;
    bool ok = true;

    pp_buf_init(&list, LIST_BYTES_MAX);
    for (size_t i = 0; ok && i < options->cipher_suites_n; i++) {
        const char *name = suite_name(options->cipher_suites[i]);

        if (!name)
            ok = pp_error_set(err, PP_ERR_CONFIG, "cipher suite \"%s\" is unknown", options->cipher_suites[i]);
        else if (strncmp(name, "TLS_", 4) != 0) /* those of TLS 1.3 are always on, as in Go */
            ok = add_to_list(&list, name) || pp_error_nomem(err);
    }
    if (ok && list.len > 0 && (!pp_buf_add_byte(&list, '\0') || SSL_CTX_set_cipher_list(ctx, list.data) != 1))
        ok = pp_error_set(err, PP_ERR_CONFIG, "none of the cipher suites is usable");
    pp_buf_done(&list);
    return ok;
}

static bool set_curves(SSL_CTX *ctx, const struct pp_tls_options *options, struct pp_error *err)
{
    static const struct {
        const char *go, *openssl; /* NULL: not in this OpenSSL, skipped when another is there */
    } names[] = {
        {"X25519", "X25519"}, {"P256", "P-256"}, {"P384", "P-384"}, {"P521", "P-521"}, {"X25519MLKEM768", NULL},
    };
    struct pp_buf list;
    bool ok = true;

    pp_buf_init(&list, LIST_BYTES_MAX);
    for (size_t i = 0; ok && i < options->curves_n; i++) {
        size_t k = 0;

        while (k < sizeof(names) / sizeof(names[0]) && strcmp(names[k].go, options->curves[i]) != 0)
            k++;
        if (k == sizeof(names) / sizeof(names[0]))
            ok = pp_error_set(err, PP_ERR_CONFIG, "curve \"%s\" is unknown", options->curves[i]);
        else if (names[k].openssl)
            ok = add_to_list(&list, names[k].openssl) || pp_error_nomem(err);
    }
    if (ok && options->curves_n > 0 &&
        (list.len == 0 || !pp_buf_add_byte(&list, '\0') || SSL_CTX_set1_curves_list(ctx, list.data) != 1))
        ok = pp_error_set(err, PP_ERR_CONFIG, "none of the curves is usable with this OpenSSL");
    pp_buf_done(&list);
    return ok;
}

static bool set_common(SSL_CTX *ctx, const struct pp_tls_options *options, struct pp_error *err)
{
    struct named_source cert = {"certificate", &options->cert}, key = {"private key", &options->key};

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    if (!set_version(ctx, options->min_version, "min_version", TLS1_2_VERSION, set_min, err) ||
        !set_version(ctx, options->max_version, "max_version", 0, set_max, err) || !set_suites(ctx, options, err) ||
        !set_curves(ctx, options, err))
        return false;
    if (is_set(&options->cert) != is_set(&options->key))
        return pp_error_set(err, PP_ERR_CONFIG, "a certificate and its private key come together, one of them is missing");
    return !is_set(&options->cert) || (use_certificate(ctx, cert, err) && use_key(ctx, key, &options->cert, err));
}

/* HTTP/2 first; a client that offers neither gets no protocol, as RFC 7301 has it. */
static int select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned in_n,
                       void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *selected;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&selected, ret_n, ours, sizeof(ours) - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = selected;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_context(const struct pp_tls_options *options, struct pp_error *err)
{
    static const unsigned char session_scope[] = "profpipe";
    struct named_source ca = {"client authorities", &options->client_ca};
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx) {
        pp_error_nomem(err);
        return NULL;
    }
    if (!is_set(&options->cert)) {
        pp_error_set(err, PP_ERR_CONFIG, "a TLS server needs a certificate and a private key");
        goto fail;
    }
    if (!set_common(ctx, options, err))
        goto fail;
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    SSL_CTX_set_session_id_context(ctx, session_scope, sizeof(session_scope) - 1);
    if (is_set(&options->client_ca)) {
        if (!use_authorities(ctx, ca, true, err))
            goto fail;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return ctx;
fail:
    SSL_CTX_free(ctx);
    return NULL;
}

static SSL_CTX *client_context(const struct pp_tls_options *options, struct pp_error *err)
{
    struct named_source ca = {"authorities", &options->ca};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx) {
        pp_error_nomem(err);
        return NULL;
    }
    if (!set_common(ctx, options, err) || (is_set(&options->ca) && !use_authorities(ctx, ca, false, err))) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (options->include_system_ca || !is_set(&options->ca))
        SSL_CTX_set_default_verify_paths(ctx);
    SSL_CTX_set_verify(ctx, options->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return ctx;
}

/* What both kinds are: a context that is made anew when its files change. */
struct reloadable {
    pthread_mutex_t lock;
    SSL_CTX *ctx;
    SSL_CTX *(*make)(const struct pp_tls_options *options, struct pp_error *err);
    struct pp_tls_options options; /* strings in `strings` */
    PP_VEC(char *) strings;
    uint64_t reload_at_ms; /* by reload_interval; UINT64_MAX: never */
    uint64_t ca_check_at_ms;
    struct timespec ca_mtime;
    ino_t ca_inode;
};

struct pp_tls_server {
    struct reloadable r;
};

struct pp_tls_client {
    struct reloadable r;
};

static const char *keep(struct reloadable *r, const char *s, bool *ok)
{
    char *copy = s ? pp_strdup(s) : NULL;

    if (copy && !pp_vec_push(&r->strings, copy)) {
        pp_free(copy);
        copy = NULL;
    }
    *ok = *ok && (copy || !s);
    return copy;
}

static const char *const *keep_list(struct reloadable *r, const char *const *list, size_t n, bool *ok)
{
    const char **copy = pp_calloc(n, sizeof(*copy));

    if (!copy || !pp_vec_push(&r->strings, (char *)copy)) {
        pp_free(copy);
        *ok = false;
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        copy[i] = keep(r, list[i], ok);
    return copy;
}

static bool keep_options(struct reloadable *r, const struct pp_tls_options *from)
{
    struct pp_tls_options *to = &r->options;
    bool ok = true;

    *to = *from;
    to->ca = (struct pp_tls_source){keep(r, from->ca.file, &ok), keep(r, from->ca.pem, &ok)};
    to->cert = (struct pp_tls_source){keep(r, from->cert.file, &ok), keep(r, from->cert.pem, &ok)};
    to->key = (struct pp_tls_source){keep(r, from->key.file, &ok), keep(r, from->key.pem, &ok)};
    to->client_ca = (struct pp_tls_source){keep(r, from->client_ca.file, &ok), keep(r, from->client_ca.pem, &ok)};
    to->min_version = keep(r, from->min_version, &ok);
    to->max_version = keep(r, from->max_version, &ok);
    to->server_name = keep(r, from->server_name, &ok);
    to->cipher_suites = keep_list(r, from->cipher_suites, from->cipher_suites_n, &ok);
    to->curves = keep_list(r, from->curves, from->curves_n, &ok);
    return ok;
}

/* Whether the client authorities' file is another one than at the last look. */
static bool ca_changed(struct reloadable *r)
{
    struct stat st;
    bool changed;

    if (!r->options.client_ca.file || stat(r->options.client_ca.file, &st) != 0)
        return false;
    changed = st.st_ino != r->ca_inode || st.st_mtim.tv_sec != r->ca_mtime.tv_sec ||
              st.st_mtim.tv_nsec != r->ca_mtime.tv_nsec;
    r->ca_inode = st.st_ino;
    r->ca_mtime = st.st_mtim;
    return changed;
}

static void reloadable_done(struct reloadable *r)
{
    SSL_CTX_free(r->ctx);
    for (size_t i = 0; i < r->strings.n; i++)
        pp_free(r->strings.v[i]);
    pp_vec_done(&r->strings);
    pthread_mutex_destroy(&r->lock);
}

static bool reloadable_init(struct reloadable *r, const struct pp_tls_options *options,
                            SSL_CTX *(*make)(const struct pp_tls_options *, struct pp_error *), struct pp_error *err)
{
    pthread_mutex_init(&r->lock, NULL);
    r->make = make;
    r->reload_at_ms = options->reload_interval_ms ? pp_clock_mono_ms() + options->reload_interval_ms : UINT64_MAX;
    if (!keep_options(r, options)) {
        pp_error_nomem(err);
    } else {
        ca_changed(r); /* before the file is read: a change in between is seen as one */
        r->ctx = make(&r->options, err);
        if (r->ctx)
            return true;
    }
    reloadable_done(r);
    return false;
}

static bool reload_is_due(struct reloadable *r)
{
    uint64_t now = pp_clock_mono_ms();
    bool due = now >= r->reload_at_ms;

    if (due)
        r->reload_at_ms = now + r->options.reload_interval_ms;
    if (r->options.client_ca_reload && now >= r->ca_check_at_ms) {
        r->ca_check_at_ms = now + CA_CHECK_INTERVAL_MS;
        due = ca_changed(r) || due;
    }
    return due;
}

static SSL_CTX *reloadable_context(struct reloadable *r, struct pp_error *ret_warning)
{
    SSL_CTX *ctx, *fresh;

    pthread_mutex_lock(&r->lock);
    if (reload_is_due(r)) {
        fresh = r->make(&r->options, ret_warning);
        if (fresh) {
            SSL_CTX_free(r->ctx);
            r->ctx = fresh;
        }
    }
    ctx = r->ctx;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&r->lock);
    return ctx;
}

struct pp_tls_server *pp_tls_server_new(const struct pp_tls_options *options, struct pp_error *err)
{
    struct pp_tls_server *tls = pp_calloc(1, sizeof(*tls));

    if (!tls) {
        pp_error_nomem(err);
    } else if (!reloadable_init(&tls->r, options, server_context, err)) {
        pp_free(tls);
        tls = NULL;
    }
    return tls;
}

void pp_tls_server_free(struct pp_tls_server *tls)
{
    if (tls)
        reloadable_done(&tls->r);
    pp_free(tls);
}

struct ssl_ctx_st *pp_tls_server_context(struct pp_tls_server *tls, struct pp_error *ret_warning)
{
    return reloadable_context(&tls->r, ret_warning);
}

struct pp_tls_client *pp_tls_client_new(const struct pp_tls_options *options, struct pp_error *err)
{
    struct pp_tls_client *tls = pp_calloc(1, sizeof(*tls));

    if (!tls) {
        pp_error_nomem(err);
    } else if (!reloadable_init(&tls->r, options, client_context, err)) {
        pp_free(tls);
        tls = NULL;
    }
    return tls;
}

void pp_tls_client_free(struct pp_tls_client *tls)
{
    if (tls)
        reloadable_done(&tls->r);
    pp_free(tls);
}

struct ssl_ctx_st *pp_tls_client_context(struct pp_tls_client *tls, struct pp_error *ret_warning)
{
    return reloadable_context(&tls->r, ret_warning);
}
