#include "file_backups.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "file_path.h"

#define STAMP_BYTES 23 /* 2022-09-14T05-02-14.173 */
#define SECONDS_PER_DAY 86400

static struct pp_str folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return PP_STR(".");
    return slash == path ? PP_STR("/") : (struct pp_str){path, (size_t)(slash - path)};
}

/* "data" and ".json" of "/var/data.json". */
static void split_name(const char *path, struct pp_str *ret_stem, struct pp_str *ret_extension)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t n = strlen(base), stem = dot ? (size_t)(dot - base) : n;

    *ret_stem = (struct pp_str){base, stem};
    *ret_extension = (struct pp_str){base + stem, n - stem};
}

bool pp_file_backup_name(const char *path, uint64_t unix_ns, bool localtime, struct pp_buf *buf)
{
    time_t seconds = (time_t)(unix_ns / PP_NS_PER_S);
    struct pp_str stem, extension;
    struct tm tm;

    split_name(path, &stem, &extension);
    if (localtime)
        localtime_r(&seconds, &tm);
    else
        gmtime_r(&seconds, &tm);
    pp_buf_add(buf, path, (size_t)(stem.p - path) + stem.n);
    pp_buf_printf(buf, "-%04d-%02d-%02dT%02d-%02d-%02d.%03d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                  tm.tm_sec, (int)(unix_ns / PP_NS_PER_MS % 1000));
    pp_buf_add_str(buf, extension);
    return pp_buf_add_byte(buf, '\0');
}

/* The time in a rotated file's name; false for any other name. */
static bool stamp_of(const char *name, struct pp_str stem, struct pp_str extension, bool local, time_t *ret)
{
    static const char shape[] = "dddd-dd-ddTdd-dd-dd.ddd";
    const char *stamp = name + stem.n + 1;
    struct tm tm = {.tm_isdst = -1};

    if (strlen(name) != stem.n + 1 + STAMP_BYTES + extension.n || memcmp(name, stem.p, stem.n) != 0 || name[stem.n] != '-' ||
        memcmp(stamp + STAMP_BYTES, extension.p, extension.n) != 0)
        return false;
    for (size_t i = 0; i < STAMP_BYTES; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)stamp[i]) : stamp[i] != shape[i])
            return false;
    tm.tm_year = atoi(stamp) - 1900;
    tm.tm_mon = atoi(stamp + 5) - 1;
    tm.tm_mday = atoi(stamp + 8);
    tm.tm_hour = atoi(stamp + 11);
    tm.tm_min = atoi(stamp + 14);
    tm.tm_sec = atoi(stamp + 17);
    *ret = local ? mktime(&tm) : timegm(&tm);
    return true;
}

struct backup {
    char *name;
    time_t time;
};

/* Newest first; within a second the name's milliseconds decide. */
static int compare_backups(const void *a, const void *b)
{
    return strcmp(((const struct backup *)b)->name, ((const struct backup *)a)->name);
}

struct backups {
    PP_VEC(struct backup) list;
};

static bool list_backups(DIR *dir, const char *path, bool local, struct backups *ret)
{
    struct pp_str stem, extension;
    struct dirent *entry;

    split_name(path, &stem, &extension);
    while ((entry = readdir(dir))) {
        struct backup backup;

        if (!stamp_of(entry->d_name, stem, extension, local, &backup.time))
            continue;
        backup.name = pp_strdup(entry->d_name);
        if (!backup.name || !pp_vec_push(&ret->list, backup)) {
            pp_free(backup.name);
            return false;
        }
    }
    if (ret->list.n)
        qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), compare_backups);
    return true;
}

static bool is_due(const struct pp_file_rotation *rotation, size_t place, time_t age_s)
{
    if (rotation->max_backups > 0 && place >= (size_t)rotation->max_backups)
        return true;
    return rotation->max_days > 0 && age_s > rotation->max_days * SECONDS_PER_DAY;
}

bool pp_file_backups_prune(const char *path, const struct pp_file_rotation *rotation, uint64_t now_unix_ns, struct pp_error *err)
{
    struct backups found = {0};
    char *folder = pp_str_dup(folder_of(path));
    DIR *dir = folder ? opendir(folder) : NULL;
    bool ok = dir && list_backups(dir, path, rotation->localtime, &found);

    if (!ok)
        pp_error_set(err, PP_ERR_IO, "cannot list the rotated files in %s: %s", folder ? folder : "?", strerror(errno));
    for (size_t i = 0; i < found.list.n; i++) {
        struct backup *b = &found.list.v[i];
        time_t age_s = (time_t)(now_unix_ns / PP_NS_PER_S) - b->time;

        if (is_due(rotation, i, age_s) && unlinkat(dirfd(dir), b->name, 0) != 0 && errno != ENOENT) {
            pp_error_set(err, PP_ERR_IO, "cannot remove %s/%s: %s", folder, b->name, strerror(errno));
            ok = false;
        }
        pp_free(b->name);
    }
    pp_vec_done(&found.list);
    if (dir)
        closedir(dir);
    pp_free(folder);
    return ok;
}
