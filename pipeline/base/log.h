/* The daemon's own log. Library code returns errors; only the owner of a component's edge logs them, once. Thread-safe. */
#ifndef PP_BASE_LOG_H
#define PP_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum pp_log_level { PP_LOG_DEBUG, PP_LOG_INFO, PP_LOG_WARN, PP_LOG_ERROR };
enum pp_log_encoding { PP_LOG_CONSOLE, PP_LOG_JSON };

struct pp_log_options {
    enum pp_log_level level;
    enum pp_log_encoding encoding;
    FILE *out; /* NULL: standard error; not owned */
};

/* Call before other threads start, or from the one thread that reloads. */
void pp_log_configure(const struct pp_log_options *options);
bool pp_log_enabled(enum pp_log_level level);

/* `component` is the component's full id ("exporter otlp_grpc/central"), or NULL for the service itself. One line, no newline. */
void pp_log(enum pp_log_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *pp_log_level_name(enum pp_log_level level);

#endif
