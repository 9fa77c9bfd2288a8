/* What the debug exporter prints of a batch. */
#ifndef PP_DEBUG_TEXT_H
#define PP_DEBUG_TEXT_H

#include "base/buf.h"
#include "profiles/tables.h"

/* Each appends lines that end with a newline; false when `buf` is full. */

/* As the Collector: a line for each resource, scope and profile ("<profile id> samples=3 key=value"). */
bool pp_debug_text_normal(const struct pp_tables *tables, struct pp_buf *buf);

/* Everything: after the Collector's form, and also what it leaves out: sample type, period, timestamps, links and stacks. */
bool pp_debug_text_detailed(const struct pp_tables *tables, struct pp_buf *buf);

#endif
