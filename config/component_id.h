/* Component and pipeline ids: `type` or `type/name`, by the Collector's rules. */
#ifndef PP_CONFIG_COMPONENT_ID_H
#define PP_CONFIG_COMPONENT_ID_H

#include "base/error.h"
#include "base/str.h"

#define PP_ID_TYPE_BYTES_MAX 63u
#define PP_ID_NAME_CHARS_MAX 1024u

struct pp_component_id {
    struct pp_str type;
    struct pp_str name; /* empty: none */
};

/* The type: a letter, then letters, digits and `_`. The name: no white space, control characters or
 * symbols. Spaces around the two are dropped. Slices of `text`. False, with PP_ERR_CONFIG, when it
 * is no id. */
bool pp_component_id_parse(struct pp_str text, struct pp_component_id *ret, struct pp_error *err);

#endif
