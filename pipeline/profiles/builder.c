#include "profiles/builder_impl.h"

#include <assert.h>

#include "base/mem.h"
#include "profiles/any_value.h"
#include "profiles/batch_impl.h"
#include "profiles/edit.h"

#define TEXT_PIECE_BYTES 4096u
#define TEXT_SHORT_BYTES_MAX 512u /* longer strings get room of their own */

struct pp_builder *pp_builder_new(struct pp_context *context)
{
    struct pp_builder *builder = pp_calloc(1, sizeof(*builder));

    if (!builder)
        return NULL;
    builder->context = pp_context_ref(context);
    builder->data = pp_data_new(pp_storage_new(NULL, NULL));
    if (!builder->data || !pp_data_add_zero_entries(builder->data)) {
        pp_builder_free(builder);
        return NULL;
    }
    builder->t = &builder->data->tables;
    return builder;
}

void pp_builder_free(struct pp_builder *builder)
{
    if (!builder)
        return;
    pp_data_free(builder->data);
    pp_context_unref(builder->context);
    for (unsigned i = 0; i < PP_BUILDER_TABLES; i++)
        pp_index_done(&builder->index[i]);
    pp_free(builder);
}

bool pp_builder_fail(struct pp_builder *builder, enum pp_error_kind kind, const char *fmt, ...)
{
    va_list args;

    if (builder->err.kind)
        return false;
    va_start(args, fmt);
    pp_error_setv(&builder->err, kind, fmt, args);
    va_end(args);
    return false;
}

bool pp_builder_failed(const struct pp_builder *builder)
{
    return builder->err.kind != PP_ERR_NONE;
}

static bool no_memory(struct pp_builder *builder)
{
    return pp_builder_fail(builder, PP_ERR_NOMEM, "out of memory, or a table is full");
}

struct pp_arena *pp_builder_arena(struct pp_builder *builder)
{
    return &builder->data->storage->arena;
}

const struct pp_tables *pp_builder_tables(const struct pp_builder *builder)
{
    return builder->t;
}

/* Room for a string: long ones by themselves, short ones side by side. */
static char *text_room(struct pp_builder *builder, size_t n)
{
    char *room;

    if (n > TEXT_SHORT_BYTES_MAX)
        return pp_arena_alloc(pp_builder_arena(builder), n);
    if (n > builder->text_left) {
        builder->text = pp_arena_alloc(pp_builder_arena(builder), TEXT_PIECE_BYTES);
        builder->text_left = builder->text ? TEXT_PIECE_BYTES : 0;
    }
    room = builder->text;
    if (!room)
        return NULL;
    builder->text += n;
    builder->text_left -= n;
    return room;
}

bool pp_builder_store(struct pp_builder *builder, struct pp_str s, struct pp_str *ret)
{
    char *copy;

    if (s.n == 0) {
        *ret = (struct pp_str){"", 0};
        return true;
    }
    copy = text_room(builder, s.n);
    if (!copy)
        return no_memory(builder);
    memcpy(copy, s.p, s.n);
    *ret = (struct pp_str){copy, s.n};
    return true;
}

void pp_builder_unknown(struct pp_builder *builder, enum pp_unknown_kind kind, uint32_t entry, struct pp_str fields)
{
    struct pp_str copy;

    if (fields.n == 0 || pp_builder_failed(builder) || !pp_builder_store(builder, fields, &copy))
        return;
    if (!pp_unknown_add(builder->data, kind, entry, copy))
        no_memory(builder);
}

static bool copy_pairs(struct pp_builder *builder, const struct pp_key_value *pairs, size_t n, struct pp_range *ret)
{
    struct pp_tables *t = builder->t;

    *ret = (struct pp_range){t->key_values.n, (uint32_t)n};
    if (!pp_table_reserve(&t->key_values, n))
        return no_memory(builder);
    for (size_t i = 0; i < n; i++) {
        struct pp_key_value *copy = &t->key_values.v[t->key_values.n];

        if (!pp_builder_store(builder, pairs[i].key, &copy->key) || !pp_builder_store(builder, pairs[i].value, &copy->value))
            return false;
        t->key_values.n++;
    }
    return true;
}

bool pp_builder_add_resource(struct pp_builder *builder, const struct pp_builder_resource *resource)
{
    struct pp_tables *t = builder->t;
    struct pp_resource copy = {.dropped_attributes_count = resource->dropped_attributes_count,
                               .scopes.first = t->scopes.n};

    if (pp_builder_failed(builder) || !copy_pairs(builder, resource->attributes, resource->attributes_n, &copy.attributes) ||
        !pp_builder_store(builder, resource->schema_url, &copy.schema_url))
        return false;
    return pp_table_push(&t->resources, copy) || no_memory(builder);
}

bool pp_builder_add_scope(struct pp_builder *builder, const struct pp_builder_scope *scope)
{
    struct pp_tables *t = builder->t;
    struct pp_scope copy = {.dropped_attributes_count = scope->dropped_attributes_count,
                            .profiles.first = t->profiles.n};

    if (pp_builder_failed(builder))
        return false;
    assert(t->resources.n > 0);
    if (!copy_pairs(builder, scope->attributes, scope->attributes_n, &copy.attributes) ||
        !pp_builder_store(builder, scope->name, &copy.name) || !pp_builder_store(builder, scope->version, &copy.version) ||
        !pp_builder_store(builder, scope->schema_url, &copy.schema_url))
        return false;
    if (!pp_table_push(&t->scopes, copy))
        return no_memory(builder);
    t->resources.v[t->resources.n - 1].scopes.n++;
    return true;
}

static bool copy_attrs(struct pp_builder *builder, const int32_t *attrs, size_t n, struct pp_range *ret)
{
    struct pp_tables *t = builder->t;

    *ret = (struct pp_range){t->attr_indices.n, (uint32_t)n};
    if (n == 0)
        return true;
    if (!pp_table_reserve(&t->attr_indices, n))
        return no_memory(builder);
    for (size_t i = 0; i < n; i++) {
        assert((uint32_t)attrs[i] < t->attributes.n);
        t->attr_indices.v[t->attr_indices.n++] = attrs[i];
    }
    return true;
}

bool pp_builder_add_profile(struct pp_builder *builder, const struct pp_profile *profile, const int32_t *attrs, size_t attrs_n)
{
    struct pp_tables *t = builder->t;
    struct pp_profile copy = *profile;

    if (pp_builder_failed(builder))
        return false;
    assert(t->scopes.n > 0);
    copy.samples = (struct pp_range){t->samples.n, 0};
    if (!copy_attrs(builder, attrs, attrs_n, &copy.attrs) ||
        !pp_builder_store(builder, profile->original_payload, &copy.original_payload) ||
        !pp_builder_store(builder, profile->original_payload_format, &copy.original_payload_format))
        return false;
    if (!pp_table_push(&t->profiles, copy))
        return no_memory(builder);
    t->scopes.v[t->scopes.n - 1].profiles.n++;
    return true;
}

bool pp_builder_reserve_samples(struct pp_builder *builder, uint32_t n)
{
    struct pp_samples *s = &builder->t->samples;
    uint32_t cap[5] = {s->cap, s->cap, s->cap, s->cap, s->cap};

    if (n <= s->cap - s->n)
        return true;
    /* The columns grow in step; one that grew before another failed is only larger than it says. */
    if (!pp_table_grow((void **)&s->stack, &cap[0], s->n, n, sizeof(*s->stack)) ||
        !pp_table_grow((void **)&s->link, &cap[1], s->n, n, sizeof(*s->link)) ||
        !pp_table_grow((void **)&s->attrs, &cap[2], s->n, n, sizeof(*s->attrs)) ||
        !pp_table_grow((void **)&s->values, &cap[3], s->n, n, sizeof(*s->values)) ||
        !pp_table_grow((void **)&s->timestamps, &cap[4], s->n, n, sizeof(*s->timestamps)))
        return no_memory(builder);
    s->cap = cap[0];
    return true;
}

static bool copy_points(struct pp_builder *builder, const struct pp_builder_sample *sample, struct pp_range *values,
                        struct pp_range *timestamps)
{
    struct pp_tables *t = builder->t;

    *values = (struct pp_range){t->values.n, (uint32_t)sample->values_n};
    *timestamps = (struct pp_range){t->timestamps.n, (uint32_t)sample->timestamps_n};
    if (!pp_table_reserve(&t->values, sample->values_n) || !pp_table_reserve(&t->timestamps, sample->timestamps_n))
        return no_memory(builder);
    for (size_t i = 0; i < sample->values_n; i++)
        t->values.v[t->values.n++] = sample->values[i];
    for (size_t i = 0; i < sample->timestamps_n; i++)
        t->timestamps.v[t->timestamps.n++] = sample->timestamps[i];
    return true;
}

bool pp_builder_add_sample(struct pp_builder *builder, const struct pp_builder_sample *sample)
{
    struct pp_tables *t = builder->t;
    struct pp_samples *s = &t->samples;
    size_t points = sample->timestamps_n ? sample->timestamps_n : 1;

    if (pp_builder_failed(builder))
        return false;
    assert(t->profiles.n > 0 && (uint32_t)sample->stack < t->stacks.n && (uint32_t)sample->link < t->links.n);
    if (sample->values_n != points && (sample->values_n > 0 || sample->timestamps_n == 0))
        return pp_builder_fail(builder, PP_ERR_INVALID, "sample with %zu values and %zu timestamps", sample->values_n,
                               sample->timestamps_n);
    if (!pp_builder_reserve_samples(builder, 1))
        return false;
    if (!copy_attrs(builder, sample->attrs, sample->attrs_n, &s->attrs[s->n]) ||
        !copy_points(builder, sample, &s->values[s->n], &s->timestamps[s->n]))
        return false;
    s->stack[s->n] = sample->stack;
    s->link[s->n] = sample->link;
    s->n++;
    t->profiles.v[t->profiles.n - 1].samples.n++;
    return true;
}

bool pp_builder_finish(struct pp_builder *builder, struct pp_batch **ret, struct pp_error *err)
{
    struct pp_batch *batch;

    if (pp_builder_failed(builder))
        return pp_error_set(err, builder->err.kind, "%s", builder->err.message);
    batch = pp_batch_from_data(builder->data, builder->context);
    builder->data = NULL;
    builder->t = NULL;
    if (!batch)
        return pp_error_nomem(err);
    *ret = batch;
    return true;
}
