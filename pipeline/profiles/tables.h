/* OTLP profiles (v1development, proto 1.11) as flat tables: the one in-memory shape of profile data.
 *
 * Index 0 of every dictionary table is the zero value and means "not set"; indices are checked when tables are made, so readers need
 * not check them. Slices point into the received bytes or the batch's arena and live as long as the batch. Ranges point into the
 * shared arrays beside the tables, so that an entry can be given a new list by appending there and moving its range. No `v` of a table is
 * NULL, the sample columns are when there are no samples. */
#ifndef PP_PROFILES_TABLES_H
#define PP_PROFILES_TABLES_H

#include "base/str.h"

struct pp_range {
    uint32_t first, n;
};

struct pp_function {
    int32_t name, system_name, filename; /* strings */
    int64_t start_line;                  /* 1-based, 0: unknown */
};

struct pp_mapping {
    uint64_t memory_start, memory_limit, file_offset;
    int32_t filename;      /* string */
    struct pp_range attrs; /* in attr_indices */
};

struct pp_line {
    int32_t function;
    int64_t line, column; /* 1-based, 0: unknown */
};

struct pp_location {
    uint64_t address;
    int32_t mapping;
    struct pp_range lines; /* in lines; innermost inlined function first, its caller last */
    struct pp_range attrs;
};

/* A stack: in location_indices, leaf first. */
struct pp_stack {
    struct pp_range locations;
};

struct pp_link {
    uint8_t trace_id[16], span_id[8]; /* all zero: not set */
};

/* An attribute of the dictionary. `value` is an encoded AnyValue: read it with profiles/any_value.h. */
struct pp_attribute {
    int32_t key, unit; /* strings */
    struct pp_str value;
};

/* An attribute of a resource or scope, its key reference resolved. */
struct pp_key_value {
    struct pp_str key;
    struct pp_str value; /* encoded AnyValue */
};

struct pp_value_type {
    int32_t type, unit; /* strings */
};

/* Samples are columns over the whole batch; a profile owns one contiguous range of them. */
struct pp_samples {
    uint32_t n, cap;
    int32_t *stack;
    int32_t *link;
    struct pp_range *attrs;      /* in attr_indices */
    struct pp_range *values;     /* in values */
    struct pp_range *timestamps; /* in timestamps; values.n == 0 means one per timestamp */
};

struct pp_profile {
    struct pp_value_type sample_type, period_type;
    int64_t period;
    uint64_t time_unix_nano, duration_nano;
    uint8_t profile_id[16]; /* all zero: not set */
    uint32_t dropped_attributes_count;
    struct pp_str original_payload_format, original_payload;
    struct pp_range attrs;   /* in attr_indices */
    struct pp_range samples; /* rows of the sample columns */
};

struct pp_scope {
    struct pp_str name, version, schema_url;
    struct pp_range attributes; /* in key_values */
    uint32_t dropped_attributes_count;
    struct pp_range profiles;
};

struct pp_resource {
    struct pp_range attributes; /* in key_values */
    uint32_t dropped_attributes_count;
    struct pp_str schema_url;
    struct pp_range scopes;
};

#define PP_TABLE(type)                                                                             \
    struct {                                                                                       \
        type *v;                                                                                   \
        uint32_t n, cap;                                                                           \
    }

struct pp_tables {
    /* dictionary */
    PP_TABLE(struct pp_str) strings;
    PP_TABLE(struct pp_function) functions;
    PP_TABLE(struct pp_mapping) mappings;
    PP_TABLE(struct pp_location) locations;
    PP_TABLE(struct pp_line) lines;
    PP_TABLE(struct pp_stack) stacks;
    PP_TABLE(int32_t) location_indices;
    PP_TABLE(struct pp_link) links;
    PP_TABLE(struct pp_attribute) attributes;
    PP_TABLE(int32_t) attr_indices; /* shared by samples, profiles, mappings and locations */
    /* data */
    PP_TABLE(struct pp_key_value) key_values;
    PP_TABLE(struct pp_resource) resources;
    PP_TABLE(struct pp_scope) scopes;
    PP_TABLE(struct pp_profile) profiles;
    struct pp_samples samples;
    PP_TABLE(int64_t) values;
    PP_TABLE(uint64_t) timestamps;
};

#endif
