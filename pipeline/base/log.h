/* The daemon's own log. Library code returns errors; only the owner of a component's edge logs them, once. Thread-safe. */
#ifndef PP_BASE_LOG_H
#define PP_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum pp_log_level { PP_LOG_DEBUG, PP_LOG_INFO, PP_LOG_WARN, PP_LOG_ERROR };
enum pp_log_encoding { PP_LOG_CONSOLE, PP_LOG_JSON };

#define PP_LOG_OUTPUTS_MAX 8u

/* Thins out what repeats: of the warnings and errors of one component with one format, `initial` in each tick and every `thereafter`-th of the rest
 * (0: none of them). */
struct pp_log_sampling {
    uint64_t tick_ms; /* 0: everything is logged */
    uint64_t initial, thereafter;
};

struct pp_log_options {
    enum pp_log_level level;
    enum pp_log_encoding encoding;
    FILE *outputs[PP_LOG_OUTPUTS_MAX]; /* none: standard error; not owned */
    size_t outputs_n;
    const char *fields; /* into every line: members of a JSON object without its braces, borrowed until the next configure; NULL: none */
    struct pp_log_sampling sampling;
};

/* Call before other threads start, or from the one thread that reloads. */
void pp_log_configure(const struct pp_log_options *options);
bool pp_log_enabled(enum pp_log_level level);

/* `component` is the component's full id ("exporter otlp_grpc/central"), or NULL for the service itself. One line, no newline. */
void pp_log(enum pp_log_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *pp_log_level_name(enum pp_log_level level);

#endif
