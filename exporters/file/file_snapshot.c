#include "file_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file_path.h"
#include "net/compress.h"
#include "render/flamegraph.h"
#include "render/folded.h"

#define DOCUMENT_BYTES_MAX ((size_t)1 << 30)
#define DOCUMENT_MODE 0644

void pp_file_snapshot_init(struct pp_file_snapshot *s, const struct pp_file_config *config, const char *title)
{
    *s = (struct pp_file_snapshot){.config = config, .title = config->title ? config->title : title};
    pp_tree_init(&s->tree, (uint32_t)config->nodes_max, config->by_service);
    s->merge.samples_max = (uint32_t)config->nodes_max;
}

void pp_file_snapshot_done(struct pp_file_snapshot *s)
{
    pp_tree_done(&s->tree);
    pp_pprof_merge_done(&s->merge);
}

bool pp_file_snapshot_add(struct pp_file_snapshot *s, struct pp_batch *batch, struct pp_error *err)
{
    const struct pp_tables *tables = pp_batch_tables(batch, err);

    if (!tables)
        return false;
    s->dirty = true;
    if (s->config->format == PP_FILE_PPROF) {
        /* While only one profile has come, the file is that profile, unmerged. */
        struct pp_pprof_merge_options options = {.exact = s->merge.profile.sample_types.n == 0};

        return pp_pprof_merge_add(&s->merge, tables, &options, err);
    }
    return pp_tree_add(&s->tree, tables, err);
}

/* The type that the configuration names, else what the data says. */
static uint32_t chosen_type(const struct pp_file_snapshot *s)
{
    uint32_t type = s->config->sample_type ? pp_tree_type_find(&s->tree, pp_str_c(s->config->sample_type)) : PP_INDEX_NONE;

    return type == PP_INDEX_NONE ? s->tree.type_default : type;
}

static bool render_folded(struct pp_file_snapshot *s, struct pp_buf *buf, struct pp_error *err)
{
    bool named = s->config->sample_type != NULL;
    bool found = !named || pp_tree_type_find(&s->tree, pp_str_c(s->config->sample_type)) != PP_INDEX_NONE;

    /* A type that has been asked for and has not come yet is an empty file, not another type. */
    return s->tree.types.n == 0 || !found || pp_folded_write(&s->tree, chosen_type(s), buf, err);
}

static bool render_pprof(struct pp_file_snapshot *s, struct pp_buf *buf, struct pp_error *err)
{
    struct pp_bytes *packed;
    struct pp_buf plain;
    bool ok;

    pp_buf_init(&plain, DOCUMENT_BYTES_MAX);
    ok = pp_pprof_encode(&s->merge.profile, &plain) || pp_error_set(err, PP_ERR_LIMIT, "the merged pprof is too large");
    ok = ok && pp_compress(PP_ENCODING_GZIP, PP_COMPRESS_LEVEL_DEFAULT, pp_buf_str(&plain), &packed, err);
    pp_buf_done(&plain);
    if (!ok)
        return false;
    ok = pp_buf_add_str(buf, pp_bytes_str(packed)) || pp_error_nomem(err);
    pp_bytes_unref(packed);
    return ok;
}

static bool render(struct pp_file_snapshot *s, struct pp_buf *buf, struct pp_error *err)
{
    switch (s->config->format) {
    case PP_FILE_PPROF:
        return render_pprof(s, buf, err);
    case PP_FILE_FOLDED:
        return render_folded(s, buf, err);
    default:
        s->tree.type_default = chosen_type(s);
        return pp_flamegraph_write(&s->tree, pp_str_c(s->title), buf, err);
    }
}

static bool write_all(int fd, struct pp_str data)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data.p += n;
            data.n -= (size_t)n;
        }
    }
    return true;
}

/* A new file beside `path`: its descriptor, and its name in `temporary`. */
static int open_beside(const char *path, char temporary[PP_FILE_PATH_BYTES_MAX], struct pp_error *err)
{
    int n = snprintf(temporary, PP_FILE_PATH_BYTES_MAX, "%s.XXXXXX", path), fd;

    if (n < 0 || n >= (int)PP_FILE_PATH_BYTES_MAX) {
        pp_error_set(err, PP_ERR_IO, "%.64s...: the path is too long", path);
        return -1;
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        pp_error_set(err, PP_ERR_IO, "cannot write a file beside %s: %s", path, strerror(errno));
    return fd;
}

/* A new file beside the old one, then one rename. */
static bool replace(const char *path, struct pp_str document, struct pp_error *err)
{
    char temporary[PP_FILE_PATH_BYTES_MAX];
    int fd = open_beside(path, temporary, err);
    bool ok;

    if (fd < 0)
        return false;
    ok = fchmod(fd, DOCUMENT_MODE) == 0 && write_all(fd, document);
    if (!ok)
        pp_error_set(err, PP_ERR_IO, "cannot write a file beside %s: %s", path, strerror(errno));
    close(fd);
    if (ok && rename(temporary, path) == 0)
        return true;
    if (ok)
        pp_error_set(err, PP_ERR_IO, "cannot put a new file in the place of %s: %s", path, strerror(errno));
    unlink(temporary);
    return false;
}

bool pp_file_snapshot_begin(struct pp_file_snapshot *s, struct pp_error *err)
{
    char temporary[PP_FILE_PATH_BYTES_MAX];
    struct stat st;
    int fd;

    if (s->config->format != PP_FILE_PPROF)
        return pp_file_snapshot_write(s, err);
    if (stat(s->config->path, &st) == 0 && S_ISDIR(st.st_mode))
        return pp_error_set(err, PP_ERR_IO, "cannot write %s: it is a folder", s->config->path);
    fd = open_beside(s->config->path, temporary, err);
    if (fd < 0)
        return false;
    close(fd);
    unlink(temporary);
    return true;
}

bool pp_file_snapshot_write(struct pp_file_snapshot *s, struct pp_error *err)
{
    struct pp_buf buf;
    bool ok;

    pp_buf_init(&buf, DOCUMENT_BYTES_MAX);
    ok = render(s, &buf, err) && replace(s->config->path, pp_buf_str(&buf), err);
    pp_buf_done(&buf);
    if (ok)
        s->dirty = false;
    return ok;
}
