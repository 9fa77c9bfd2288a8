#include "folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOCK_NAME "lock"
#define POLL_MS 20u

static long holder(int fd)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* For people only: what holds is the lock. */
static void write_holder(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return;
}

int pp_folder_lock(int folder, const char *path, uint64_t timeout_ms, struct pp_error *err)
{
    const struct timespec pause = {0, POLL_MS * (long)PP_NS_PER_MS};
    uint64_t until_ms = pp_clock_mono_ms() + timeout_ms;
    int fd = openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0) {
        pp_error_set(err, PP_ERR_IO, "%s/" LOCK_NAME ": cannot open: %s", path, strerror(errno));
        return -1;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        long pid = holder(fd);

        if (errno == EWOULDBLOCK && pid != (long)getpid() && pp_clock_mono_ms() < until_ms) {
            nanosleep(&pause, NULL);
            continue;
        }
        if (errno == EWOULDBLOCK)
            pp_error_set(err, PP_ERR_IO, "%s is in use by process %ld: each daemon needs a directory of its own", path, pid);
        else
            pp_error_set(err, PP_ERR_IO, "%s/" LOCK_NAME ": cannot lock: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    write_holder(fd);
    return fd;
}
