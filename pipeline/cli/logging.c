#include "cli/logging.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

bool pp_logging_configure(struct pp_logging *logging, const struct pp_service_telemetry *telemetry, struct pp_error *err)
{
    static const enum pp_log_level levels[] = {PP_LOG_DEBUG, PP_LOG_INFO, PP_LOG_WARN, PP_LOG_ERROR};
    const struct pp_telemetry_logs *logs = &telemetry->logs;
    const char *path = logs->output_paths.n ? logs->output_paths.v[0] : "stderr";
    struct pp_log_options options = {
        .level = levels[pp_telemetry_log_level(telemetry)],
        .encoding = logs->encoding == PP_TELEMETRY_JSON ? PP_LOG_JSON : PP_LOG_CONSOLE,
    };
    FILE *file = NULL;

    if (strcmp(path, "stdout") == 0) {
        options.out = stdout;
    } else if (strcmp(path, "stderr") != 0) {
        file = fopen(path, "ae");
        if (!file)
            return pp_error_set(err, PP_ERR_IO, "service::telemetry::logs::output_paths: cannot write %s: %s", path,
                                strerror(errno));
        options.out = file;
    }
    pp_log_configure(&options);
    if (logging->file)
        fclose(logging->file);
    logging->file = file;
    return true;
}
