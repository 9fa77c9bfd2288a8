#include "json_file_config.h"

#define LINE_BYTES_DEFAULT (64ll << 20)
#define LINE_BYTES_LIMIT (1ll << 30)

static const char *const start_choices[] = {"end", "beginning", NULL};

static const struct pp_json_file_config defaults = {.poll_interval = PP_NS(0.2), .max_log_size = LINE_BYTES_DEFAULT};

static const struct pp_field fields[] = {
    PP_ROW_STRINGS(struct pp_json_file_config, include, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY,
                   "Files to read, with *, ? and [...] as in a shell."),
    PP_ROW_STRINGS(struct pp_json_file_config, exclude, 0, "Files to leave out, by the same patterns."),
    PP_ROW_ENUM(struct pp_json_file_config, start_at, 0, start_choices,
                "Where to begin in files that are there at the start; later ones are always read from the beginning."),
    PP_ROW_DURATION(struct pp_json_file_config, poll_interval, 0, 0.001, PP_DURATION_MAX_S, "How often files are looked at."),
    PP_ROW_INT(struct pp_json_file_config, max_log_size, 0, 1, LINE_BYTES_LIMIT, "Longest line in bytes; longer ones are passed over."),
    PP_ROW_BOOL(struct pp_json_file_config, replay_file, 0, "Reads the files from their beginning at every poll, to make load."),
    PP_ROW_IGNORED("fingerprint_size", "Files are told apart by device and inode."),
    PP_ROW_IGNORED("max_concurrent_files", "Files are read one after the other."),
    PP_ROW_IGNORED("max_batches", "Files are read one after the other."),
    PP_ROW_IGNORED("encoding", "OTLP JSON is UTF-8."),
    PP_ROW_IGNORED("include_file_name", "Adds attributes to log records only."),
    PP_ROW_IGNORED("include_file_path", "Adds attributes to log records only."),
    PP_ROW_IGNORED("force_flush_period", "A line is complete when its newline is there."),
    PP_ROW_IGNORED("storage", "Offsets are kept in memory."),
    PP_ROW_END,
};

const struct pp_group pp_json_file_config_group = {
    .name = "otlp_json_file", .size = sizeof(struct pp_json_file_config), .defaults = &defaults, .fields = fields};
