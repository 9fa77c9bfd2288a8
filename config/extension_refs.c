#include "config/extension_refs.h"

#include "config/row_iter.h"

struct walk {
    void (*fn)(void *arg, struct pp_extension_ref *ref);
    void *arg;
};

static void walk_group(const struct walk *walk, const struct pp_group *group, const void *value, const struct pp_check *check);

static bool is_off(const struct pp_group *group, const void *value)
{
    struct pp_row row;

    return pp_rows_find(group, PP_STR("enabled"), &row) && row.field->type == PP_FIELD_BOOL &&
           !*(const bool *)((const char *)value + row.offset);
}

static void walk_items(const struct walk *walk, const struct pp_group *group, const char *items, size_t n, const struct pp_check *check)
{
    bool map = check->node->kind == PP_NODE_MAP;

    for (size_t i = 0; i < n && i < check->node->n; i++) {
        const struct pp_node *node = map ? check->node->entries[i].value : check->node->items[i];
        struct pp_path path = {.up = check->path, .name = map ? check->node->entries[i].key->text.p : NULL, .index = i};
        struct pp_check inner = {check->diags, node, node->mark, &path};

        walk_group(walk, group, items + i * group->size, &inner);
    }
}

static void walk_member(const struct walk *walk, const struct pp_field *field, const void *member, struct pp_check *check)
{
    switch (field->type) {
    case PP_FIELD_STRING:
        if (field->offers && *(const char *const *)member && **(const char *const *)member)
            walk->fn(walk->arg, &(struct pp_extension_ref){*(const char *const *)member, field->offers, *check});
        break;
    case PP_FIELD_GROUP:
        walk_group(walk, field->group, member, check);
        break;
    case PP_FIELD_OPTIONAL:
        if (*(const void *const *)member)
            walk_group(walk, field->group, *(const void *const *)member, check);
        break;
    case PP_FIELD_LIST:
        walk_items(walk, field->group, ((const struct pp_group_list *)member)->v, ((const struct pp_group_list *)member)->n, check);
        break;
    case PP_FIELD_MAP:
        walk_items(walk, field->group, ((const struct pp_group_map *)member)->v, ((const struct pp_group_map *)member)->n, check);
        break;
    default:
        break;
    }
}

/* Defaults name no extension, so that what was written leads to all of them. */
static void walk_group(const struct walk *walk, const struct pp_group *group, const void *value, const struct pp_check *check)
{
    const struct pp_node *node = check->node;
    struct pp_row row;

    if (!node || node->kind != PP_NODE_MAP || is_off(group, value))
        return;
    for (size_t i = 0; i < node->n; i++) {
        const struct pp_entry *entry = &node->entries[i];
        struct pp_path path = {.up = check->path, .name = entry->key->text.p};
        struct pp_check inner = {check->diags, entry->value, entry->value->mark, &path};

        if (pp_rows_find(group, entry->key->text, &row) && !(row.flags & PP_FIELD_IGNORED))
            walk_member(walk, row.field, (const char *)value + row.offset, &inner);
    }
}

void pp_extension_refs_each(const struct pp_group *group, const void *value, const struct pp_check *check,
                            void (*fn)(void *arg, struct pp_extension_ref *ref), void *arg)
{
    const struct walk walk = {fn, arg};

    walk_group(&walk, group, value, check);
}
