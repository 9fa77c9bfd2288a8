#include "file_config.h"

#include <stdlib.h>
#include <string.h>

#include "config/groups/duration.h"
#include "render/tree.h"

static const char *const format_choices[] = {"json", "proto", "pprof", "folded", "flamegraph", NULL};
static const char *const compression_choices[] = {"", "none", "zstd", NULL};

static const struct pp_file_rotation rotation_defaults = {.max_megabytes = 100, .max_backups = 100};

static const struct pp_field rotation_fields[] = {
    PP_ROW_INT(struct pp_file_rotation, max_megabytes, 0, 1, 1e6, "Size in MiB at which a file is rotated."),
    PP_ROW_INT(struct pp_file_rotation, max_days, 0, 0, 36500, "Age in days beyond which rotated files are removed; 0: never."),
    PP_ROW_INT(struct pp_file_rotation, max_backups, 0, 0, 1e6, "Rotated files kept; 0: all."),
    PP_ROW_BOOL(struct pp_file_rotation, localtime, 0, "Rotated files are named by local time instead of UTC."),
    PP_ROW_END,
};

static const struct pp_group rotation_group = {
    .name = "rotation", .size = sizeof(struct pp_file_rotation), .defaults = &rotation_defaults, .fields = rotation_fields};

static const struct pp_file_group_by group_by_defaults = {.resource_attribute = "fileexporter.path_segment", .max_open_files = 100};

static const struct pp_field group_by_fields[] = {
    PP_ROW_BOOL(struct pp_file_group_by, enabled, 0, "Writes each resource to the file that an attribute of it names."),
    PP_ROW_STRING(struct pp_file_group_by, resource_attribute, PP_FIELD_NONEMPTY,
                  "The resource attribute whose value takes the place of * in `path`."),
    PP_ROW_INT(struct pp_file_group_by, max_open_files, 0, 1, 10000, "Files kept open; the one not written for longest is closed."),
    PP_ROW_END,
};

static const struct pp_group group_by_group = {
    .name = "group_by", .size = sizeof(struct pp_file_group_by), .defaults = &group_by_defaults, .fields = group_by_fields};

static const struct pp_file_config defaults = {
    .compression_params = PP_COMPRESSION_PARAMS_DEFAULTS,
    .flush_interval = PP_NS(1),
    .directory_permissions = "0755",
    .by_service = true,
    .nodes_max = PP_TREE_NODES_DEFAULT,
};

static const struct pp_field fields[] = {
    PP_ROW_STRING(struct pp_file_config, path, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, "The file to write; with group_by it holds one *."),
    PP_ROW_ENUM(struct pp_file_config, format, 0, format_choices,
                "json: one OTLP JSON object a line; proto: OTLP messages, each behind its length; pprof, folded, flamegraph: one document of "
                "everything so far."),
    PP_ROW_ENUM(struct pp_file_config, compression, 0, compression_choices, "Each message by itself; none or zstd (json and proto)."),
    PP_ROW_GROUP(struct pp_file_config, compression_params, &pp_compression_params_group, "The compression's level."),
    PP_ROW_BOOL(struct pp_file_config, append, 0, "Adds to a file that exists instead of emptying it at the start."),
    PP_ROW_OPTIONAL(struct pp_file_config, rotation, &rotation_group, "Rotates the file by size."),
    PP_ROW_DURATION(struct pp_file_config, flush_interval, 0, 0, PP_DURATION_MAX_S,
                    "How often what is buffered goes to the file, and how often a document is written anew; 0: at once."),
    PP_ROW_OPTIONAL(struct pp_file_config, group_by, &group_by_group, "One file for each value of a resource attribute."),
    PP_ROW_BOOL(struct pp_file_config, create_directory, 0, "Makes the folder of `path` when it is missing."),
    PP_ROW_STRING(struct pp_file_config, directory_permissions, PP_FIELD_NONEMPTY, "Octal permissions of folders that are made."),
    PP_ROW_STRING(struct pp_file_config, encoding, 0, "The Collector's encoding extensions do not exist here; an error when set."),
    PP_ROW_STRING(struct pp_file_config, title, 0, "flamegraph: the page's title; default: the exporter's id."),
    PP_ROW_STRING(struct pp_file_config, sample_type, 0,
                  "folded: the sample type to write, as in \"cpu\" or \"cpu:nanoseconds\"; flamegraph: the one shown first."),
    PP_ROW_BOOL(struct pp_file_config, by_service, 0, "folded, flamegraph: the outermost frame is the resource's service.name."),
    PP_ROW_INT(struct pp_file_config, nodes_max, 0, 1000, PP_TREE_NODES_LIMIT,
               "Most call-tree nodes (pprof: samples) kept in memory; what finds no room counts as [other]."),
    PP_ROW_END,
};

const struct pp_group pp_file_config_group = {
    .name = "file", .size = sizeof(struct pp_file_config), .defaults = &defaults, .fields = fields};

bool pp_file_is_snapshot(const struct pp_file_config *config)
{
    return config->format >= PP_FILE_PPROF;
}

bool pp_file_is_grouped(const struct pp_file_config *config)
{
    return config->group_by && config->group_by->enabled;
}

static bool parse_mode(const char *text, mode_t *ret)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end != '\0' || mode > 0777)
        return false;
    *ret = (mode_t)mode;
    return true;
}

mode_t pp_file_directory_mode(const struct pp_file_config *config)
{
    mode_t mode = 0755;

    parse_mode(config->directory_permissions, &mode);
    return mode;
}

static void check_snapshot(const struct pp_file_config *c, struct pp_check *check)
{
    const char *format = format_choices[c->format];

    if (c->append)
        pp_check_error(check, "append", "format %s is one document written anew each time; it cannot be appended to", format);
    if (c->compression > PP_FILE_COMPRESSION_NONE)
        pp_check_error(check, "compression", "format %s is not compressed by this key%s", format,
                       c->format == PP_FILE_PPROF ? "; pprof files are gzip already" : "");
    if (c->rotation)
        pp_check_error(check, "rotation", "format %s is one document written anew each time; it cannot be rotated", format);
    if (pp_file_is_grouped(c))
        pp_check_error(check, "group_by", "format %s cannot be grouped; use a routing connector and one exporter for each group", format);
}

static void check_group_by(const struct pp_file_config *c, struct pp_check *check)
{
    const char *star = strchr(c->path, '*');

    if (!star || strchr(star + 1, '*'))
        pp_check_error(check, "path", "must contain exactly one * when group_by is enabled");
    else if (star == c->path)
        pp_check_error(check, "path", "must not begin with * when group_by is enabled");
    if (c->rotation)
        pp_check_warn(check, "rotation", "has no effect with group_by, as in the Collector");
}

void pp_file_config_validate(const void *config, struct pp_check *check)
{
    const struct pp_file_config *c = config;
    bool compressed = c->compression == PP_FILE_COMPRESSION_ZSTD;
    mode_t mode;

    if (c->encoding)
        pp_check_error(check, "encoding", "encoding extensions are not supported; choose a `format`");
    if (pp_file_is_snapshot(c))
        check_snapshot(c, check);
    else if (c->append && compressed)
        pp_check_error(check, "append", "cannot be used together with compression");
    if (!pp_file_is_snapshot(c) && c->append && c->rotation)
        pp_check_error(check, "append", "cannot be used together with rotation, which appends by itself");
    if (pp_file_is_grouped(c))
        check_group_by(c, check);
    if (compressed && !pp_compression_level_valid(PP_COMPRESSION_ZSTD, c->compression_params.level))
        pp_check_error(check, "compression_params.level", "zstd has levels 1 to 22");
    if (!parse_mode(c->directory_permissions, &mode))
        pp_check_error(check, "directory_permissions", "\"%s\" is not an octal mode up to 0777", c->directory_permissions);
    else if ((mode & 0300) != 0300)
        pp_check_error(check, "directory_permissions", "\"%s\" would not let the owner write there", c->directory_permissions);
}
