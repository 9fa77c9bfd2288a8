#include "config/decode.h"

#include <math.h>
#include <stdio.h>

#include "config/decode_value.h"
#include "config/row_iter.h"

/* Of one block with rows. No group has nearly as many; the keys are compared with all rows and with
 * each other. */
#define KEYS_MAX 1000u

static bool decode_row(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                       const struct pp_path *path, void *outer);

/* Where a block's missing keys are reported: at the key itself. */
static struct pp_mark body_mark(const struct pp_node *node, struct pp_mark key_mark)
{
    return key_mark.line ? key_mark : node ? node->mark : key_mark;
}

static void start_from_defaults(const struct pp_group *group, void *value)
{
    if (group->defaults)
        memcpy(value, group->defaults, group->size);
}

/* Inline groups first: the outer rule may build on theirs. */
static void validate(const struct pp_group *group, const void *value, struct pp_check *check)
{
    for (const struct pp_field *field = group->fields; field->name; field++) {
        if (field->type == PP_FIELD_INLINE)
            validate(field->group, (const char *)value + field->offset, check);
    }
    if (group->validate)
        group->validate(value, check);
}

static void report_unknown(struct pp_decoder *d, const struct pp_group *group,
                           const struct pp_node *key, const struct pp_path *path)
{
    const char *nearest = pp_diags_full(d->diags) ? NULL : pp_rows_nearest(group, key->text);

    if (nearest)
        pp_decode_fail(d, key->mark, path, "unknown key; did you mean \"%s\"?", nearest);
    else
        pp_decode_fail(d, key->mark, path, "unknown key");
}

static void warn_about(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *key,
                       const struct pp_path *path)
{
    char text[PP_PATH_BYTES_MAX];

    pp_path_print(path, text);
    if (row->flags & PP_FIELD_IGNORED)
        pp_diag_add(d->diags, PP_SEVERITY_WARNING, key->mark, text, "ignored: %s", row->doc);
    else if (row->flags & PP_FIELD_DEPRECATED)
        pp_diag_add(d->diags, PP_SEVERITY_WARNING, key->mark, text, "deprecated: %s", row->doc);
}

/* Another key of this map that sets the same member, written before this one; or NULL. */
static const struct pp_node *other_spelling(const struct pp_group *group,
                                            const struct pp_node *node, size_t at,
                                            const struct pp_row *row)
{
    struct pp_row other;

    for (size_t i = 0; i < at; i++) {
        const struct pp_node *key = node->entries[i].key;
        if (pp_rows_find(group, key->text, &other) && other.field == row->field)
            return key;
    }
    return NULL;
}

static void decode_entry(struct pp_decoder *d, const struct pp_group *group,
                         const struct pp_node *node, size_t i, const struct pp_path *path,
                         void *value)
{
    const struct pp_node *key = node->entries[i].key, *other;
    struct pp_path inner = {.up = path, .name = key->text.p};
    struct pp_row row;

    if (!pp_rows_find(group, key->text, &row)) {
        report_unknown(d, group, key, &inner);
        return;
    }
    other = other_spelling(group, node, i, &row);
    if (other) {
        pp_decode_fail(d, key->mark, &inner, "sets the same as \"%s\" in line %u; give one of them",
                       other->text.p, other->mark.line);
        return;
    }
    warn_about(d, &row, key, &inner);
    if (!(row.flags & PP_FIELD_IGNORED)) {
        d->key_mark = key->mark;
        decode_row(d, &row, node->entries[i].value, &inner, value);
    }
}

static bool is_given(const struct pp_group *group, const struct pp_node *node,
                     const struct pp_field *field)
{
    struct pp_row row;

    for (size_t i = 0; node && i < node->n; i++) {
        if (pp_rows_find(group, node->entries[i].key->text, &row) && row.field == field)
            return node->entries[i].value->kind != PP_NODE_NULL || node->entries[i].value->original;
    }
    return false;
}

static bool all_zero(const void *value, size_t n)
{
    const char *p = value;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* Rows that nobody wrote: required ones are missed, and groups inside look for their own required
 * ones. */
static void decode_absent(struct pp_decoder *d, const struct pp_group *group,
                          const struct pp_node *node, const struct pp_path *path,
                          struct pp_mark mark, void *value)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    while (pp_rows_next(&iter, &row)) {
        struct pp_path inner = {.up = path, .name = row.name};
        char *member = (char *)value + row.offset;

        if ((row.flags & (PP_FIELD_ALIAS | PP_FIELD_IGNORED)) || is_given(group, node, row.field))
            continue;
        if ((row.flags & PP_FIELD_REQUIRED) && all_zero(member, pp_field_size(row.field)))
            pp_decode_fail(d, mark, &inner, "missing; this key is required");
        else if (row.field->type == PP_FIELD_GROUP)
            pp_decode_group(d, row.field->group, NULL, &inner, mark, member);
    }
}

bool pp_decode_group(struct pp_decoder *d, const struct pp_group *group, const struct pp_node *node,
                     const struct pp_path *path, struct pp_mark key_mark, void *value)
{
    struct pp_mark mark = body_mark(node, key_mark);
    size_t errors = d->diags->errors;
    struct pp_check check = {d->diags, node, mark, path};

    if (node && node->kind == PP_NODE_NULL)
        node = NULL;
    if (node && node->kind != PP_NODE_MAP)
        return pp_decode_fail_kind(d, node, path, "a map");
    if (node && node->n > KEYS_MAX)
        return pp_decode_fail(d, mark, path, "more than %u keys", KEYS_MAX);
    for (size_t i = 0; node && i < node->n; i++)
        decode_entry(d, group, node, i, path, value);
    decode_absent(d, group, node, path, mark, value);
    if (d->diags->errors == errors && !d->diags->nomem)
        validate(group, value, &check);
    return d->diags->errors == errors;
}

static bool decode_optional(struct pp_decoder *d, const struct pp_row *row,
                            const struct pp_node *node, const struct pp_path *path, void *member)
{
    const struct pp_group *group = row->field->group;
    const void *outer_default = *(void **)member;
    void *value;

    if ((row->flags & PP_FIELD_NULL_ABSENT) && node->kind == PP_NODE_NULL)
        return true;
    value = pp_arena_alloc(d->arena, group->size);
    if (!value)
        return pp_decode_fail_nomem(d);
    if (outer_default)
        memcpy(value, outer_default, group->size);
    else
        start_from_defaults(group, value);
    *(void **)member = value;
    return pp_decode_group(d, group, node, path, d->key_mark, value);
}

static bool decode_group_list(struct pp_decoder *d, const struct pp_row *row,
                              const struct pp_node *node, const struct pp_path *path, void *member)
{
    const struct pp_group *group = row->field->group;
    struct pp_group_list list = {0};
    char *items;
    bool ok = true;

    if (node->kind != PP_NODE_LIST)
        return pp_decode_fail_kind(d, node, path, "a list");
    items = pp_arena_array(d->arena, node->n, group->size);
    if (!items)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < node->n; i++) {
        struct pp_path inner = {.up = path, .index = i};
        start_from_defaults(group, items + i * group->size);
        ok &= pp_decode_group(d, group, node->items[i], &inner, node->items[i]->mark,
                              items + i * group->size);
    }
    list.v = items;
    list.n = node->n;
    *(struct pp_group_list *)member = list;
    return ok;
}

static bool decode_group_map(struct pp_decoder *d, const struct pp_row *row,
                             const struct pp_node *node, const struct pp_path *path, void *member)
{
    const struct pp_group *group = row->field->group;
    const char **keys;
    char *items;
    bool ok = true;

    if (node->kind != PP_NODE_MAP)
        return pp_decode_fail_kind(d, node, path, "a map");
    items = pp_arena_array(d->arena, node->n, group->size);
    keys = pp_arena_array(d->arena, node->n, sizeof(*keys));
    if (!items || !keys)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < node->n; i++) {
        const struct pp_entry *entry = &node->entries[i];
        struct pp_path inner = {.up = path, .name = entry->key->text.p};
        keys[i] = entry->key->text.p;
        start_from_defaults(group, items + i * group->size);
        ok &= pp_decode_group(d, group, entry->value, &inner, entry->key->mark,
                              items + i * group->size);
    }
    *(struct pp_group_map *)member = (struct pp_group_map){.keys = keys, .v = items, .n = node->n};
    return ok;
}

/* null keeps the default of lists, maps and choices, as in the Collector; other scalars take their
 * zero. */
static bool keeps_default(const struct pp_field *field, const struct pp_node *node)
{
    switch (field->type) {
    case PP_FIELD_LIST:
    case PP_FIELD_MAP:
    case PP_FIELD_STRING_MAP:
        return node->kind == PP_NODE_NULL;
    case PP_FIELD_STRING_LIST:
        return node->kind == PP_NODE_NULL && !node->original;
    default:
        return false;
    }
}

static bool decode_row(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                       const struct pp_path *path, void *outer)
{
    void *member = (char *)outer + row->offset;

    switch (row->field->type) {
    case PP_FIELD_GROUP:
        return pp_decode_group(d, row->field->group, node, path, d->key_mark, member);
    case PP_FIELD_OPTIONAL:
        return decode_optional(d, row, node, path, member);
    case PP_FIELD_NODE:
        *(const struct pp_node **)member = node;
        return true;
    default:
        break;
    }
    if (keeps_default(row->field, node))
        return true;
    if ((row->flags & PP_FIELD_NONEMPTY) && node->kind != PP_NODE_NULL && node->n == 0 &&
        node->text.n == 0)
        return pp_decode_fail(d, node->mark, path, "must not be empty");
    if (row->field->type == PP_FIELD_LIST)
        return decode_group_list(d, row, node, path, member);
    if (row->field->type == PP_FIELD_MAP)
        return decode_group_map(d, row, node, path, member);
    return pp_decode_value(d, row, node, path, member);
}

const void *pp_decode_partial(struct pp_arena *arena, const struct pp_group *group,
                              const struct pp_node *node, const struct pp_path *path,
                              struct pp_mark mark, struct pp_diags *diags)
{
    struct pp_decoder d = {.arena = arena, .diags = diags, .key_mark = mark};
    void *value = pp_arena_alloc(arena, group->size);

    if (!value) {
        pp_diag_nomem(diags);
        return NULL;
    }
    start_from_defaults(group, value);
    pp_decode_group(&d, group, node, path, mark, value);
    return value;
}

const void *pp_decode(struct pp_arena *arena, const struct pp_group *group,
                      const struct pp_node *node, const struct pp_path *path, struct pp_mark mark,
                      struct pp_diags *diags)
{
    size_t errors = diags->errors;
    const void *value = pp_decode_partial(arena, group, node, path, mark, diags);

    return diags->errors == errors && !diags->nomem ? value : NULL;
}
