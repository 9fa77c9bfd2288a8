/* The steps of pp_document_read, in their order. Private to document*.c. Each reports to the
 * reader's diags and goes on. */
#ifndef PP_CONFIG_DOCUMENT_PARTS_H
#define PP_CONFIG_DOCUMENT_PARTS_H

#include "config/document_rows.h"

/* Named limits, so that looking references up by walking the lists stays cheap. */
#define PP_DOC_COMPONENTS_MAX 10000u /* of one section */
#define PP_DOC_PIPELINES_MAX 10000u
#define PP_DOC_REFS_MAX 20000u /* of all pipelines together */

struct pp_doc_reader {
    struct pp_arena *arena;
    struct pp_diags *diags;
    const struct pp_doc_types *types;
    const struct pp_document_options *options;
    const struct pp_doc_rows *rows;
    struct pp_document *doc;
    size_t refs;
};

bool pp_doc_fail(struct pp_doc_reader *r, struct pp_mark mark, const struct pp_path *path,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void pp_doc_warn(struct pp_doc_reader *r, struct pp_mark mark, const struct pp_path *path,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Ids of the sections, and their types looked up (an unknown one is not yet reported). */
void pp_doc_read_components(struct pp_doc_reader *r);
/* Pipelines and service.extensions, references resolved. */
void pp_doc_read_pipelines(struct pp_doc_reader *r);
/* Which pipelines run, and with them which components. */
void pp_doc_mark_used(struct pp_doc_reader *r);
/* Bodies of components; unknown types; those nobody uses. */
void pp_doc_decode_components(struct pp_doc_reader *r);

#endif
