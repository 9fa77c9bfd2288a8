#include "pipeline/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pipeline/secret_digest.h"

/* What tells one state of a file from another. All zero: there is none. */
struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct pp_secret_file {
    struct pp_secret_file_options options;
    atomic_uint_fast64_t next_check_ms;
    pthread_mutex_t lock; /* of the rest */
    struct identity seen;
};

struct pp_secret_file *pp_secret_file_new(const struct pp_secret_file_options *options)
{
    struct pp_secret_file *file = pp_calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    file->options = *options;
    atomic_init(&file->next_check_ms, 0);
    pthread_mutex_init(&file->lock, NULL);
    return file;
}

void pp_secret_file_free(struct pp_secret_file *file)
{
    if (!file)
        return;
    pthread_mutex_destroy(&file->lock);
    pp_free(file);
}

static struct identity identity_of(const struct stat *st)
{
    return (struct identity){st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

/* All of the file, at most one byte more than allowed; -1 with errno. */
static ssize_t read_all(int fd, char *to, size_t room)
{
    size_t n = 0;

    while (n < room) {
        ssize_t got = read(fd, to + n, room - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static bool read_content(struct pp_secret_file *file, int fd, struct pp_error *err)
{
    size_t room = file->options.bytes_max + 1;
    char *content = pp_malloc(room);
    ssize_t n;
    bool ok;

    if (!content)
        return pp_error_nomem(err);
    n = read_all(fd, content, room);
    if (n < 0)
        ok = pp_error_set(err, PP_ERR_IO, "cannot read \"%s\": %s", file->options.path, strerror(errno));
    else if ((size_t)n == room)
        ok = pp_error_set(err, PP_ERR_LIMIT, "\"%s\" has more than %zu bytes", file->options.path, file->options.bytes_max);
    else
        ok = file->options.on_content(file->options.arg, (struct pp_str){content, (size_t)n}, err) ||
             pp_error_prefix(err, "\"%s\"", file->options.path);
    pp_secret_wipe(content, n > 0 ? (size_t)n : 0);
    pp_free(content);
    return ok;
}

/* Not blocking: the path may be a pipe's. */
static bool load(struct pp_secret_file *file, struct pp_error *err)
{
    int fd = open(file->options.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    bool ok;

    if (fd < 0)
        return pp_error_set(err, PP_ERR_IO, "cannot open \"%s\": %s", file->options.path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return pp_error_set(err, PP_ERR_IO, "\"%s\" is not a regular file", file->options.path);
    }
    file->seen = identity_of(&st);
    ok = read_content(file, fd, err);
    close(fd);
    return ok;
}

bool pp_secret_file_load(struct pp_secret_file *file, struct pp_error *err)
{
    bool ok;

    pthread_mutex_lock(&file->lock);
    ok = load(file, err);
    pthread_mutex_unlock(&file->lock);
    atomic_store(&file->next_check_ms, pp_clock_mono_ms() + PP_SECRET_FILE_CHECK_MS);
    return ok;
}

static void check(struct pp_secret_file *file)
{
    struct identity now = {0};
    struct pp_error err = {0};
    struct stat st;

    if (stat(file->options.path, &st) == 0)
        now = identity_of(&st);
    if (same(&now, &file->seen))
        return;
    file->seen = now; /* said once, whatever becomes of it */
    if (load(file, &err))
        pp_log(PP_LOG_INFO, file->options.log_id, "\"%s\" has changed and was read again", file->options.path);
    else
        pp_log(PP_LOG_WARN, file->options.log_id, "%s; what was read before stays in use", err.message);
}

void pp_secret_file_poll(struct pp_secret_file *file)
{
    uint64_t now_ms = pp_clock_mono_ms();
    uint_fast64_t due_ms = atomic_load_explicit(&file->next_check_ms, memory_order_relaxed);

    /* Whoever moves the time on does the check. */
    if (now_ms < due_ms || !atomic_compare_exchange_strong(&file->next_check_ms, &due_ms, now_ms + PP_SECRET_FILE_CHECK_MS))
        return;
    pthread_mutex_lock(&file->lock);
    check(file);
    pthread_mutex_unlock(&file->lock);
}
