/* Durations in Go's syntax, as every Collector configuration writes them. */
#ifndef PP_CONFIG_GO_DURATION_H
#define PP_CONFIG_GO_DURATION_H

#include "base/buf.h"

/* "300ms", "-1.5h", "2h45m", "0"; units ns, us (also µs), ms, s, m, h. `ret_ns` is untouched on
 * failure (bad syntax, past int64). */
bool pp_duration_parse(struct pp_str text, int64_t *ret_ns);
/* As Go prints it: "1m30s", "200ms", "0s". */
void pp_duration_print(int64_t ns, struct pp_buf *out);

#endif
