/* YAML text to a tree. Everything a hostile text could blow up has a limit here. */
#ifndef PP_CONFIG_YAML_H
#define PP_CONFIG_YAML_H

#include "config/tree.h"

#define PP_YAML_BYTES_MAX (16u << 20)
#define PP_YAML_DEPTH_MAX 100u       /* maps and lists inside each other, aliases followed */
#define PP_YAML_NODES_MAX (1u << 19) /* every alias counts as much as what it stands for */
#define PP_YAML_ANCHORS_MAX 1000u

/* `mark.file` names the text in messages and must live as long as the tree. With `mark.line` set
 * every node gets this one mark (text from an environment variable stands where it was referred
 * to). */
struct pp_yaml_source {
    struct pp_str text;
    struct pp_mark mark;
};

/* One document; an empty text is a null node. NULL, with a problem in `diags`, when it cannot be
 * read. Duplicate keys are reported too, but the tree is still there (the first one counts) so that
 * the rest can be checked. */
const struct pp_node *pp_yaml_read(struct pp_arena *arena, const struct pp_yaml_source *source,
                                   struct pp_diags *diags);

#endif
