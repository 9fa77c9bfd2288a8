/* A group's keys as a Markdown table, for the components' READMEs. */
#ifndef PP_CONFIG_TABLE_H
#define PP_CONFIG_TABLE_H

#include "base/buf.h"
#include "config/rows.h"

/* Appends "| key | type | default | meaning |" and its rows, nested keys with dots (tls.insecure,
 * table[].statement, headers.*). Keys that are ignored come last in one line. False when it did not
 * fit. */
bool pp_table_print(const struct pp_group *group, struct pp_buf *out);

#endif
