/* What pp_check_* of rows.h work on: a component's node, its path, and where problems go. */
#ifndef PP_CONFIG_CHECK_H
#define PP_CONFIG_CHECK_H

#include "config/rows.h"
#include "config/tree.h"

/* A YAML path, innermost part first; lives on the decoder's stack. */
struct pp_path {
    const struct pp_path *up;
    const char *name; /* NULL: a list's item */
    size_t index;
};

#define PP_PATH_BYTES_MAX 512 /* longer ones are cut for people */

/* "receivers::otlp::protocols"; `out` always gets a NUL. */
void pp_path_print(const struct pp_path *path, char out[PP_PATH_BYTES_MAX]);

struct pp_check {
    struct pp_diags *diags;
    const struct pp_node *node; /* NULL: the key has no body */
    struct pp_mark mark;        /* for what is not in the node */
    const struct pp_path *path;
};

#endif
