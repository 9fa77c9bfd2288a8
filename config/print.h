/* Configurations as text: YAML or JSON of a tree, of one decoded struct, of a whole document with
 * its defaults. The same input always gives the same text; two structs of one group with the same
 * text (not redacted) are the same configuration. */
#ifndef PP_CONFIG_PRINT_H
#define PP_CONFIG_PRINT_H

#include "config/document.h"
#include "config/emit.h"

#define PP_REDACTED "[REDACTED]"

struct pp_print_options {
    enum pp_emit_format format;
    bool redact; /* PP_FIELD_SECRET rows show PP_REDACTED; a tree alone does not know its secrets */
    bool as_source; /* to be read again as a configuration: a $ that would expand is doubled */
};

/* Each appends to `out` and returns whether it all fitted. */
bool pp_print_node(const struct pp_node *node, const struct pp_print_options *options,
                   struct pp_buf *out);
bool pp_print_struct(const struct pp_group *group, const void *value,
                     const struct pp_print_options *options, struct pp_buf *out);
/* Skipped components and pipelines are left out. */
bool pp_print_document(const struct pp_document *doc, const struct pp_print_options *options,
                       struct pp_buf *out);

/* Building blocks of the above. */
void pp_emit_node(struct pp_emitter *e, const struct pp_node *node);
/* Rows of `value` as a map; absent strings and optional blocks are left out. */
void pp_emit_struct(struct pp_emitter *e, const struct pp_group *group, const void *value,
                    bool redact);
/* One member; a NULL string or block is null. */
struct pp_row;
void pp_emit_row(struct pp_emitter *e, const struct pp_row *row, const void *outer, bool redact);

#endif
