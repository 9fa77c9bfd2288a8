#include "convert/pprof_to_batch.h"

#include "convert/pprof_labels.h"
#include "convert/pprof_names.h"
#include "convert/utf8_repair.h"
#include "profiles/any_value.h"
#include "profiles/builder.h"

struct converter {
    struct pp_builder *b;
    const struct pp_pprof *p;
    struct pp_arena scratch;
    struct pp_str *strings; /* by the pprof's numbers, UTF-8 */
    int32_t *mappings, *functions, *locations; /* from the pprof's positions to the batch's indices */
    struct pp_attr_indices attrs; /* of all samples, one after the other */
    struct sample_refs {
        int32_t stack;
        struct pp_range attrs; /* in attrs */
    } *samples;
};

static bool converter_init(struct converter *c)
{
    const struct pp_pprof *p = c->p;

    c->strings = pp_arena_array(&c->scratch, p->strings.n, sizeof(*c->strings));
    c->mappings = pp_arena_array(&c->scratch, p->mappings.n + 1, sizeof(*c->mappings));
    c->functions = pp_arena_array(&c->scratch, p->functions.n + 1, sizeof(*c->functions));
    c->locations = pp_arena_array(&c->scratch, p->locations.n + 1, sizeof(*c->locations));
    c->samples = pp_arena_array(&c->scratch, p->samples.n + 1, sizeof(*c->samples));
    for (size_t i = 0; !c->scratch.failed && i < p->strings.n; i++)
        pp_utf8_repair(&c->scratch, p->strings.v[i], &c->strings[i]);
    return !c->scratch.failed;
}

static int32_t string_of(struct converter *c, uint32_t number)
{
    return number ? pp_builder_string(c->b, c->strings[number]) : 0;
}

/* pprof has one field for build ids of every kind: GNU's are hexadecimal, Go's are not. */
static struct pp_str build_id_key(struct pp_str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!memchr("0123456789abcdefABCDEF", id.p[i], 22))
            return PP_STR(PP_ATTR_BUILD_ID_GO);
    return PP_STR(PP_ATTR_BUILD_ID_GNU);
}

static void add_mapping(struct converter *c, size_t i)
{
    const struct pp_pprof_mapping *m = &c->p->mappings.v[i];
    struct pp_mapping mapping = {.memory_start = m->memory_start, .memory_limit = m->memory_limit, .file_offset = m->file_offset};
    const struct {
        bool set;
        struct pp_str key;
    } flags[] = {
        {m->has_functions, PP_STR(PP_ATTR_HAS_FUNCTIONS)},
        {m->has_filenames, PP_STR(PP_ATTR_HAS_FILENAMES)},
        {m->has_line_numbers, PP_STR(PP_ATTR_HAS_LINE_NUMBERS)},
        {m->has_inline_frames, PP_STR(PP_ATTR_HAS_INLINE_FRAMES)},
    };
    int32_t attrs[1 + sizeof(flags) / sizeof(flags[0])];
    size_t n = 0;

    mapping.filename = string_of(c, m->filename);
    if (c->strings[m->build_id].n)
        attrs[n++] = pp_builder_attribute_string(c->b, build_id_key(c->strings[m->build_id]), c->strings[m->build_id]);
    for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
        if (flags[f].set)
            attrs[n++] = pp_builder_attribute_bool(c->b, flags[f].key, true);
    c->mappings[i] = pp_builder_mapping(c->b, &mapping, attrs, n);
}

static void add_function(struct converter *c, size_t i)
{
    const struct pp_pprof_function *f = &c->p->functions.v[i];
    struct pp_function function = {.start_line = f->start_line};

    function.name = string_of(c, f->name);
    function.system_name = string_of(c, f->system_name);
    function.filename = string_of(c, f->filename);
    c->functions[i] = pp_builder_function(c->b, &function);
}

static void add_location(struct converter *c, size_t i)
{
    const struct pp_pprof_location *l = &c->p->locations.v[i];
    struct pp_location location = {.address = l->address};
    struct pp_line *lines = pp_arena_array(&c->scratch, l->lines.n, sizeof(*lines));
    int32_t folded;

    if (!lines)
        return;
    if (l->mapping != PP_PPROF_NONE)
        location.mapping = c->mappings[l->mapping];
    for (uint32_t j = 0; j < l->lines.n; j++) {
        const struct pp_pprof_line *line = &c->p->lines.v[l->lines.first + j];

        lines[j] = (struct pp_line){.function = c->functions[line->function], .line = line->line, .column = line->column};
    }
    folded = l->is_folded ? pp_builder_attribute_bool(c->b, PP_STR(PP_ATTR_IS_FOLDED), true) : 0;
    c->locations[i] = pp_builder_location(c->b, &location, lines, l->lines.n, &folded, l->is_folded);
}

/* Mappings keep their order and stay even when nothing refers to them: the first one is the main binary. */
static void add_dictionary(struct converter *c)
{
    for (size_t i = 0; i < c->p->mappings.n; i++)
        add_mapping(c, i);
    for (size_t i = 0; i < c->p->functions.n; i++)
        add_function(c, i);
    for (size_t i = 0; i < c->p->locations.n; i++)
        add_location(c, i);
}

/* What a sample refers to is the same in every profile made of it. */
static void refer_sample(struct converter *c, size_t i, int32_t *stack)
{
    const struct pp_pprof_sample *s = &c->p->samples.v[i];
    struct sample_refs *refs = &c->samples[i];

    for (uint32_t j = 0; j < s->locations.n; j++)
        stack[j] = c->locations[c->p->location_refs.v[s->locations.first + j]];
    refs->stack = pp_builder_stack(c->b, stack, s->locations.n);
    refs->attrs.first = (uint32_t)c->attrs.list.n;
    pp_pprof_labels_add(c->b, &c->scratch, c->p, c->strings, s, &c->attrs);
    refs->attrs.n = (uint32_t)c->attrs.list.n - refs->attrs.first;
}

static void refer_samples(struct converter *c)
{
    uint32_t longest = 0;
    int32_t *stack;

    for (size_t i = 0; i < c->p->samples.n; i++)
        if (c->p->samples.v[i].locations.n > longest)
            longest = c->p->samples.v[i].locations.n;
    stack = pp_arena_array(&c->scratch, (size_t)longest + 1, sizeof(*stack));
    for (size_t i = 0; stack && i < c->p->samples.n && !pp_builder_failed(c->b); i++)
        refer_sample(c, i, stack);
}

static bool encode_order(struct pp_arena *arena, size_t n, struct pp_str *ret)
{
    struct pp_str *places = pp_arena_array(arena, n, sizeof(*places));

    for (size_t i = 0; places && i < n; i++)
        if (!pp_any_value_from_int(arena, (int64_t)i, &places[i]))
            return false;
    return places && pp_any_value_from_array(arena, places, n, ret);
}

static void add_scope(struct converter *c, const struct pp_pprof_origin *origin)
{
    struct pp_str default_type = c->strings[c->p->default_sample_type];
    struct pp_key_value attributes[2] = {{.key = PP_STR(PP_ATTR_SAMPLE_TYPE_ORDER)}, {.key = PP_STR(PP_ATTR_DEFAULT_SAMPLE_TYPE)}};

    if (!encode_order(&c->scratch, c->p->sample_types.n, &attributes[0].value) ||
        !pp_any_value_from_string(&c->scratch, default_type, &attributes[1].value)) {
        pp_builder_fail(c->b, PP_ERR_NOMEM, "out of memory");
        return;
    }
    pp_builder_add_resource(c->b, &(struct pp_builder_resource){.attributes = origin->resource, .attributes_n = origin->resource_n});
    pp_builder_add_scope(c->b, &(struct pp_builder_scope){.name = origin->scope_name,
                                                          .version = origin->scope_version,
                                                          .attributes = attributes,
                                                          .attributes_n = default_type.n ? 2 : 1});
}

static int32_t comments_attribute(struct converter *c)
{
    struct pp_arena *arena = &c->scratch;
    struct pp_str *texts = pp_arena_array(arena, c->p->comments.n, sizeof(*texts)), value;
    bool ok = texts != NULL;

    for (size_t i = 0; ok && i < c->p->comments.n; i++)
        ok = pp_any_value_from_string(arena, c->strings[c->p->comments.v[i]], &texts[i]);
    if (!ok || !pp_any_value_from_array(arena, texts, c->p->comments.n, &value)) {
        pp_builder_fail(c->b, PP_ERR_NOMEM, "out of memory");
        return 0;
    }
    return pp_builder_attribute(c->b, PP_STR(PP_ATTR_COMMENT), value, (struct pp_str){0});
}

/* The same for every sample type; returns how many. */
static size_t profile_attributes(struct converter *c, int32_t attrs[4])
{
    const struct {
        uint32_t string;
        struct pp_str key;
    } texts[] = {
        {c->p->drop_frames, PP_STR(PP_ATTR_DROP_FRAMES)},
        {c->p->keep_frames, PP_STR(PP_ATTR_KEEP_FRAMES)},
        {c->p->doc_url, PP_STR(PP_ATTR_DOC_URL)},
    };
    size_t n = 0;

    if (c->p->comments.n)
        attrs[n++] = comments_attribute(c);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (c->strings[texts[i].string].n)
            attrs[n++] = pp_builder_attribute_string(c->b, texts[i].key, c->strings[texts[i].string]);
    return n;
}

static uint64_t not_negative(int64_t n)
{
    return n > 0 ? (uint64_t)n : 0;
}

static struct pp_value_type value_type(struct converter *c, struct pp_pprof_value_type type)
{
    struct pp_value_type made;

    made.type = string_of(c, type.type);
    made.unit = string_of(c, type.unit);
    return made;
}

static void add_profile(struct converter *c, size_t type, const int32_t *attrs, size_t attrs_n)
{
    const struct pp_pprof *p = c->p;
    struct pp_profile profile = {.period = p->period,
                                 .time_unix_nano = not_negative(p->time_nanos),
                                 .duration_nano = not_negative(p->duration_nanos)};

    profile.sample_type = value_type(c, p->sample_types.v[type]);
    profile.period_type = value_type(c, p->period_type);
    pp_builder_add_profile(c->b, &profile, attrs, attrs_n);
    for (size_t i = 0; i < p->samples.n && !pp_builder_failed(c->b); i++) {
        struct pp_builder_sample sample = {.stack = c->samples[i].stack, .values_n = 1};

        sample.attrs = c->samples[i].attrs.n ? c->attrs.list.v + c->samples[i].attrs.first : NULL;
        sample.attrs_n = c->samples[i].attrs.n;
        sample.values = p->values.v + p->samples.v[i].values.first + type;
        pp_builder_add_sample(c->b, &sample);
    }
}

static void convert(struct converter *c, const struct pp_pprof_origin *origin)
{
    int32_t attrs[4];
    size_t attrs_n;

    add_dictionary(c);
    refer_samples(c);
    add_scope(c, origin);
    attrs_n = profile_attributes(c, attrs);
    for (size_t i = 0; i < c->p->sample_types.n && !pp_builder_failed(c->b); i++)
        add_profile(c, i, attrs, attrs_n);
}

bool pp_batch_from_pprof(const struct pp_pprof *pprof, const struct pp_pprof_origin *origin, struct pp_batch **ret, struct pp_error *err)
{
    struct converter c = {.p = pprof, .b = pp_builder_new(origin->context)};
    bool ok = c.b && converter_init(&c);

    if (ok) {
        convert(&c, origin);
        if (c.scratch.failed)
            pp_builder_fail(c.b, PP_ERR_NOMEM, "out of memory");
        ok = pp_builder_finish(c.b, ret, err);
    } else {
        pp_error_nomem(err);
    }
    pp_vec_done(&c.attrs.list);
    pp_arena_done(&c.scratch);
    pp_builder_free(c.b);
    return ok;
}
