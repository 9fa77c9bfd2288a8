/* The JSON Schema (draft 2020-12) of configurations, for editors: what keys there are, of which
 * type, with which default. */
#ifndef PP_CONFIG_SCHEMA_H
#define PP_CONFIG_SCHEMA_H

#include "config/document.h"

/* One component type. */
struct pp_schema_type {
    enum pp_section section;
    const char *name;
    const char *const *aliases;    /* NULL-terminated, or NULL */
    const char *summary;           /* one line */
    const struct pp_group *config; /* NULL: takes no keys */
};

/* Appends the schema; false when it did not fit. */
bool pp_schema_print(const struct pp_schema_type *types, size_t n, struct pp_buf *out);

#endif
