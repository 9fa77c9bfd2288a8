#include "convert/pprof_merge.h"

#include "convert/any_text.h"
#include "convert/pprof_intern.h"
#include "convert/pprof_names.h"
#include "profiles/any_value.h"

#define OTHER_NAME "[other]"
#define LABELS_PER_SAMPLE_MAX 4096u

/* One batch being added: its indices become the profile's positions, each looked up once. */
struct adder {
    struct pp_pprof_merge *m;
    const struct pp_tables *t;
    uint32_t *strings, *functions, *mappings, *locations; /* PP_PPROF_NONE: not looked up yet */
    PP_VEC(uint32_t) stack;
    PP_VEC(struct pp_pprof_line) lines;
    PP_VEC(struct pp_pprof_label) labels;
    struct pp_buf text;
};

static uint32_t *new_map(uint32_t n)
{
    uint32_t *map = pp_reallocarray(NULL, (size_t)n + 1, sizeof(*map));

    if (map)
        memset(map, 0xFF, ((size_t)n + 1) * sizeof(*map));
    return map;
}

static bool adder_init(struct adder *a, struct pp_pprof_merge *m, const struct pp_tables *t)
{
    *a = (struct adder){.m = m,
                        .t = t,
                        .strings = new_map(t->strings.n),
                        .functions = new_map(t->functions.n),
                        .mappings = new_map(t->mappings.n),
                        .locations = new_map(t->locations.n)};
    pp_buf_init(&a->text, PP_PPROF_MERGE_LABEL_BYTES_MAX);
    if (!a->strings || !a->functions || !a->mappings || !a->locations)
        return false;
    return pp_pprof_intern_string(m, (struct pp_str){0}) == 0;
}

static void adder_done(struct adder *a)
{
    pp_free(a->strings);
    pp_free(a->functions);
    pp_free(a->mappings);
    pp_free(a->locations);
    pp_vec_done(&a->stack);
    pp_vec_done(&a->lines);
    pp_vec_done(&a->labels);
    pp_buf_done(&a->text);
}

/* A string that finds no room becomes "". */
static uint32_t string_or_empty(struct pp_pprof_merge *m, struct pp_str s)
{
    uint32_t id = pp_pprof_intern_string(m, s);

    return id == PP_PPROF_NONE ? 0 : id;
}

static uint32_t string_of(struct adder *a, int32_t index)
{
    if (a->strings[index] == PP_PPROF_NONE)
        a->strings[index] = string_or_empty(a->m, a->t->strings.v[index]);
    return a->strings[index];
}

static struct pp_pprof_value_type value_type(struct adder *a, struct pp_value_type type)
{
    return (struct pp_pprof_value_type){string_of(a, type.type), string_of(a, type.unit)};
}

static bool attribute_is(const struct adder *a, const struct pp_attribute *attribute, const char *key)
{
    return pp_str_eq_c(a->t->strings.v[attribute->key], key);
}

static bool attribute_true(const struct pp_attribute *attribute)
{
    struct pp_any_value value;

    return pp_any_value_read(attribute->value, &value) && value.kind == PP_ANY_BOOL && value.boolean;
}

/* pprof has room for one build id: GNU's is what every tool knows, then Go's, then the hash. */
static int build_id_rank(const struct adder *a, const struct pp_attribute *attribute)
{
    static const char *const keys[] = {PP_ATTR_BUILD_ID_HTLHASH, PP_ATTR_BUILD_ID_GO, PP_ATTR_BUILD_ID_GNU};

    for (int i = 0; i < 3; i++)
        if (attribute_is(a, attribute, keys[i]))
            return i + 1;
    return 0;
}

static void read_mapping_attributes(struct adder *a, struct pp_range attrs, struct pp_pprof_mapping *m)
{
    int best = 0;

    for (uint32_t i = 0; i < attrs.n; i++) {
        const struct pp_attribute *attribute = &a->t->attributes.v[a->t->attr_indices.v[attrs.first + i]];
        int rank = build_id_rank(a, attribute);
        struct pp_str id;

        if (rank > best && pp_any_value_string(attribute->value, &id)) {
            m->build_id = string_or_empty(a->m, id);
            best = rank;
        } else if (attribute_is(a, attribute, PP_ATTR_HAS_FUNCTIONS)) {
            m->has_functions = attribute_true(attribute);
        } else if (attribute_is(a, attribute, PP_ATTR_HAS_FILENAMES)) {
            m->has_filenames = attribute_true(attribute);
        } else if (attribute_is(a, attribute, PP_ATTR_HAS_LINE_NUMBERS)) {
            m->has_line_numbers = attribute_true(attribute);
        } else if (attribute_is(a, attribute, PP_ATTR_HAS_INLINE_FRAMES)) {
            m->has_inline_frames = attribute_true(attribute);
        }
    }
}

static uint32_t mapping_of(struct adder *a, int32_t index)
{
    const struct pp_mapping *from = &a->t->mappings.v[index];
    struct pp_pprof_mapping made = {.memory_start = from->memory_start, .memory_limit = from->memory_limit, .file_offset = from->file_offset};

    if (index == 0)
        return PP_PPROF_NONE;
    if (a->mappings[index] == PP_PPROF_NONE) {
        made.filename = string_of(a, from->filename);
        read_mapping_attributes(a, from->attrs, &made);
        a->mappings[index] = pp_pprof_intern_mapping(a->m, &made);
    }
    return a->mappings[index];
}

static uint32_t function_of(struct adder *a, int32_t index)
{
    const struct pp_function *from = &a->t->functions.v[index];
    struct pp_pprof_function made = {.start_line = from->start_line};

    if (a->functions[index] == PP_PPROF_NONE) {
        made.name = string_of(a, from->name);
        made.system_name = string_of(a, from->system_name);
        made.filename = string_of(a, from->filename);
        a->functions[index] = pp_pprof_intern_function(a->m, &made);
    }
    return a->functions[index];
}

static bool location_folded(const struct adder *a, struct pp_range attrs)
{
    for (uint32_t i = 0; i < attrs.n; i++) {
        const struct pp_attribute *attribute = &a->t->attributes.v[a->t->attr_indices.v[attrs.first + i]];

        if (attribute_is(a, attribute, PP_ATTR_IS_FOLDED))
            return attribute_true(attribute);
    }
    return false;
}

static uint32_t location_of(struct adder *a, int32_t index)
{
    const struct pp_location *from = &a->t->locations.v[index];
    struct pp_pprof_location made = {.address = from->address};

    if (a->locations[index] != PP_PPROF_NONE)
        return a->locations[index];
    a->lines.n = 0;
    for (uint32_t i = 0; i < from->lines.n; i++) {
        const struct pp_line *line = &a->t->lines.v[from->lines.first + i];
        struct pp_pprof_line copy = {.function = function_of(a, line->function), .line = line->line, .column = line->column};

        if (copy.function == PP_PPROF_NONE || !pp_vec_push(&a->lines, copy))
            return PP_PPROF_NONE;
    }
    made.mapping = mapping_of(a, from->mapping);
    made.is_folded = location_folded(a, from->attrs);
    a->locations[index] = pp_pprof_intern_location(a->m, &made, a->lines.v, (uint32_t)a->lines.n);
    return a->locations[index];
}

static bool add_text_label(struct adder *a, uint32_t key, struct pp_str text)
{
    struct pp_pprof_label label = {.key = key, .str = string_or_empty(a->m, text)};

    return label.str == 0 || pp_vec_push(&a->labels, label);
}

/* {num, unit}: a number whose unit differs from that of the others under its key. */
static bool read_number_with_unit(struct adder *a, const struct pp_any_value *kvlist, struct pp_pprof_label *label)
{
    struct pp_key_value pair;
    struct pp_any_value value;
    size_t offset = 0;
    int32_t ref;
    unsigned seen = 0;

    while (pp_any_value_next_pair(kvlist, &offset, &pair, &ref)) {
        if (!pp_any_value_read(pair.value, &value))
            return false;
        if (pp_str_eq_c(pair.key, PP_LABEL_NUM) && value.kind == PP_ANY_INT) {
            label->num = value.integer;
            seen |= 1;
        } else if (pp_str_eq_c(pair.key, PP_LABEL_UNIT) && value.kind == PP_ANY_STRING) {
            label->num_unit = string_or_empty(a->m, value.string);
            seen |= 2;
        } else {
            return false;
        }
    }
    return seen == 3;
}

static bool add_label(struct adder *a, uint32_t key, uint32_t unit, struct pp_str encoded)
{
    struct pp_pprof_label label = {.key = key, .num_unit = unit};
    struct pp_any_value value;

    if (!pp_any_value_read(encoded, &value))
        return true;
    if (value.kind == PP_ANY_STRING)
        return add_text_label(a, key, value.string);
    if (value.kind == PP_ANY_INT) {
        label.num = value.integer;
        return (label.num == 0 && unit == 0) || pp_vec_push(&a->labels, label);
    }
    if (value.kind == PP_ANY_KVLIST && read_number_with_unit(a, &value, &label))
        return pp_vec_push(&a->labels, label);
    pp_buf_reset(&a->text);
    return !pp_any_text_add(&a->text, encoded) || add_text_label(a, key, pp_buf_str(&a->text));
}

static bool add_attribute(struct adder *a, const struct pp_attribute *attribute)
{
    uint32_t key = string_of(a, attribute->key), unit = string_of(a, attribute->unit);
    struct pp_any_value value;
    struct pp_str element;
    size_t offset = 0;

    if (!pp_any_value_read(attribute->value, &value) || value.kind != PP_ANY_ARRAY)
        return add_label(a, key, unit, attribute->value);
    while (a->labels.n < LABELS_PER_SAMPLE_MAX && pp_any_value_next_element(&value, &offset, &element))
        if (!add_label(a, key, unit, element))
            return false;
    return true;
}

static bool add_id_label(struct adder *a, const char *key, const uint8_t *id, size_t n)
{
    char hex[33];
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = "0123456789abcdef"[id[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
        any |= id[i];
    }
    return !any || add_text_label(a, string_or_empty(a->m, pp_str_c(key)), (struct pp_str){hex, 2 * n});
}

static bool collect_labels(struct adder *a, uint32_t sample)
{
    struct pp_range attrs = a->t->samples.attrs[sample];
    const struct pp_link *link = &a->t->links.v[a->t->samples.link[sample]];

    a->labels.n = 0;
    for (uint32_t i = 0; i < attrs.n && a->labels.n < LABELS_PER_SAMPLE_MAX; i++)
        if (!add_attribute(a, &a->t->attributes.v[a->t->attr_indices.v[attrs.first + i]]))
            return false;
    return add_id_label(a, "trace_id", link->trace_id, sizeof(link->trace_id)) &&
           add_id_label(a, "span_id", link->span_id, sizeof(link->span_id));
}

static bool collect_stack(struct adder *a, uint32_t sample)
{
    struct pp_range locations = a->t->stacks.v[a->t->samples.stack[sample]].locations;

    a->stack.n = 0;
    if (!pp_vec_reserve(&a->stack, locations.n))
        return false;
    for (uint32_t i = 0; i < locations.n; i++) {
        uint32_t location = location_of(a, a->t->location_indices.v[locations.first + i]);

        if (location == PP_PPROF_NONE)
            return false;
        a->stack.v[a->stack.n++] = location;
    }
    return true;
}

static uint32_t other_sample(struct adder *a)
{
    struct pp_pprof_merge *m = a->m;
    struct pp_pprof_function function = {.name = string_or_empty(m, PP_STR(OTHER_NAME))};
    struct pp_pprof_location location = {.mapping = PP_PPROF_NONE};
    struct pp_pprof_line line = {0};
    uint32_t at, id;

    if (m->sample_other)
        return m->sample_other - 1;
    line.function = pp_pprof_intern_function(m, &function);
    if (line.function == PP_PPROF_NONE)
        return PP_PPROF_NONE;
    at = pp_pprof_intern_location(m, &location, &line, 1);
    id = at == PP_PPROF_NONE ? PP_PPROF_NONE : pp_pprof_intern_sample(m, &at, 1, NULL, 0, UINT32_MAX);
    if (id != PP_PPROF_NONE)
        m->sample_other = id + 1;
    return id;
}

static uint32_t find_sample(struct adder *a, uint32_t sample)
{
    uint32_t max = a->m->samples_max ? a->m->samples_max : PP_PPROF_MERGE_SAMPLES_DEFAULT;
    uint32_t id = PP_PPROF_NONE;

    if (collect_labels(a, sample) && collect_stack(a, sample))
        id = pp_pprof_intern_sample(a->m, a->stack.v, (uint32_t)a->stack.n, a->labels.v, (uint32_t)a->labels.n, max);
    return id == PP_PPROF_NONE ? other_sample(a) : id;
}

static int64_t saturating_sum(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t sample_value(const struct pp_tables *t, uint32_t sample)
{
    struct pp_range values = t->samples.values[sample];
    int64_t sum = 0;

    if (values.n == 0)
        return t->samples.timestamps[sample].n;
    for (uint32_t i = 0; i < values.n; i++)
        sum = saturating_sum(sum, t->values.v[values.first + i]);
    return sum;
}

static void merge_header(struct adder *a, const struct pp_profile *profile)
{
    struct pp_pprof *p = &a->m->profile;
    uint64_t end = profile->time_unix_nano + profile->duration_nano;

    if (profile->time_unix_nano && profile->time_unix_nano <= INT64_MAX && (p->time_nanos == 0 || (int64_t)profile->time_unix_nano < p->time_nanos))
        p->time_nanos = (int64_t)profile->time_unix_nano;
    if (end >= profile->time_unix_nano && end > a->m->end_nanos && end <= INT64_MAX)
        a->m->end_nanos = end;
    p->duration_nanos = (int64_t)(a->m->end_nanos - (uint64_t)p->time_nanos);
    if (profile->period > p->period)
        p->period = profile->period;
    if (p->period_type.type == 0 && p->period_type.unit == 0)
        p->period_type = value_type(a, profile->period_type);
}

static bool add_comments(struct adder *a, struct pp_str encoded)
{
    struct pp_any_value value;
    struct pp_str element, text;
    size_t offset = 0;

    if (!pp_any_value_read(encoded, &value) || value.kind != PP_ANY_ARRAY)
        return true;
    while (pp_any_value_next_element(&value, &offset, &element)) {
        bool there = false;
        uint32_t id;

        if (!pp_any_value_string(element, &text))
            continue;
        id = string_or_empty(a->m, text);
        for (size_t i = 0; i < a->m->profile.comments.n && !there; i++)
            there = a->m->profile.comments.v[i] == id;
        if (!there && a->m->profile.comments.n < PP_PPROF_MERGE_COMMENTS_MAX && !pp_vec_push(&a->m->profile.comments, id))
            return false;
    }
    return true;
}

static void set_first(struct adder *a, uint32_t *string, struct pp_str encoded)
{
    struct pp_str text;

    if (*string == 0 && pp_any_value_string(encoded, &text))
        *string = string_or_empty(a->m, text);
}

static bool merge_attributes(struct adder *a, const struct pp_profile *profile)
{
    struct pp_pprof *p = &a->m->profile;

    for (uint32_t i = 0; i < profile->attrs.n; i++) {
        const struct pp_attribute *attribute = &a->t->attributes.v[a->t->attr_indices.v[profile->attrs.first + i]];

        if (attribute_is(a, attribute, PP_ATTR_COMMENT)) {
            if (!add_comments(a, attribute->value))
                return false;
        } else if (attribute_is(a, attribute, PP_ATTR_DROP_FRAMES)) {
            set_first(a, &p->drop_frames, attribute->value);
        } else if (attribute_is(a, attribute, PP_ATTR_KEEP_FRAMES)) {
            set_first(a, &p->keep_frames, attribute->value);
        } else if (attribute_is(a, attribute, PP_ATTR_DOC_URL)) {
            set_first(a, &p->doc_url, attribute->value);
        }
    }
    return true;
}

static bool add_samples(struct adder *a, const struct pp_profile *profile)
{
    uint32_t type = pp_pprof_intern_type(a->m, value_type(a, profile->sample_type));

    if (type == PP_PPROF_NONE) {
        a->m->samples_dropped += profile->samples.n;
        return true;
    }
    for (uint32_t i = 0; i < profile->samples.n; i++) {
        uint32_t sample = profile->samples.first + i, id = find_sample(a, sample);
        int64_t *value;

        if (id == PP_PPROF_NONE)
            return false;
        value = &a->m->profile.values.v[a->m->profile.samples.v[id].values.first + type];
        *value = saturating_sum(*value, sample_value(a->t, sample));
    }
    return true;
}

/* The place of the i-th profile among the pprof's sample types, as the scope tells. */
static uint32_t profile_at(const struct pp_any_value *order, uint32_t n, uint32_t place)
{
    struct pp_any_value value;
    struct pp_str element;
    size_t offset = 0;

    for (uint32_t i = 0; i < n && pp_any_value_next_element(order, &offset, &element); i++)
        if (pp_any_value_read(element, &value) && value.kind == PP_ANY_INT && value.integer == place)
            return i;
    return place;
}

/* Columns in the order that the pprof had them; profiles of other origin keep theirs. */
static void intern_types(struct adder *a, const struct pp_scope *scope)
{
    struct pp_any_value order = {0};

    for (uint32_t i = 0; i < scope->attributes.n; i++) {
        const struct pp_key_value *kv = &a->t->key_values.v[scope->attributes.first + i];

        if (pp_str_eq_c(kv->key, PP_ATTR_SAMPLE_TYPE_ORDER))
            pp_any_value_read(kv->value, &order);
        else if (pp_str_eq_c(kv->key, PP_ATTR_DEFAULT_SAMPLE_TYPE))
            set_first(a, &a->m->profile.default_sample_type, kv->value);
    }
    for (uint32_t i = 0; i < scope->profiles.n && i < PP_PPROF_MERGE_TYPES_MAX; i++) {
        uint32_t at = order.kind == PP_ANY_ARRAY ? profile_at(&order, scope->profiles.n, i) : i;

        pp_pprof_intern_type(a->m, value_type(a, a->t->profiles.v[scope->profiles.first + at].sample_type));
    }
}

static bool same_attributes(const struct pp_tables *t, struct pp_range a, struct pp_range b)
{
    return a.n == b.n && (a.n == 0 || memcmp(t->attr_indices.v + a.first, t->attr_indices.v + b.first, a.n * sizeof(int32_t)) == 0);
}

/* Whether row i of every profile is the same sample, as they are in a scope that was one pprof. */
static bool rows_agree(const struct pp_tables *t, const struct pp_scope *scope)
{
    const struct pp_profile *first = &t->profiles.v[scope->profiles.first];

    for (uint32_t p = 1; p < scope->profiles.n; p++) {
        const struct pp_profile *other = &first[p];

        if (other->samples.n != first->samples.n)
            return false;
        for (uint32_t i = 0; i < first->samples.n; i++) {
            uint32_t a = first->samples.first + i, b = other->samples.first + i;

            if (t->samples.stack[a] != t->samples.stack[b] || t->samples.link[a] != t->samples.link[b] ||
                !same_attributes(t, t->samples.attrs[a], t->samples.attrs[b]))
                return false;
        }
    }
    return scope->profiles.n > 0;
}

/* One sample a row, alike or not. */
static bool add_rows(struct adder *a, const struct pp_scope *scope)
{
    const struct pp_profile *first = &a->t->profiles.v[scope->profiles.first];

    for (uint32_t i = 0; i < first->samples.n; i++) {
        uint32_t id;

        if (!collect_labels(a, first->samples.first + i) || !collect_stack(a, first->samples.first + i))
            return false;
        id = pp_pprof_append_sample(a->m, a->stack.v, (uint32_t)a->stack.n, a->labels.v, (uint32_t)a->labels.n);
        if (id == PP_PPROF_NONE)
            return false;
        for (uint32_t p = 0; p < scope->profiles.n; p++) {
            uint32_t type = pp_pprof_intern_type(a->m, value_type(a, first[p].sample_type));
            uint32_t column = a->m->profile.samples.v[id].values.first + type;

            if (type == PP_PPROF_NONE)
                return false;
            a->m->profile.values.v[column] = saturating_sum(a->m->profile.values.v[column], sample_value(a->t, first[p].samples.first + i));
        }
    }
    return true;
}

static bool add_scope(struct adder *a, const struct pp_scope *scope, bool exact)
{
    bool rows = exact && rows_agree(a->t, scope);

    intern_types(a, scope);
    for (uint32_t i = 0; i < scope->profiles.n; i++) {
        const struct pp_profile *profile = &a->t->profiles.v[scope->profiles.first + i];

        merge_header(a, profile);
        if (!merge_attributes(a, profile) || (!rows && !add_samples(a, profile)))
            return false;
    }
    return !rows || add_rows(a, scope);
}

bool pp_pprof_merge_add(struct pp_pprof_merge *merge, const struct pp_tables *tables, const struct pp_pprof_merge_options *options,
                        struct pp_error *err)
{
    struct adder a;
    bool ok = adder_init(&a, merge, tables);

    for (uint32_t i = 1; ok && options->exact && i < tables->mappings.n; i++)
        ok = mapping_of(&a, (int32_t)i) != PP_PPROF_NONE;
    for (uint32_t i = 0; ok && i < tables->scopes.n; i++)
        ok = add_scope(&a, &tables->scopes.v[i], options->exact);
    adder_done(&a);
    return ok || pp_error_nomem(err);
}

void pp_pprof_merge_done(struct pp_pprof_merge *merge)
{
    pp_pprof_done(&merge->profile);
    pp_index_done(&merge->strings);
    pp_index_done(&merge->functions);
    pp_index_done(&merge->mappings);
    pp_index_done(&merge->locations);
    pp_index_done(&merge->samples);
    pp_arena_done(&merge->text);
    *merge = (struct pp_pprof_merge){.samples_max = merge->samples_max};
}
