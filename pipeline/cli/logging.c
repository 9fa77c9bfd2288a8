#include "cli/logging.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/mem.h"

#define FIELDS_BYTES_MAX 16384u

static void done(struct pp_logging *logging)
{
    for (size_t i = 0; i < logging->files_n; i++)
        fclose(logging->files[i]);
    pp_free(logging->fields);
    *logging = (struct pp_logging){0};
}

static bool open_output(struct pp_logging *logging, const char *path, FILE **ret, struct pp_error *err)
{
    if (strcmp(path, "stdout") == 0) {
        *ret = stdout;
    } else if (strcmp(path, "stderr") == 0) {
        *ret = stderr;
    } else {
        *ret = fopen(path, "ae");
        if (!*ret)
            return pp_error_set(err, PP_ERR_IO, "service::telemetry::logs::output_paths: cannot write %s: %s", path, strerror(errno));
        logging->files[logging->files_n++] = *ret;
    }
    return true;
}

static bool open_outputs(struct pp_logging *logging, const struct pp_string_list *paths, struct pp_log_options *options,
                         struct pp_error *err)
{
    if (paths->n > PP_LOG_OUTPUTS_MAX)
        return pp_error_set(err, PP_ERR_CONFIG, "service::telemetry::logs::output_paths: %zu of them, at most %u", paths->n,
                            PP_LOG_OUTPUTS_MAX);
    for (; options->outputs_n < paths->n; options->outputs_n++)
        if (!open_output(logging, paths->v[options->outputs_n], &options->outputs[options->outputs_n], err))
            return false;
    return true;
}

static bool make_fields(struct pp_logging *logging, const struct pp_string_map *fields, struct pp_error *err)
{
    struct pp_buf out;

    if (fields->n == 0)
        return true;
    pp_buf_init(&out, FIELDS_BYTES_MAX);
    for (size_t i = 0; i < fields->n; i++) {
        pp_buf_add_c(&out, i ? "," : "");
        pp_json_add_string(&out, pp_str_c(fields->v[i].key));
        pp_buf_add_byte(&out, ':');
        pp_json_add_string(&out, pp_str_c(fields->v[i].value));
    }
    if (!pp_buf_add_byte(&out, '\0')) {
        pp_buf_done(&out);
        return pp_error_set(err, PP_ERR_CONFIG, "service::telemetry::logs::initial_fields: more than %u bytes", FIELDS_BYTES_MAX);
    }
    logging->fields = out.data;
    return true;
}

bool pp_logging_configure(struct pp_logging *logging, const struct pp_service_telemetry *telemetry, struct pp_error *err)
{
    static const enum pp_log_level levels[] = {PP_LOG_DEBUG, PP_LOG_INFO, PP_LOG_WARN, PP_LOG_ERROR};
    const struct pp_telemetry_logs *logs = &telemetry->logs;
    struct pp_logging next = {0}, old = *logging;
    struct pp_log_options options = {
        .level = levels[pp_telemetry_log_level(telemetry)],
        .encoding = logs->encoding == PP_TELEMETRY_JSON ? PP_LOG_JSON : PP_LOG_CONSOLE,
        .sampling = {.initial = (uint64_t)logs->sampling.initial, .thereafter = (uint64_t)logs->sampling.thereafter},
    };

    if (logs->sampling.enabled)
        options.sampling.tick_ms = ((uint64_t)logs->sampling.tick + PP_NS_PER_MS - 1) / PP_NS_PER_MS;
    if (!open_outputs(&next, &logs->output_paths, &options, err) || !make_fields(&next, &logs->initial_fields, err)) {
        done(&next);
        return false;
    }
    options.fields = next.fields;
    pp_log_configure(&options);
    *logging = next;
    done(&old);
    return true;
}
