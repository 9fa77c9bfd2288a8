/* Block `file`: reads files that match a pattern when they are new or have changed. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "convert/pprof_open.h"
#include "pprof_block.h"
#include "render/frame_name.h"

#define FILES_MAX 2000u /* of one pattern; the rest is not looked at */

/* A file as it was when it was last taken (or found bad). */
struct known {
    char *path;
    struct timespec mtime;
    off_t size;
    ino_t inode;
    bool present; /* in the collection that runs */
};

struct pp_pprof_files {
    struct pp_component *self;
    const struct pp_pprof_file_config *config;
    struct pp_pprof_ticker ticker;
    PP_VEC(struct known) known;
    bool too_many_said, refused_said; /* logged once, until it is over */
};

static bool is_as_known(const struct known *k, const struct stat *st)
{
    return k->mtime.tv_sec == st->st_mtim.tv_sec && k->mtime.tv_nsec == st->st_mtim.tv_nsec && k->size == st->st_size && k->inode == st->st_ino;
}

static struct known *known_of(struct pp_pprof_files *f, const char *path)
{
    for (size_t i = 0; i < f->known.n; i++)
        if (strcmp(f->known.v[i].path, path) == 0)
            return &f->known.v[i];
    return NULL;
}

static void remember(struct pp_pprof_files *f, const char *path, const struct stat *st)
{
    struct known *k = known_of(f, path), made = {.path = k ? k->path : pp_strdup(path)};

    made.mtime = st->st_mtim;
    made.size = st->st_size;
    made.inode = st->st_ino;
    made.present = true;
    if (k)
        *k = made;
    else if (!made.path || !pp_vec_push(&f->known, made))
        pp_free(made.path); /* forgotten: it is read again */
}

static bool read_whole(const char *path, struct pp_buf *buf, struct stat *st, struct pp_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1;

    if (fd < 0 || fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
        pp_error_set(err, PP_ERR_IO, "cannot read %s: %s", path, fd < 0 ? strerror(errno) : "not a plain file");
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (n > 0) {
        char *room = pp_buf_reserve(buf, 65536);

        n = room ? read(fd, room, 65536) : -1;
        buf->len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        pp_error_set(err, buf->failed ? PP_ERR_LIMIT : PP_ERR_IO, "cannot read %s: %s", path, buf->failed ? "it is too large" : strerror(errno));
    close(fd);
    return n == 0;
}

static bool ingest(struct pp_pprof_files *f, const char *path, struct pp_str content, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_pprof_source source = {.transport = "file",
                                     .attributes = {{"file.path", pp_str_c(path)}, {"file.name", pp_frame_basename(pp_str_c(path))}},
                                     .attributes_n = 2};

    if (pp_pprof_ingest(f->self, &source, content, ret, err))
        return true;
    return pp_error_prefix(err, "%.300s", path);
}

/* What was refused for now is read again at the next collection; what is bad, when it has changed. */
static void take(struct pp_pprof_files *f, const char *path)
{
    char reason[PP_WAIT_MESSAGE_BYTES];
    struct pp_batch *batch = NULL;
    struct pp_error err = {0};
    struct stat st = {0};
    struct pp_buf content;
    bool ok;

    pp_buf_init(&content, PP_PPROF_FILE_BYTES_MAX + 65536);
    ok = read_whole(path, &content, &st, &err) && ingest(f, path, pp_buf_str(&content), &batch, &err);
    pp_buf_done(&content);
    if (!ok)
        pp_log(PP_LOG_WARN, f->self->log_id, "%s; not read again before it changes", err.message);
    if (batch && pp_emit_and_wait(f->self, "file", batch, &f->ticker.stop, reason) != PP_ACCEPTED) {
        pp_log(f->refused_said ? PP_LOG_DEBUG : PP_LOG_WARN, f->self->log_id, "%s: not taken: %s; tried again at every collection", path,
               reason);
        f->refused_said = true;
        return;
    }
    f->refused_said = f->refused_said && !batch;
    remember(f, path, &st);
}

static void look_at(struct pp_pprof_files *f, const char *path)
{
    struct known *k = known_of(f, path);
    struct stat st;

    if (stat(path, &st) != 0 || S_ISDIR(st.st_mode))
        return;
    if (k) {
        k->present = true;
        if (is_as_known(k, &st))
            return;
    }
    take(f, path);
}

static void forget_gone(struct pp_pprof_files *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->known.n; i++) {
        if (f->known.v[i].present)
            f->known.v[kept++] = f->known.v[i];
        else
            pp_free(f->known.v[i].path);
    }
    f->known.n = kept;
}

static void collect(void *arg)
{
    struct pp_pprof_files *f = arg;
    glob_t found = {0};
    int rc = glob(f->config->include, 0, NULL, &found);

    for (size_t i = 0; i < f->known.n; i++)
        f->known.v[i].present = false;
    if (rc != 0 && rc != GLOB_NOMATCH)
        pp_log(PP_LOG_WARN, f->self->log_id, "cannot look for %s: %s", f->config->include, rc == GLOB_NOSPACE ? "out of memory" : "read error");
    for (size_t i = 0; rc == 0 && i < found.gl_pathc && i < FILES_MAX && !atomic_load(&f->ticker.stop); i++)
        look_at(f, found.gl_pathv[i]);
    if (rc == 0 && found.gl_pathc > FILES_MAX && !f->too_many_said) {
        pp_log(PP_LOG_WARN, f->self->log_id, "%s matches %zu files: only %u are read", f->config->include, found.gl_pathc, FILES_MAX);
        f->too_many_said = true;
    }
    if (!atomic_load(&f->ticker.stop))
        forget_gone(f);
    globfree(&found);
}

struct pp_pprof_files *pp_pprof_files_new(struct pp_component *self, const struct pp_pprof_file_config *config, struct pp_error *err)
{
    struct pp_pprof_files *f = pp_calloc(1, sizeof(*f));

    if (!f) {
        pp_error_nomem(err);
        return NULL;
    }
    f->self = self;
    f->config = config;
    f->ticker.self = self;
    f->ticker.controller = &config->controller;
    f->ticker.collect = collect;
    f->ticker.arg = f;
    if (pp_pprof_ticker_start(&f->ticker, err))
        return f;
    pp_pprof_files_free(f);
    return NULL;
}

void pp_pprof_files_tell(struct pp_pprof_files *f)
{
    if (f)
        pp_pprof_ticker_tell(&f->ticker);
}

void pp_pprof_files_free(struct pp_pprof_files *f)
{
    if (!f)
        return;
    pp_pprof_ticker_join(&f->ticker);
    for (size_t i = 0; i < f->known.n; i++)
        pp_free(f->known.v[i].path);
    pp_vec_done(&f->known);
    pp_free(f);
}
