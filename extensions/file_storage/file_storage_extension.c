/* Keeps what other components put by over restarts, in files of a directory: one log of records for each of them (file_log.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client_name.h"
#include "config/groups/duration.h"
#include "file_log.h"
#include "pipeline/service.h"

#define PATH_BYTES_MAX 4096u
#define PERMISSIONS_DEFAULT 0750

struct compaction_config {
    char ignored; /* all of its keys are */
};

struct file_storage_config {
    const char *directory;
    int64_t timeout;
    bool fsync;
    bool create_directory;
    const char *directory_permissions;
    int64_t max_size;
    bool recreate;
    struct compaction_config *compaction;
};

#define NO_COMPACTION "There is nothing to compact: files of done records are removed as they are done."

static const struct pp_field compaction_fields[] = {
    PP_ROW_IGNORED("on_start", NO_COMPACTION),
    PP_ROW_IGNORED("on_rebound", NO_COMPACTION),
    PP_ROW_IGNORED("directory", NO_COMPACTION),
    PP_ROW_IGNORED("rebound_needed_threshold_mib", NO_COMPACTION),
    PP_ROW_IGNORED("rebound_trigger_threshold_mib", NO_COMPACTION),
    PP_ROW_IGNORED("max_transaction_size", NO_COMPACTION),
    PP_ROW_IGNORED("check_interval", NO_COMPACTION),
    PP_ROW_IGNORED("cleanup_on_start", NO_COMPACTION),
    PP_ROW_END,
};

static const struct pp_group compaction_group = {
    .name = "compaction",
    .size = sizeof(struct compaction_config),
    .fields = compaction_fields,
};

static const struct pp_field file_storage_fields[] = {
    PP_ROW_STRING(struct file_storage_config, directory, PP_FIELD_NONEMPTY, "Where the files are; one daemon at a time uses it."),
    PP_ROW_DURATION(struct file_storage_config, timeout, 0, 0, 3600, "How long a start waits for another process to let a log go."),
    PP_ROW_BOOL(struct file_storage_config, fsync, 0,
                "What is accepted has reached the disk and survives a power cut; without it, it survives the death of the process."),
    PP_ROW_BOOL(struct file_storage_config, create_directory, 0, "Make the directory if it is not there."),
    PP_ROW_STRING(struct file_storage_config, directory_permissions, PP_FIELD_NONEMPTY,
                  "Of a directory that is made: octal, the process's umask taken off."),
    PP_ROW_INT(struct file_storage_config, max_size, 0, 0, 1e15, "Most bytes on the disk for one component's log; 0 sets no limit."),
    PP_ROW_BOOL(struct file_storage_config, recreate, 0,
                "A damaged file is renamed to .backup, once what is whole in it has been delivered, instead of being removed."),
    PP_ROW_OPTIONAL(struct file_storage_config, compaction, &compaction_group, "Of the Collector's data base files."),
    PP_ROW_END,
};

static const struct pp_group file_storage_group = {
    .name = "file_storage",
    .size = sizeof(struct file_storage_config),
    .defaults =
        &(const struct file_storage_config){
            .directory = "/var/lib/otelcol/file_storage",
            .timeout = PP_NS(1),
            .directory_permissions = "0750",
        },
    .fields = file_storage_fields,
};

struct file_storage {
    struct pp_component component; /* first */
    struct pp_record_store store;
};

/* Octal digits within 0777, "0o" before them allowed as in Go. */
static bool read_permissions(const char *text, mode_t *ret)
{
    unsigned mode = 0;

    if (strncmp(text, "0o", 2) == 0)
        text += 2;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '7')
            return false;
        mode = mode * 8 + (unsigned)(*text - '0');
        if (mode > 0777)
            return false;
    }
    *ret = (mode_t)mode;
    return true;
}

static mode_t permissions(const struct file_storage_config *config)
{
    mode_t mode = PERMISSIONS_DEFAULT;

    read_permissions(config->directory_permissions, &mode);
    return mode;
}

static void file_storage_validate(const void *config_, struct pp_check *check)
{
    const struct file_storage_config *config = config_;
    mode_t mode;

    if (!read_permissions(config->directory_permissions, &mode))
        pp_check_error(check, "directory_permissions", "\"%s\" is not octal permissions from 0 to 0777", config->directory_permissions);
    if (strlen(config->directory) + 1 + PP_CLIENT_NAME_BYTES_MAX >= PATH_BYTES_MAX)
        pp_check_error(check, "directory", "is too long");
}

/* Makes the entry for a new folder last. */
static bool sync_parent(const char *path, struct pp_error *err)
{
    char parent[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    bool ok;
    int fd;

    memcpy(parent, path, n);
    parent[n] = '\0';
    fd = open(n > 0 ? parent : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        pp_error_set(err, PP_ERR_IO, "%s: cannot sync the directory: %s", parent, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool make_folder(const struct file_storage_config *config, const char *path, struct pp_error *err)
{
    if (mkdir(path, permissions(config)) == 0)
        return !config->fsync || sync_parent(path, err);
    return errno == EEXIST || pp_error_set(err, PP_ERR_IO, "%s: cannot make the directory: %s", path, strerror(errno));
}

/* With the directories above it. */
static bool make_folders(const struct file_storage_config *config, struct pp_error *err)
{
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof(path), "%s", config->directory);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!make_folder(config, path, err))
            return false;
        *slash = '/';
    }
    return make_folder(config, path, err);
}

static bool file_storage_start(struct pp_component *component, struct pp_error *err)
{
    const struct file_storage_config *config = component->config;
    struct stat stat_;

    if (config->create_directory && !make_folders(config, err))
        return false;
    if (stat(config->directory, &stat_) != 0)
        return pp_error_set(err, PP_ERR_IO, "%s: %s%s", config->directory, strerror(errno),
                            errno == ENOENT ? " (the directory must exist; create_directory: true makes it)" : "");
    if (!S_ISDIR(stat_.st_mode))
        return pp_error_set(err, PP_ERR_IO, "%s: not a directory", config->directory);
    if (access(config->directory, R_OK | W_OK | X_OK) != 0)
        return pp_error_set(err, PP_ERR_IO, "%s: cannot write in the directory: %s", config->directory, strerror(errno));
    return true;
}

static bool open_log(struct pp_record_store *store, const struct pp_record_client *client, const struct pp_record_log_events *events,
                     struct pp_record_log **ret, struct pp_error *err)
{
    struct file_storage *self = pp_container_of(store, struct file_storage, store);
    const struct file_storage_config *config = self->component.config;
    struct pp_file_log_options options = {
        .lock_timeout_ms = (uint64_t)config->timeout / 1000000u,
        .sync = config->fsync,
        .keep_broken = config->recreate,
        .bytes_max = (uint64_t)config->max_size,
    };
    struct pp_buf path;
    bool ok;

    pp_buf_init(&path, PATH_BYTES_MAX + PP_CLIENT_NAME_BYTES_MAX * 8);
    pp_buf_printf(&path, "%s/", config->directory);
    pp_client_name(client, &path);
    pp_buf_add_byte(&path, '\0');
    options.path = path.data;
    ok = path.failed ? pp_error_nomem(err) : make_folder(config, options.path, err) && pp_file_log_open(&options, events, ret, err);
    pp_buf_done(&path);
    return ok || pp_error_prefix(err, "extension %s", self->component.id);
}

static bool file_storage_create(struct pp_component *component, struct pp_error *err)
{
    (void)err;
    ((struct file_storage *)component)->store.open = open_log;
    return true;
}

static unsigned file_storage_offers(const void *config)
{
    (void)config;
    return PP_OFFERS_STORAGE;
}

static void *file_storage_interface(struct pp_component *component, enum pp_capability capability)
{
    return capability == PP_OFFERS_STORAGE ? &((struct file_storage *)component)->store : NULL;
}

const struct pp_factory pp_file_storage_extension_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXTENSION,
    .type = "file_storage",
    .stability = PP_BETA,
    .summary = "Keeps exporters' queues over restarts, in files.",
    .instance_size = sizeof(struct file_storage),
    .config = &file_storage_group,
    .readme = "extensions/file_storage",
    .offers = file_storage_offers,
    .interface = file_storage_interface,
    .starts_beside_old = true,
    .validate = file_storage_validate,
    .create = file_storage_create,
    .start = file_storage_start,
};
