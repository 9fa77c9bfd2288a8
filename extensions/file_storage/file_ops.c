#include "file_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
    return openat(folder, name, flags, mode);
}

static int unlink_at(int folder, const char *name)
{
    return unlinkat(folder, name, 0);
}

const struct pp_file_ops pp_file_ops = {
    .open = open_at,
    .pwritev = pwritev,
    .ftruncate = ftruncate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .unlink = unlink_at,
    .close = close,
};

/* Leaves out the first `written` bytes. */
static void advance(struct iovec **parts, size_t *n, size_t written)
{
    while (*n > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        (*parts)++;
        (*n)--;
    }
    if (*n > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
}

bool pp_file_write(const struct pp_file_ops *ops, int fd, struct iovec *parts, size_t n, uint64_t offset)
{
    advance(&parts, &n, 0);
    while (n > 0) {
        ssize_t written = ops->pwritev(fd, parts, n < IOV_MAX ? (int)n : IOV_MAX, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        if (written == 0) {
            errno = ENOSPC; /* no progress without a reason: as if there were no room */
            return false;
        }
        offset += (uint64_t)written;
        advance(&parts, &n, (size_t)written);
    }
    return true;
}

ssize_t pp_file_read(int fd, void *out, size_t size, uint64_t offset)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(fd, (char *)out + got, size - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}
