/* Problems of a configuration, collected so that one run reports all of them. */
#ifndef PP_CONFIG_DIAG_H
#define PP_CONFIG_DIAG_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

/* Where something stands. `file` lives as long as the tree; "" when nobody knows. */
struct pp_mark {
    const char *file;
    uint32_t line, column; /* from 1; 0: not known */
};

enum pp_severity { PP_SEVERITY_WARNING, PP_SEVERITY_ERROR };

struct pp_diag {
    enum pp_severity severity;
    struct pp_mark mark;
    const char *path;    /* "receivers::otlp::protocols"; "" for the document itself */
    const char *message; /* one line */
};

/* More are counted, not kept: a hostile file may have one in every line. */
#define PP_DIAGS_MAX 1000u

/* All zero is empty. Owns its texts; marks point into the tree. */
struct pp_diags {
    PP_VEC(struct pp_diag) list;
    size_t errors, warnings; /* all there were, also those not kept */
    bool nomem;              /* a problem could not be kept; counts as an error */
    struct pp_arena arena;
};

void pp_diag_add(struct pp_diags *diags, enum pp_severity severity, struct pp_mark mark,
                 const char *path, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void pp_diag_addv(struct pp_diags *diags, enum pp_severity severity, struct pp_mark mark,
                  const char *path, const char *fmt, va_list args)
    __attribute__((format(printf, 5, 0)));
/* Memory ran out: the run cannot be trusted whatever else it found. */
void pp_diag_nomem(struct pp_diags *diags);

static inline bool pp_diags_failed(const struct pp_diags *diags)
{
    return diags->errors > 0 || diags->nomem;
}

/* Whether another problem would only be counted: no need then to look for what it should say. */
static inline bool pp_diags_full(const struct pp_diags *diags)
{
    return diags->list.n >= PP_DIAGS_MAX;
}

/* By file (in order of first mention), line and column; those of one place stay in order. */
void pp_diags_sort(struct pp_diags *diags);
/* "file.yaml:3:5: error: exporters::otlp: what is wrong", one line each, and a last one when not
 * all were kept. */
void pp_diags_print(const struct pp_diags *diags, struct pp_buf *out);
void pp_diags_done(struct pp_diags *diags);

#endif
