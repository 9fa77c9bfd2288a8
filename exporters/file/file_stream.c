#include "file_stream.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "file_backups.h"
#include "file_path.h"

#define FILE_MODE 0644
#define FRAME_BYTES 4u
#define MESSAGE_BYTES_MAX UINT32_MAX /* what the length before it can say */
#define MIB (1024 * 1024)

static bool io_error(const struct pp_file_stream *s, const char *what, struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_IO, "cannot %s %s: %s", what, s->path, strerror(errno));
}

static bool open_file(struct pp_file_stream *s, bool append, struct pp_error *err)
{
    struct stat st;

    s->fd = open(s->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (append ? 0 : O_TRUNC), FILE_MODE);
    if (s->fd < 0)
        return io_error(s, "open", err);
    s->size = fstat(s->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return true;
}

bool pp_file_stream_open(struct pp_file_stream *s, const struct pp_file_config *config, const char *path, bool append, struct pp_error *err)
{
    *s = (struct pp_file_stream){.config = config, .fd = -1, .path = pp_strdup(path)};
    pp_buf_init(&s->pending, PP_FILE_BUFFER_BYTES);
    if (!s->path)
        return pp_error_nomem(err);
    if (open_file(s, append, err))
        return true;
    pp_free(s->path);
    s->path = NULL;
    return false;
}

/* Takes a failed write back, so that readers see whole messages only. Sets how much of it stays. */
static void undo(struct pp_file_stream *s, uint64_t before, size_t written, size_t *ret_kept)
{
    struct stat st;

    *ret_kept = 0;
    if (written == 0)
        return;
    /* Pipes and devices cannot be cut; a regular file can, even when the disk is full. */
    if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(s->fd, (off_t)before) == 0)
        return;
    *ret_kept = written;
}

/* A file that was renamed or removed under us (logrotate, a cleaner) is left alone, and a new one begun at the path: what would go into a removed file
 * is lost for everybody. One that was cut (copytruncate) is shorter than we think. */
static bool follow_path(struct pp_file_stream *s, struct pp_error *err)
{
    struct stat opened, named;
    int old = s->fd;

    if (fstat(s->fd, &opened) != 0 || !S_ISREG(opened.st_mode))
        return true; /* a pipe or a device stays */
    if (stat(s->path, &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
        s->size = (uint64_t)opened.st_size;
        return true;
    }
    if (!open_file(s, true, err)) {
        s->fd = old;
        return false;
    }
    close(old);
    return true;
}

/* All of `data`, or as much as *ret_kept says. */
static bool write_whole(struct pp_file_stream *s, struct pp_str data, size_t *ret_kept, struct pp_error *err)
{
    size_t written = 0;
    uint64_t before;

    *ret_kept = 0;
    if (!follow_path(s, err))
        return false;
    before = s->size;
    while (written < data.n) {
        ssize_t n = write(s->fd, data.p + written, data.n - written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            io_error(s, "write to", err);
            undo(s, before, written, ret_kept);
            s->size = before + *ret_kept;
            return false;
        }
        written += (size_t)n;
    }
    s->size = before + written;
    *ret_kept = written;
    return true;
}

bool pp_file_stream_flush(struct pp_file_stream *s, struct pp_error *err)
{
    size_t kept;
    bool ok;

    if (s->pending.len == 0)
        return true;
    ok = write_whole(s, pp_buf_str(&s->pending), &kept, err);
    memmove(s->pending.data, s->pending.data + kept, s->pending.len - kept);
    s->pending.len -= kept;
    return ok;
}

static bool rotate(struct pp_file_stream *s, struct pp_error *err)
{
    char name[PP_FILE_PATH_BYTES_MAX];
    struct pp_error prune_err;
    struct pp_buf buf;
    uint64_t now = pp_clock_unix_ns();
    bool ok;

    pp_buf_init(&buf, sizeof(name));
    ok = pp_file_backup_name(s->path, now, s->config->rotation->localtime, &buf);
    if (ok)
        memcpy(name, buf.data, buf.len);
    pp_buf_done(&buf);
    if (!ok)
        return pp_error_set(err, PP_ERR_IO, "cannot rotate %s: the path is too long", s->path);
    if (rename(s->path, name) != 0 && errno != ENOENT)
        return io_error(s, "rotate", err);
    close(s->fd);
    if (!open_file(s, false, err))
        return false;
    /* The data is safe whatever becomes of the old files. */
    if (!pp_file_backups_prune(s->path, s->config->rotation, now, &prune_err))
        pp_log(PP_LOG_WARN, NULL, "%s", prune_err.message);
    return true;
}

static bool rotate_if_due(struct pp_file_stream *s, size_t more, struct pp_error *err)
{
    uint64_t max = s->config->rotation ? (uint64_t)s->config->rotation->max_megabytes * MIB : UINT64_MAX;

    if (s->fd < 0 && !open_file(s, true, err))
        return false;
    if (s->size + s->pending.len == 0 || s->size + s->pending.len + more <= max)
        return true;
    return pp_file_stream_flush(s, err) && rotate(s, err);
}

static bool is_line(const struct pp_file_config *config)
{
    return config->format == PP_FILE_JSON && config->compression != PP_FILE_COMPRESSION_ZSTD;
}

static bool add_framed(struct pp_buf *buf, struct pp_str message, bool line)
{
    uint32_t length = htobe32((uint32_t)message.n);

    if (!line)
        pp_buf_add(buf, &length, sizeof(length));
    pp_buf_add_str(buf, message);
    return line ? pp_buf_add_byte(buf, '\n') : !buf->failed;
}

/* Larger than the buffer: goes to the file by itself. */
static bool add_large(struct pp_file_stream *s, struct pp_str message, struct pp_error *err)
{
    struct pp_buf framed;
    size_t kept;
    bool ok;

    pp_buf_init(&framed, message.n + FRAME_BYTES + 1);
    if (!add_framed(&framed, message, is_line(s->config))) {
        pp_buf_done(&framed);
        return pp_error_nomem(err);
    }
    ok = write_whole(s, pp_buf_str(&framed), &kept, err);
    pp_buf_done(&framed);
    return ok;
}

bool pp_file_stream_add(struct pp_file_stream *s, struct pp_str message, struct pp_error *err)
{
    size_t framed = message.n + FRAME_BYTES + 1, before, after;

    if (message.n > MESSAGE_BYTES_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "a message of %zu bytes does not fit in a frame", message.n);
    if (!rotate_if_due(s, framed, err))
        return false;
    if (s->pending.len + framed > PP_FILE_BUFFER_BYTES && !pp_file_stream_flush(s, err))
        return false;
    if (framed > PP_FILE_BUFFER_BYTES)
        return add_large(s, message, err);
    before = s->pending.len;
    if (!add_framed(&s->pending, message, is_line(s->config))) {
        s->pending.len = before;
        s->pending.failed = false;
        return pp_error_nomem(err);
    }
    if (s->config->flush_interval != 0 && !s->config->rotation)
        return true;
    after = s->pending.len;
    /* Where part of it had to stay in the file (a pipe), the rest must follow: then it counts as taken. */
    if (pp_file_stream_flush(s, err) || s->pending.len != after)
        return true;
    s->pending.len = before;
    return false;
}

bool pp_file_stream_close(struct pp_file_stream *s, uint64_t *lost_bytes, struct pp_error *err)
{
    bool ok = s->fd < 0 || pp_file_stream_flush(s, err);

    *lost_bytes += s->pending.len;
    if (s->fd >= 0 && close(s->fd) != 0 && ok)
        ok = io_error(s, "close", err);
    pp_buf_done(&s->pending);
    pp_free(s->path);
    *s = (struct pp_file_stream){.fd = -1};
    return ok;
}
