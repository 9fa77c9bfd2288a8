/* The `docs` command: a component's keys as the Markdown table of its README. */
#ifndef PP_CLI_DOCS_H
#define PP_CLI_DOCS_H

#include "base/buf.h"
#include "pipeline/factories.h"

#define PP_DOCS_BYTES_MAX (1u << 20)

/* Appends the table; "It takes no keys." when there are none. */
bool pp_docs_write(const struct pp_factory *factory, struct pp_buf *out);
/* `kind` is "receiver" and so on. */
int pp_docs_print(const struct pp_factories *factories, const char *kind, const char *type);

#endif
