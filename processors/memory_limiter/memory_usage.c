#include "memory_usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* A file of /proc or /sys/fs/cgroup; "" when it cannot be read. */
static void read_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
}

uint64_t pp_memory_resident(void)
{
    char text[128];
    unsigned long long size, resident;

    read_file("/proc/self/statm", text, sizeof(text));
    if (sscanf(text, "%llu %llu", &size, &resident) != 2)
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

/* "max" and absurdly large numbers mean that there is no limit. */
static uint64_t limit_in(const char *path)
{
    char text[64];
    uint64_t value = 0;

    read_file(path, text, sizeof(text));
    if (!pp_str_to_u64(pp_str_trim(pp_str_c(text)), &value) || value > UINT64_MAX / 4)
        return 0;
    return value;
}

/* The limits of a cgroup and of all above it: the tightest binds. `dir` is cut shorter on the way. */
static uint64_t tightest_limit(const char *root, char *dir, const char *file)
{
    uint64_t limit = 0;
    char path[4400];

    for (;;) {
        char *slash = strrchr(dir, '/');

        snprintf(path, sizeof(path), "%s%s/%s", root, dir, file);
        limit = least(limit, limit_in(path));
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: "0::/path" for v2, "4:memory:/path" for v1. */
static uint64_t cgroup_limit(char *line)
{
    char *controllers = strchr(line, ':'), *dir = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!dir)
        return 0;
    *dir++ = '\0';
    controllers++;
    if (*controllers == '\0')
        return tightest_limit("/sys/fs/cgroup", dir, "memory.max");
    if (strstr(controllers, "memory"))
        return tightest_limit("/sys/fs/cgroup/memory", dir, "memory.limit_in_bytes");
    return 0;
}

uint64_t pp_memory_total(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    uint64_t total = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    char text[8192], *next = text;

    read_file("/proc/self/cgroup", text, sizeof(text));
    for (char *line; (line = strsep(&next, "\n"));)
        total = least(total, cgroup_limit(line));
    return total;
}
