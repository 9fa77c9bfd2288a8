/* Keys of the file exporter: the Collector's, and the formats pprof, folded and flamegraph beside json and proto. */
#ifndef PP_FILE_CONFIG_H
#define PP_FILE_CONFIG_H

#include <sys/types.h>

#include "config/groups/compression.h"
#include "config/rows.h"

enum pp_file_format { PP_FILE_JSON, PP_FILE_PROTO, PP_FILE_PPROF, PP_FILE_FOLDED, PP_FILE_FLAMEGRAPH };

enum pp_file_compression { PP_FILE_COMPRESSION_EMPTY, PP_FILE_COMPRESSION_NONE, PP_FILE_COMPRESSION_ZSTD };

struct pp_file_rotation {
    int64_t max_megabytes;
    int64_t max_days;    /* 0: no limit */
    int64_t max_backups; /* 0: no limit */
    bool localtime;
};

struct pp_file_group_by {
    bool enabled;
    const char *resource_attribute;
    int64_t max_open_files;
};

struct pp_file_config {
    const char *path;
    int format;      /* enum pp_file_format */
    int compression; /* enum pp_file_compression */
    struct pp_compression_params compression_params;
    bool append;
    struct pp_file_rotation *rotation; /* NULL: none */
    int64_t flush_interval;            /* ns; 0: every write at once */
    struct pp_file_group_by *group_by; /* NULL: none */
    bool create_directory;
    const char *directory_permissions; /* octal */
    const char *encoding;
    /* snapshots (ours) */
    const char *title;
    const char *sample_type;
    bool by_service;
    int64_t nodes_max;
};

extern const struct pp_group pp_file_config_group;
void pp_file_config_validate(const void *config, struct pp_check *check);

/* pprof, folded and flamegraph: one document of everything so far, written anew each time. */
bool pp_file_is_snapshot(const struct pp_file_config *config);
bool pp_file_is_grouped(const struct pp_file_config *config);
/* The parsed directory_permissions, valid after validation. */
mode_t pp_file_directory_mode(const struct pp_file_config *config);

#endif
