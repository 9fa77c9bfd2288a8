#include "config/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES 65536u

struct request {
    struct pp_arena *arena;
    const struct pp_config_io *io;
    struct pp_str value; /* behind the scheme */
    struct pp_str uri;
    struct pp_mark mark;
    struct pp_diags *diags;
};

bool pp_uri_has_scheme(struct pp_str text)
{
    size_t i = 0;

    while (i < text.n && (isalnum((unsigned char)text.p[i]) || (i > 0 && strchr("+.-", text.p[i]))))
        i++;
    return i >= 2 && i < text.n && text.p[i] == ':' && isalpha((unsigned char)text.p[0]);
}

static bool fail(const struct request *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(const struct request *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_diag_addv(r->diags, PP_SEVERITY_ERROR, r->mark, "", fmt, args);
    va_end(args);
    return false;
}

static bool fail_nomem(const struct request *r)
{
    pp_diag_nomem(r->diags);
    return false;
}

/* The text as the result; `name` NULL: it stands where the URI does. */
static bool give(const struct request *r, struct pp_str text, const char *name,
                 struct pp_retrieved *ret)
{
    char *copy = pp_arena_strdup(r->arena, text);

    if (!copy)
        return fail_nomem(r);
    ret->text = (struct pp_str){copy, text.n};
    ret->mark = name ? (struct pp_mark){.file = name} : r->mark;
    return true;
}

/* False with errno on a failed read; a full buffer shows in `buf->failed`. */
static bool read_all(int fd, struct pp_buf *buf)
{
    for (;;) {
        char *room = pp_buf_reserve(buf, READ_BYTES);
        ssize_t n = room ? read(fd, room, READ_BYTES) : 0;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        buf->len += (size_t)n;
    }
}

static bool retrieve_file(const struct request *r, struct pp_retrieved *ret)
{
    const char *path = pp_arena_strdup(r->arena, r->value);
    struct pp_buf buf;
    bool ok;
    int fd;

    if (!path)
        return fail_nomem(r);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(r, "cannot read the file \"%s\": %s", path, strerror(errno));
    pp_buf_init(&buf, PP_YAML_BYTES_MAX + READ_BYTES);
    ok = read_all(fd, &buf) || fail(r, "cannot read the file \"%s\": %s", path, strerror(errno));
    close(fd);
    if (ok && (buf.failed || buf.len > PP_YAML_BYTES_MAX))
        ok = fail(r, "the file \"%s\" has more than %u MiB", path, PP_YAML_BYTES_MAX >> 20);
    ok = ok && give(r, pp_buf_str(&buf), path, ret);
    pp_buf_done(&buf);
    return ok;
}

static bool retrieve_http(const struct request *r, struct pp_retrieved *ret)
{
    const char *url = pp_arena_strdup(r->arena, r->uri);
    struct pp_error error = {0};
    struct pp_buf buf;
    bool ok;

    if (!url)
        return fail_nomem(r);
    if (!r->io->fetch)
        return fail(r, "cannot fetch \"%s\": no HTTP here", url);
    pp_buf_init(&buf, PP_YAML_BYTES_MAX);
    ok = r->io->fetch(r->io->ctx, url, &buf, &error);
    if (!ok)
        fail(r, "cannot fetch \"%s\": %s", url, error.message);
    else if (buf.failed)
        ok = fail(r, "\"%s\" has more than %u MiB", url, PP_YAML_BYTES_MAX >> 20);
    ok = ok && give(r, pp_buf_str(&buf), url, ret);
    pp_buf_done(&buf);
    return ok;
}

static bool env_name_valid(struct pp_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c != '_' && !isalpha(c) && (i == 0 || !isdigit(c)))
            return false;
    }
    return name.n > 0;
}

static bool retrieve_env(const struct request *r, struct pp_retrieved *ret)
{
    struct pp_str name = r->value, fallback = PP_STR("");
    const char *cut = r->value.n ? memmem(r->value.p, r->value.n, ":-", 2) : NULL;
    const char *key, *value;

    if (cut) {
        name.n = (size_t)(cut - name.p);
        fallback = (struct pp_str){cut + 2, r->value.n - name.n - 2};
    }
    if (!env_name_valid(name))
        return fail(r, "\"" PP_STR_FMT "\" is not a name of an environment variable",
                    PP_STR_ARG(name));
    key = pp_arena_strdup(r->arena, name);
    if (!key)
        return fail_nomem(r);
    value = r->io->get_env ? r->io->get_env(r->io->ctx, key) : getenv(key);
    if (!value && !cut)
        pp_diag_add(r->diags, PP_SEVERITY_WARNING, r->mark, "",
                    "the environment variable %s is not set; taken as empty", key);
    return give(r, value ? pp_str_c(value) : fallback, NULL, ret);
}

static bool retrieve_yaml(const struct request *r, struct pp_retrieved *ret)
{
    return give(r, r->value, NULL, ret);
}

bool pp_source_retrieve(struct pp_arena *arena, const struct pp_config_io *io, struct pp_str uri,
                        struct pp_mark mark, struct pp_diags *diags, struct pp_retrieved *ret)
{
    static const struct {
        const char *name;
        bool (*retrieve)(const struct request *r, struct pp_retrieved *ret);
    } schemes[] = {
        {"env", retrieve_env},    {"file", retrieve_file}, {"http", retrieve_http},
        {"https", retrieve_http}, {"yaml", retrieve_yaml},
    };
    const char *colon = uri.n ? memchr(uri.p, ':', uri.n) : NULL;
    size_t scheme = colon ? (size_t)(colon - uri.p) : 0;
    struct request r = {arena, io, {uri.p, uri.n}, uri, mark, diags};

    for (size_t i = 0; colon && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!pp_str_eq_c((struct pp_str){uri.p, scheme}, schemes[i].name))
            continue;
        r.value = (struct pp_str){colon + 1, uri.n - scheme - 1};
        return schemes[i].retrieve(&r, ret);
    }
    return fail(&r,
                "the scheme of \"" PP_STR_FMT
                "\" is not known; expected env, file, http, https or yaml",
                PP_STR_ARG(uri));
}
