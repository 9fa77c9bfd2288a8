/* Makes a new batch: what converters (pprof, JSON, eBPF) and the merger fill. Dictionary entries are interned by value, so that equal
 * entries get one index; index 0 of every table is there from the start and stands for "not set".
 *
 * Failures are sticky: after memory is out, a table is full or an argument is wrong, every call returns 0 or false at no
 * cost and pp_builder_finish reports the first error, so that a converter may test once at the end. Not thread-safe. */
#ifndef PP_PROFILES_BUILDER_H
#define PP_PROFILES_BUILDER_H

#include "base/arena.h"
#include "profiles/batch.h"

struct pp_builder;

/* `context` may be NULL; the builder takes its own reference. NULL when memory is out. */
struct pp_builder *pp_builder_new(struct pp_context *context);
/* Also after a successful finish. */
void pp_builder_free(struct pp_builder *builder);

/* Makes later calls fail, with this error from finish when it is the first. Returns false. */
bool pp_builder_fail(struct pp_builder *builder, enum pp_error_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool pp_builder_failed(const struct pp_builder *builder);

/* Storage that lives as long as the batch, for encoded AnyValues (profiles/any_value.h) and names. */
struct pp_arena *pp_builder_arena(struct pp_builder *builder);

/* Dictionary. Each returns the entry's index; what it is given is copied. Ranges inside the structs are ignored: lists come as
 * arguments. Indices must come from the same builder. `s` must be UTF-8. */
int32_t pp_builder_string(struct pp_builder *builder, struct pp_str s);
int32_t pp_builder_function(struct pp_builder *builder, const struct pp_function *function);
int32_t pp_builder_mapping(struct pp_builder *builder, const struct pp_mapping *mapping, const int32_t *attrs, size_t attrs_n);
int32_t pp_builder_location(struct pp_builder *builder, const struct pp_location *location, const struct pp_line *lines,
                            size_t lines_n, const int32_t *attrs, size_t attrs_n);
/* Leaf first; no locations: 0. */
int32_t pp_builder_stack(struct pp_builder *builder, const int32_t *locations, size_t locations_n);
int32_t pp_builder_link(struct pp_builder *builder, const struct pp_link *link);
/* `value` is an encoded AnyValue without string references. */
int32_t pp_builder_attribute(struct pp_builder *builder, struct pp_str key, struct pp_str value, struct pp_str unit);
int32_t pp_builder_attribute_string(struct pp_builder *builder, struct pp_str key, struct pp_str value);
int32_t pp_builder_attribute_int(struct pp_builder *builder, struct pp_str key, int64_t value, struct pp_str unit);
int32_t pp_builder_attribute_bool(struct pp_builder *builder, struct pp_str key, bool value);

/* Data. A resource holds the scopes that are added until the next resource, a scope its profiles, a profile its samples; the
 * first scope needs a resource before it, and so on. Attributes' keys and values are copied. */
struct pp_builder_resource {
    const struct pp_key_value *attributes;
    size_t attributes_n;
    uint32_t dropped_attributes_count;
    struct pp_str schema_url;
};

struct pp_builder_scope {
    struct pp_str name, version, schema_url;
    const struct pp_key_value *attributes;
    size_t attributes_n;
    uint32_t dropped_attributes_count;
};

struct pp_builder_sample {
    int32_t stack, link;
    const int32_t *attrs; /* keys must be unique within the sample */
    size_t attrs_n;
    const int64_t *values; /* none with timestamps: 1 for each; one without timestamps; else as many as timestamps */
    size_t values_n;
    const uint64_t *timestamps; /* ns since the Unix epoch */
    size_t timestamps_n;
};

bool pp_builder_add_resource(struct pp_builder *builder, const struct pp_builder_resource *resource);
bool pp_builder_add_scope(struct pp_builder *builder, const struct pp_builder_scope *scope);
/* The ranges in `profile` are ignored; its payload and format are copied. */
bool pp_builder_add_profile(struct pp_builder *builder, const struct pp_profile *profile, const int32_t *attrs, size_t attrs_n);
bool pp_builder_add_sample(struct pp_builder *builder, const struct pp_builder_sample *sample);

/* What has been built so far, for reading; pointers move with the next call. */
const struct pp_tables *pp_builder_tables(const struct pp_builder *builder);

/* The batch, one reference; the builder is empty afterwards and only good for pp_builder_free. */
bool pp_builder_finish(struct pp_builder *builder, struct pp_batch **ret, struct pp_error *err);

#endif
