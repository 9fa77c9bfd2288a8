/* Configuration rows: one table per struct says what YAML it accepts. The same rows drive decoding, defaults, `validate`,
 * `components`, `print-config`, the JSON Schema and the README tables; nothing else walks the YAML. */
#ifndef PP_CONFIG_ROWS_H
#define PP_CONFIG_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_node; /* a YAML node with its position: config/tree.h */

/* What a row's member is in the struct. Everything that points is owned by the configuration's arena and lives as long as it. */
enum pp_field_type {
    PP_FIELD_BOOL,        /* bool */
    PP_FIELD_INT,         /* int64_t, within [min, max] */
    PP_FIELD_DOUBLE,      /* double, within [min, max] */
    PP_FIELD_DURATION,    /* int64_t nanoseconds; Go's syntax: 1h2m3s, 200ms, 0 */
    PP_FIELD_STRING,      /* const char *; NULL when absent without a default */
    PP_FIELD_ENUM,        /* int: position in `choices` */
    PP_FIELD_STRING_LIST, /* struct pp_string_list */
    PP_FIELD_STRING_MAP,  /* struct pp_string_map, in the order written */
    PP_FIELD_GROUP,       /* the group's struct itself */
    PP_FIELD_OPTIONAL,    /* pointer to the group's struct; NULL when the key is absent; `key:` and `key: {}` mean defaults */
    PP_FIELD_LIST,        /* struct pp_group_list of the group's structs */
    PP_FIELD_MAP,         /* struct pp_group_map of the group's structs */
    PP_FIELD_NODE,        /* const struct pp_node *: any YAML, read by the component; NULL when absent */
    PP_FIELD_INLINE,      /* the group's struct itself, its keys standing beside the others (the Collector's "squash") */
};

enum pp_field_flags {
    PP_FIELD_REQUIRED = 1 << 0,   /* an error when absent, unless the default is not zero */
    PP_FIELD_SECRET = 1 << 1,     /* shown as [REDACTED] */
    PP_FIELD_IGNORED = 1 << 2,    /* accepted for the Collector's configs, has no meaning here: a warning; offset unused */
    PP_FIELD_DEPRECATED = 1 << 3, /* works, with a warning; the doc names the successor */
    PP_FIELD_ALIAS = 1 << 4,      /* another spelling of the row that stands before it: same member */
    PP_FIELD_NULL_ABSENT = 1 << 6, /* OPTIONAL: `key:` (null) leaves the block out, as the Collector has it for some blocks */
    PP_FIELD_NONEMPTY = 1 << 5,   /* a string, list or map with nothing in it is an error */
};

/* What an extension can be for other components. A row that names an extension says by these bits
 * what it needs (PP_ROW_EXTENSION), a factory says what its extensions offer. */
enum pp_capability {
    PP_OFFERS_SERVER_AUTH = 1 << 0, /* checks who sends: `auth` of a server */
    PP_OFFERS_CLIENT_AUTH = 1 << 1, /* signs what is sent: `auth` of a client */
    PP_OFFERS_STORAGE = 1 << 2,     /* keeps bytes over restarts: `storage` */
};

struct pp_group;
struct pp_check;

struct pp_field {
    const char *name;
    enum pp_field_type type;
    unsigned flags;
    size_t offset;
    double min, max;              /* INT, DOUBLE, DURATION (seconds); both 0: no range beyond the type's */
    const char *const *choices;   /* ENUM: NULL-terminated */
    const struct pp_group *group; /* GROUP, OPTIONAL, LIST, MAP */
    unsigned offers;              /* STRING that is an extension's id: enum pp_capability; else 0 */
    const char *doc;              /* one sentence, for people */
};

/* A struct's rows. `defaults` has the struct's size and static life; NULL means all zero. The members of GROUP and INLINE rows
 * start from the outer struct's defaults, so those must hold them (each group's header has a PP_..._DEFAULTS initialiser for
 * that); OPTIONAL, LIST and MAP members start from the group's own, or, for OPTIONAL, from what the outer defaults point to. */
struct pp_group {
    const char *name; /* "sending_queue"; used in documentation only */
    size_t size;
    const void *defaults;
    const struct pp_field *fields; /* ends with a row whose name is NULL */
    /* Cross-field rules; NULL: none. Called by the decoder for every struct of this group that decoded without an error, inner
     * ones first; paths given to pp_check_* are relative to the group. */
    void (*validate)(const void *value, struct pp_check *check);
};

struct pp_string_list {
    const char *const *v;
    size_t n;
};

struct pp_string_pair {
    const char *key, *value;
};

struct pp_string_map {
    const struct pp_string_pair *v;
    size_t n;
};

struct pp_group_list {
    const void *v; /* n structs of the group's size, one after the other */
    size_t n;
};

struct pp_group_map {
    const char *const *keys;
    const void *v;
    size_t n;
};

/* Row builders: PP_ROW_INT(struct my_config, queue_size, 0, 1, 1e9, "...") */
#define PP_ROW(type_, struct_, member_, flags_, doc_)                                                                  \
    {.name = #member_, .type = (type_), .flags = (flags_), .offset = offsetof(struct_, member_), .doc = (doc_)}
#define PP_ROW_BOOL(s, m, flags_, doc_) PP_ROW(PP_FIELD_BOOL, s, m, flags_, doc_)
#define PP_ROW_STRING(s, m, flags_, doc_) PP_ROW(PP_FIELD_STRING, s, m, flags_, doc_)
/* The id of an extension that must be running and offer `offers_` (one of enum pp_capability); checked by the engine's plan, looked up by
 * pp_component_extension (pipeline/service.h). */
#define PP_ROW_EXTENSION(s, m, flags_, offers_, doc_)                                                                  \
    {.name = #m, .type = PP_FIELD_STRING, .flags = (flags_), .offset = offsetof(s, m), .offers = (offers_), .doc = (doc_)}
#define PP_ROW_STRINGS(s, m, flags_, doc_) PP_ROW(PP_FIELD_STRING_LIST, s, m, flags_, doc_)
#define PP_ROW_STRING_MAP(s, m, flags_, doc_) PP_ROW(PP_FIELD_STRING_MAP, s, m, flags_, doc_)
#define PP_ROW_NODE(s, m, flags_, doc_) PP_ROW(PP_FIELD_NODE, s, m, flags_, doc_)
#define PP_ROW_RANGED(type_, s, m, flags_, min_, max_, doc_)                                                           \
    {.name = #m, .type = (type_), .flags = (flags_), .offset = offsetof(s, m), .min = (min_), .max = (max_), .doc = (doc_)}
#define PP_ROW_INT(s, m, flags_, min_, max_, doc_) PP_ROW_RANGED(PP_FIELD_INT, s, m, flags_, min_, max_, doc_)
#define PP_ROW_DOUBLE(s, m, flags_, min_, max_, doc_) PP_ROW_RANGED(PP_FIELD_DOUBLE, s, m, flags_, min_, max_, doc_)
/* min and max in seconds */
#define PP_ROW_DURATION(s, m, flags_, min_, max_, doc_) PP_ROW_RANGED(PP_FIELD_DURATION, s, m, flags_, min_, max_, doc_)
#define PP_ROW_ENUM(s, m, flags_, choices_, doc_)                                                                      \
    {.name = #m, .type = PP_FIELD_ENUM, .flags = (flags_), .offset = offsetof(s, m), .choices = (choices_), .doc = (doc_)}
#define PP_ROW_OF(type_, s, m, flags_, group_, doc_)                                                                   \
    {.name = #m, .type = (type_), .flags = (flags_), .offset = offsetof(s, m), .group = (group_), .doc = (doc_)}
#define PP_ROW_GROUP(s, m, group_, doc_) PP_ROW_OF(PP_FIELD_GROUP, s, m, 0, group_, doc_)
#define PP_ROW_OPTIONAL(s, m, group_, doc_) PP_ROW_OF(PP_FIELD_OPTIONAL, s, m, 0, group_, doc_)
#define PP_ROW_OPTIONAL_OR_NULL(s, m, group_, doc_) PP_ROW_OF(PP_FIELD_OPTIONAL, s, m, PP_FIELD_NULL_ABSENT, group_, doc_)
#define PP_ROW_LIST(s, m, flags_, group_, doc_) PP_ROW_OF(PP_FIELD_LIST, s, m, flags_, group_, doc_)
#define PP_ROW_MAP(s, m, flags_, group_, doc_) PP_ROW_OF(PP_FIELD_MAP, s, m, flags_, group_, doc_)
/* The group's keys beside this struct's own; `m` does not appear in the YAML. */
#define PP_ROW_INLINE(s, m, group_) PP_ROW_OF(PP_FIELD_INLINE, s, m, 0, group_, NULL)
#define PP_ROW_IGNORED(name_, doc_) {.name = (name_), .type = PP_FIELD_NODE, .flags = PP_FIELD_IGNORED, .doc = (doc_)}
/* Another spelling of the row before it; flags may add PP_FIELD_DEPRECATED, and the doc then says what to write instead. */
#define PP_ROW_ALIAS(name_, flags_, doc_) {.name = (name_), .flags = PP_FIELD_ALIAS | (flags_), .doc = (doc_)}
#define PP_ROW_END {.name = NULL}

/* Collects a component's cross-field problems. `path` is relative to the component ("protocols.grpc.endpoint"; list items by
 * number: "table.0.pipelines"; "" for the component itself); the message gets the position of the nearest node that exists. */
void pp_check_error(struct pp_check *check, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void pp_check_warn(struct pp_check *check, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
