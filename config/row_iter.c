#include "config/row_iter.h"

#include <assert.h>

struct pp_row_iter pp_rows_begin(const struct pp_group *group)
{
    struct pp_row_iter iter = {.depth = 1};

    iter.levels[0].next = group->fields;
    return iter;
}

static void enter(struct pp_row_iter *iter, const struct pp_field *field, size_t base)
{
    assert(iter->depth < PP_ROWS_INLINE_DEPTH_MAX);
    iter->levels[iter->depth].next = field->group->fields;
    iter->levels[iter->depth].target = NULL;
    iter->levels[iter->depth].base = base + field->offset;
    iter->depth++;
}

bool pp_rows_next(struct pp_row_iter *iter, struct pp_row *ret)
{
    while (iter->depth > 0) {
        size_t base = iter->levels[iter->depth - 1].base;
        const struct pp_field *field = iter->levels[iter->depth - 1].next, *target = field;

        if (!field->name) {
            iter->depth--;
            continue;
        }
        iter->levels[iter->depth - 1].next++;
        if (field->type == PP_FIELD_INLINE && !(field->flags & PP_FIELD_ALIAS)) {
            enter(iter, field, base);
            continue;
        }
        if (field->flags & PP_FIELD_ALIAS)
            target = iter->levels[iter->depth - 1].target;
        iter->levels[iter->depth - 1].target = target;
        assert(target);
        *ret = (struct pp_row){
            .name = field->name,
            .field = target,
            .flags = field->flags | target->flags,
            .doc = field->doc ? field->doc : target->doc,
            .offset = base + target->offset,
        };
        return true;
    }
    return false;
}

bool pp_rows_find(const struct pp_group *group, struct pp_str key, struct pp_row *ret)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    while (pp_rows_next(&iter, &row)) {
        if (pp_str_eq_c(key, row.name)) {
            *ret = row;
            return true;
        }
    }
    return false;
}

const char *pp_rows_nearest(const struct pp_group *group, struct pp_str key)
{
    const char *names[PP_ROWS_MAX + 1];
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;
    size_t n = 0;

    while (pp_rows_next(&iter, &row)) {
        assert(n < PP_ROWS_MAX);
        if (!(row.flags & (PP_FIELD_IGNORED | PP_FIELD_DEPRECATED)))
            names[n++] = row.name;
    }
    names[n] = NULL;
    return pp_str_nearest(key, names);
}
