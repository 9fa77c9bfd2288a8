#include "convert/pprof_labels.h"

#include "convert/pprof_names.h"
#include "profiles/any_value.h"

struct labels {
    struct pp_arena *scratch;
    const struct pp_str *strings;
    const struct pp_pprof_label *v;
    uint32_t n;
};

static bool same_key(const struct labels *l, uint32_t a, uint32_t b)
{
    return l->v[a].key == l->v[b].key || pp_str_eq(l->strings[l->v[a].key], l->strings[l->v[b].key]);
}

static bool is_first(const struct labels *l, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (same_key(l, i, j))
            return false;
    return true;
}

struct group {
    uint32_t n;         /* values under the key */
    bool units_differ;  /* among its numbers */
    uint32_t unit;      /* of its first number; 0: none */
};

static struct group group_of(const struct labels *l, uint32_t first)
{
    struct group g = {0};
    bool number_seen = false;

    for (uint32_t i = first; i < l->n; i++) {
        if (!same_key(l, first, i))
            continue;
        g.n++;
        if (l->v[i].str)
            continue;
        if (!number_seen)
            g.unit = l->v[i].num_unit;
        else if (!pp_str_eq(l->strings[g.unit], l->strings[l->v[i].num_unit]))
            g.units_differ = true;
        number_seen = true;
    }
    return g;
}

static bool encode_with_unit(struct pp_arena *arena, const struct pp_pprof_label *label, struct pp_str unit, struct pp_str *ret)
{
    struct pp_key_value pair[2] = {{.key = PP_STR(PP_LABEL_NUM)}, {.key = PP_STR(PP_LABEL_UNIT)}};

    return pp_any_value_from_int(arena, label->num, &pair[0].value) && pp_any_value_from_string(arena, unit, &pair[1].value) &&
           pp_any_value_from_pairs(arena, pair, 2, ret);
}

static bool encode_label(const struct labels *l, const struct group *g, uint32_t i, struct pp_str *ret)
{
    struct pp_arena *arena = l->scratch;
    const struct pp_pprof_label *label = &l->v[i];

    if (label->str)
        return pp_any_value_from_string(arena, l->strings[label->str], ret);
    if (g->units_differ)
        return encode_with_unit(arena, label, l->strings[label->num_unit], ret);
    return pp_any_value_from_int(arena, label->num, ret);
}

static bool encode_group(const struct labels *l, const struct group *g, uint32_t first, struct pp_str *ret)
{
    struct pp_arena *arena = l->scratch;
    struct pp_str *values;
    uint32_t n = 0;

    if (g->n == 1)
        return encode_label(l, g, first, ret);
    values = pp_arena_array(arena, g->n, sizeof(*values));
    for (uint32_t i = first; values && i < l->n; i++)
        if (same_key(l, first, i) && !encode_label(l, g, i, &values[n++]))
            return false;
    return values && pp_any_value_from_array(arena, values, n, ret);
}

void pp_pprof_labels_add(struct pp_builder *builder, struct pp_arena *scratch, const struct pp_pprof *pprof,
                         const struct pp_str *strings, const struct pp_pprof_sample *sample, struct pp_attr_indices *ret)
{
    struct labels l = {scratch, strings, sample->labels.n ? pprof->labels.v + sample->labels.first : NULL, sample->labels.n};

    if (l.n > PP_PPROF_LABELS_MAX) {
        pp_builder_fail(builder, PP_ERR_LIMIT, "a sample with %u labels: more than %u", l.n, PP_PPROF_LABELS_MAX);
        return;
    }
    for (uint32_t i = 0; i < l.n && !pp_builder_failed(builder); i++) {
        struct group g;
        struct pp_str value;
        int32_t index;

        if (!is_first(&l, i))
            continue;
        g = group_of(&l, i);
        if (!encode_group(&l, &g, i, &value)) {
            pp_builder_fail(builder, PP_ERR_NOMEM, "out of memory");
            return;
        }
        index = pp_builder_attribute(builder, strings[l.v[i].key], value, g.units_differ ? (struct pp_str){0} : strings[g.unit]);
        if (!pp_vec_push(&ret->list, index))
            pp_builder_fail(builder, PP_ERR_NOMEM, "out of memory");
    }
}
