#include "test_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 4096
#define DESCRIPTORS_MAX 1024
#define NAME_MAX_ 64
#define SECTOR 512u

enum change { CREATED, WRITTEN, TRUNCATED, SYNCED, FOLDER_SYNCED, UNLINKED };

struct event {
    enum change change;
    int file; /* each creation makes a new one, also under an old name */
    uint64_t offset;
    size_t size;
    char *data;
};

static struct {
    struct event *events;
    size_t events_n, events_cap;
    char names[FILES_MAX][NAME_MAX_];
    int files_n;
    int file_of[DESCRIPTORS_MAX]; /* plus one; 0: not ours */
    unsigned fail_at[TEST_DISK_CALLS], calls[TEST_DISK_CALLS];
    int error[TEST_DISK_CALLS];
    size_t write_max;
} disk;

/* A log's own thread writes while the test's looks or sets failures. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void test_disk_reset(void)
{
    for (size_t i = 0; i < disk.events_n; i++)
        free(disk.events[i].data);
    free(disk.events);
    memset(&disk, 0, sizeof(disk));
}

void test_disk_fail(enum test_disk_call call, unsigned nth, int error)
{
    pthread_mutex_lock(&lock);
    disk.calls[call] = 0;
    disk.fail_at[call] = nth;
    disk.error[call] = error;
    pthread_mutex_unlock(&lock);
}

void test_disk_cut_writes(size_t bytes_max)
{
    disk.write_max = bytes_max;
}

size_t test_disk_events(void)
{
    return disk.events_n;
}

static bool fails(enum test_disk_call call)
{
    if (++disk.calls[call] < disk.fail_at[call] || disk.fail_at[call] == 0)
        return false;
    errno = disk.error[call];
    return true;
}

static void add(struct event event)
{
    if (disk.events_n == disk.events_cap) {
        disk.events_cap = disk.events_cap ? disk.events_cap * 2 : 256;
        disk.events = realloc(disk.events, disk.events_cap * sizeof(event));
        assert(disk.events);
    }
    disk.events[disk.events_n++] = event;
}

/* The file of that name that is not unlinked; -1: none. */
static int file_by_name(const char *name, size_t events)
{
    int found = -1;

    for (size_t i = 0; i < events; i++) {
        const struct event *e = &disk.events[i];

        if (e->change == CREATED && strcmp(disk.names[e->file], name) == 0)
            found = e->file;
        if (e->change == UNLINKED && e->file == found)
            found = -1;
    }
    return found;
}

static int disk_open(int folder, const char *name, int flags, mode_t mode)
{
    int fd, file;

    if (flags & O_CREAT && fails(TEST_DISK_OPEN))
        return -1;
    fd = openat(folder, name, flags, mode);
    if (fd < 0)
        return -1;
    assert(fd < DESCRIPTORS_MAX);
    file = file_by_name(name, disk.events_n);
    if (file < 0 && flags & O_CREAT) {
        file = disk.files_n++;
        assert(file < FILES_MAX && strlen(name) < NAME_MAX_);
        snprintf(disk.names[file], NAME_MAX_, "%s", name);
        add((struct event){.change = CREATED, .file = file});
    }
    disk.file_of[fd] = file + 1;
    return fd;
}

static ssize_t disk_pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    size_t size = 0, done = 0;
    bool failing = fails(TEST_DISK_WRITE);
    int error = errno;
    char *data;

    for (int i = 0; i < n; i++)
        size += parts[i].iov_len;
    if (disk.write_max && size > disk.write_max)
        size = disk.write_max;
    if (failing)
        size /= 2;
    data = malloc(size + 1);
    assert(data);
    for (int i = 0; i < n && done < size; i++) {
        size_t k = parts[i].iov_len < size - done ? parts[i].iov_len : size - done;

        memcpy(data + done, parts[i].iov_base, k);
        done += k;
    }
    if (pwrite(fd, data, size, offset) != (ssize_t)size)
        abort();
    add((struct event){WRITTEN, disk.file_of[fd] - 1, (uint64_t)offset, size, data});
    errno = error;
    return failing ? -1 : (ssize_t)size;
}

static int disk_ftruncate(int fd, off_t size)
{
    if (fails(TEST_DISK_TRUNCATE))
        return -1;
    add((struct event){.change = TRUNCATED, .file = disk.file_of[fd] - 1, .offset = (uint64_t)size});
    return ftruncate(fd, size);
}

static int disk_fdatasync(int fd)
{
    if (fails(TEST_DISK_SYNC))
        return -1;
    add((struct event){.change = SYNCED, .file = disk.file_of[fd] - 1});
    return 0;
}

static int disk_fsync(int fd)
{
    (void)fd;
    if (fails(TEST_DISK_SYNC_FOLDER))
        return -1;
    add((struct event){.change = FOLDER_SYNCED});
    return 0;
}

static int disk_unlink(int folder, const char *name)
{
    int file = file_by_name(name, disk.events_n);

    if (unlinkat(folder, name, 0) != 0)
        return -1;
    if (file >= 0)
        add((struct event){.change = UNLINKED, .file = file});
    return 0;
}

static int disk_close(int fd)
{
    disk.file_of[fd] = 0;
    return close(fd);
}

#define LOCKED(type, name, parameters, ...)                                                                            \
    static type locked_##name parameters                                                                               \
    {                                                                                                                  \
        type result;                                                                                                   \
        int error;                                                                                                     \
                                                                                                                       \
        pthread_mutex_lock(&lock);                                                                                     \
        result = disk_##name(__VA_ARGS__);                                                                             \
        error = errno;                                                                                                 \
        pthread_mutex_unlock(&lock);                                                                                   \
        errno = error;                                                                                                 \
        return result;                                                                                                 \
    }

LOCKED(int, open, (int folder, const char *name, int flags, mode_t mode), folder, name, flags, mode)
LOCKED(ssize_t, pwritev, (int fd, const struct iovec *parts, int n, off_t offset), fd, parts, n, offset)
LOCKED(int, ftruncate, (int fd, off_t size), fd, size)
LOCKED(int, fdatasync, (int fd), fd)
LOCKED(int, fsync, (int fd), fd)
LOCKED(int, unlink, (int folder, const char *name), folder, name)
LOCKED(int, close, (int fd), fd)

const struct pp_file_ops test_disk_ops = {locked_open,  locked_pwritev, locked_ftruncate, locked_fdatasync,
                                          locked_fsync, locked_unlink,  locked_close};

static unsigned random_below(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void apply(int fd, const struct event *e, size_t size)
{
    if (e->change == TRUNCATED ? ftruncate(fd, (off_t)e->offset) != 0 : pwrite(fd, e->data, size, (off_t)e->offset) != (ssize_t)size)
        abort();
}

/* Not synced: there, not there, or there in part; sectors in any order. */
static void apply_by_chance(int fd, const struct event *e, unsigned *seed)
{
    switch (random_below(seed, 4)) {
    case 0:
        return;
    case 1:
        apply(fd, e, e->size);
        return;
    case 2:
        apply(fd, e, e->change == TRUNCATED ? 0 : random_below(seed, (unsigned)e->size + 1));
        return;
    default:
        for (size_t at = 0; e->change == WRITTEN && at < e->size; at += SECTOR) {
            size_t size = e->size - at < SECTOR ? e->size - at : SECTOR;

            if (random_below(seed, 2) && pwrite(fd, e->data + at, size, (off_t)(e->offset + at)) != (ssize_t)size)
                abort();
        }
    }
}

/* Which of the files that bore this name has its entry in the folder, by what was synced and by chance; -1: none. */
static int entry_after(const char *name, size_t events, unsigned *seed)
{
    int durable = -1, now = -1;

    for (size_t i = 0; i < events; i++) {
        const struct event *e = &disk.events[i];

        if (e->change == FOLDER_SYNCED)
            durable = now;
        else if (e->change == CREATED && strcmp(disk.names[e->file], name) == 0)
            now = e->file;
        else if (e->change == UNLINKED && e->file == now)
            now = -1;
    }
    return random_below(seed, 2) ? durable : now;
}

static void make_file(const char *path, int file, size_t events, unsigned *seed)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    size_t synced = 0;

    assert(fd >= 0);
    for (size_t i = 0; i < events; i++)
        if (disk.events[i].change == SYNCED && disk.events[i].file == file)
            synced = i;
    for (size_t i = 0; i < events; i++) {
        const struct event *e = &disk.events[i];

        if (e->file != file || (e->change != WRITTEN && e->change != TRUNCATED))
            continue;
        if (i < synced)
            apply(fd, e, e->size);
        else
            apply_by_chance(fd, e, seed);
    }
    close(fd);
}

void test_disk_cut_power(const char *folder, size_t events, unsigned seed)
{
    for (int f = 0; f < disk.files_n; f++) {
        char path[512];
        bool seen = false;
        int file;

        for (int before = 0; before < f; before++)
            seen = seen || strcmp(disk.names[before], disk.names[f]) == 0;
        file = seen ? -1 : entry_after(disk.names[f], events, &seed);
        if (file < 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, disk.names[f]);
        make_file(path, file, events, &seed);
    }
}
