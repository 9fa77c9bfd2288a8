/* The `docs` command: a component's keys as the Markdown table of its README. */
#ifndef PP_CLI_DOCS_H
#define PP_CLI_DOCS_H

#include "base/buf.h"
#include "pipeline/factories.h"

#define PP_DOCS_BYTES_MAX (1u << 20)

/* Appends the table, or "It takes no keys."; ends with a newline. False when it does not fit. */
bool pp_docs_write(const struct pp_factory *factory, struct pp_buf *out);
/* `kind` is "receiver" and so on. Returns an exit code. */
int pp_docs_print(const struct pp_factories *factories, const char *kind, const char *type);

#endif
