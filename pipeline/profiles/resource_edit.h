/* Changing the attributes of one resource of a batch under edit (PP_EDIT_RESOURCES). The first change moves the resource's list to the end of
 * key_values, where it may grow; nobody else's list is touched. */
#ifndef PP_PROFILES_RESOURCE_EDIT_H
#define PP_PROFILES_RESOURCE_EDIT_H

#include "profiles/edit.h"

struct pp_resource_edit {
    struct pp_tables *tables;
    uint32_t resource;
    bool moved;
};

#define PP_ATTRIBUTE_NONE UINT32_MAX

/* Position of `key` in the resource's list, or PP_ATTRIBUTE_NONE. */
uint32_t pp_resource_find(const struct pp_tables *tables, uint32_t resource, struct pp_str key);
/* The attribute at a position that pp_resource_find gave. */
const struct pp_key_value *pp_resource_attribute(const struct pp_tables *tables, uint32_t resource, uint32_t position);

/* Puts the value under the key, in place of the one that is there. Both live as long as the batch (pp_batch_arena). False, resource
 * unchanged, when memory is out; so for the next. */
bool pp_resource_set(struct pp_resource_edit *edit, struct pp_str key, struct pp_str value);
/* Gives the attribute at a position another value. */
bool pp_resource_replace(struct pp_resource_edit *edit, uint32_t position, struct pp_str value);
/* Takes away the attributes for which `removes` is true, by position in the list as it is now; the order of the others stays. Linear. */
bool pp_resource_remove(struct pp_resource_edit *edit, const bool *removes);

#endif
