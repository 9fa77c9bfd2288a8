#include "json_file_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

bool pp_json_file_tail_open(struct pp_json_file_tail *t, const char *path, bool from_end, size_t line_bytes_max, struct pp_error *err)
{
    struct stat st;

    *t = (struct pp_json_file_tail){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (t->fd < 0 || fstat(t->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        pp_error_set(err, PP_ERR_IO, "cannot read %s: %s", path, t->fd < 0 ? strerror(errno) : "not a plain file");
        pp_json_file_tail_close(t);
        return false;
    }
    t->path = pp_strdup(path);
    if (!t->path) {
        pp_json_file_tail_close(t);
        return pp_error_nomem(err);
    }
    t->device = st.st_dev;
    t->inode = st.st_ino;
    t->offset = from_end ? st.st_size : 0;
    pp_buf_init(&t->line, line_bytes_max + 1 + PP_TAIL_READ_BYTES);
    return true;
}

void pp_json_file_tail_close(struct pp_json_file_tail *t)
{
    if (t->fd >= 0)
        close(t->fd);
    pp_buf_done(&t->line);
    pp_free(t->path);
    *t = (struct pp_json_file_tail){.fd = -1};
}

/* Reads on behind what is there; false at the end of the file, with *ret_error when reading failed. */
static bool read_more(struct pp_json_file_tail *t, bool *ret_error)
{
    char *room = pp_buf_reserve(&t->line, PP_TAIL_READ_BYTES);
    ssize_t n = room ? pread(t->fd, room, PP_TAIL_READ_BYTES, t->offset) : -1;

    *ret_error = n < 0 && errno != EINTR;
    if (n <= 0)
        return false;
    t->line.len += (size_t)n;
    t->offset += n;
    return true;
}

/* The newline's place in the line buffer, or its length. */
static size_t find_newline(struct pp_json_file_tail *t)
{
    const char *end = t->line.len > t->scanned ? memchr(t->line.data + t->scanned, '\n', t->line.len - t->scanned) : NULL;

    t->scanned = end ? (size_t)(end - t->line.data) : t->line.len;
    return t->scanned;
}

static void drop_front(struct pp_json_file_tail *t, size_t n)
{
    if (n > 0)
        memmove(t->line.data, t->line.data + n, t->line.len - n);
    t->line.len -= n;
    t->scanned = 0;
}

enum pp_tail_result pp_json_file_tail_next(struct pp_json_file_tail *t, struct pp_str *ret_line, struct pp_error *err)
{
    size_t line_bytes_max = t->line.max - 1 - PP_TAIL_READ_BYTES;

    for (;;) {
        size_t end = find_newline(t);
        bool error = false, complete = end < t->line.len;

        if (complete && t->passing_over) {
            drop_front(t, end + 1);
            t->passing_over = false;
            continue;
        }
        if (complete && end <= line_bytes_max) {
            *ret_line = (struct pp_str){t->line.data, end};
            return PP_TAIL_LINE;
        }
        if (end > line_bytes_max || t->passing_over) {
            bool said = t->passing_over;

            drop_front(t, complete ? end + 1 : end);
            t->passing_over = !complete;
            if (!said)
                return PP_TAIL_TOO_LONG;
        }
        if (!read_more(t, &error)) {
            if (error)
                pp_error_set(err, PP_ERR_IO, "cannot read %s: %s", t->path, t->line.failed ? "out of memory" : strerror(errno));
            t->line.failed = false; /* there may be memory the next time */
            return error ? PP_TAIL_ERROR : PP_TAIL_NO_MORE;
        }
    }
}

void pp_json_file_tail_take(struct pp_json_file_tail *t)
{
    drop_front(t, t->scanned + 1);
}

void pp_json_file_tail_rewind(struct pp_json_file_tail *t)
{
    t->offset = 0;
    t->scanned = 0;
    t->passing_over = false;
    pp_buf_reset(&t->line);
}

void pp_json_file_tail_check(struct pp_json_file_tail *t)
{
    struct stat st;

    if (fstat(t->fd, &st) == 0 && st.st_size < t->offset)
        pp_json_file_tail_rewind(t);
}
