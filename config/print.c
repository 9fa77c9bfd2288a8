#include "config/print.h"

#include "config/go_duration.h"
#include "config/row_iter.h"

static void emit_scalar_node(struct pp_emitter *e, const struct pp_node *node)
{
    struct pp_scalar scalar = pp_node_scalar(node);

    if (scalar.type == PP_SCALAR_STRING)
        pp_emit_string(e, node->text);
    else if (scalar.type == PP_SCALAR_NULL)
        pp_emit_plain(e, "null");
    else if (e->format == PP_EMIT_YAML)
        pp_emit_plain(e, node->text.p); /* as written: 0x10 stays 0x10 */
    else if (scalar.type == PP_SCALAR_BOOL)
        pp_emit_plain(e, scalar.b ? "true" : "false");
    else if (scalar.type == PP_SCALAR_INT)
        pp_emit_int(e, scalar.i);
    else
        pp_emit_double(e, scalar.f);
}

void pp_emit_node(struct pp_emitter *e, const struct pp_node *node)
{
    switch (node->kind) {
    case PP_NODE_MAP:
        pp_emit_begin_map(e);
        for (size_t i = 0; i < node->n; i++) {
            pp_emit_key(e, node->entries[i].key->text);
            pp_emit_node(e, node->entries[i].value);
        }
        pp_emit_end(e);
        break;
    case PP_NODE_LIST:
        pp_emit_begin_list(e);
        for (size_t i = 0; i < node->n; i++)
            pp_emit_node(e, node->items[i]);
        pp_emit_end(e);
        break;
    default:
        emit_scalar_node(e, node);
        break;
    }
}

static void emit_text(struct pp_emitter *e, const char *text, bool redact)
{
    if (!text)
        pp_emit_plain(e, "null");
    else
        pp_emit_string_c(e, redact && *text ? PP_REDACTED : text);
}

static void emit_duration(struct pp_emitter *e, int64_t ns)
{
    struct pp_buf text;

    pp_buf_init(&text, 64);
    pp_duration_print(ns, &text);
    if (text.failed)
        e->out->failed = true;
    else
        pp_emit_string(e, pp_buf_str(&text));
    pp_buf_done(&text);
}

static void emit_string_list(struct pp_emitter *e, const struct pp_string_list *list, bool redact)
{
    pp_emit_begin_list(e);
    for (size_t i = 0; i < list->n; i++)
        emit_text(e, list->v[i], redact);
    pp_emit_end(e);
}

static void emit_string_map(struct pp_emitter *e, const struct pp_string_map *map, bool redact)
{
    pp_emit_begin_map(e);
    for (size_t i = 0; i < map->n; i++) {
        pp_emit_key_c(e, map->v[i].key);
        emit_text(e, map->v[i].value, redact);
    }
    pp_emit_end(e);
}

static void emit_group_list(struct pp_emitter *e, const struct pp_group *group,
                            const struct pp_group_list *list, bool redact)
{
    pp_emit_begin_list(e);
    for (size_t i = 0; i < list->n; i++)
        pp_emit_struct(e, group, (const char *)list->v + i * group->size, redact);
    pp_emit_end(e);
}

static void emit_group_map(struct pp_emitter *e, const struct pp_group *group,
                           const struct pp_group_map *map, bool redact)
{
    pp_emit_begin_map(e);
    for (size_t i = 0; i < map->n; i++) {
        pp_emit_key_c(e, map->keys[i]);
        pp_emit_struct(e, group, (const char *)map->v + i * group->size, redact);
    }
    pp_emit_end(e);
}

static void emit_pointed(struct pp_emitter *e, const struct pp_field *field, const void *target,
                         bool secret, bool redact)
{
    if (!target)
        pp_emit_plain(e, "null");
    else if (field->type == PP_FIELD_OPTIONAL)
        pp_emit_struct(e, field->group, target, redact);
    else if (secret)
        pp_emit_string_c(e, PP_REDACTED);
    else
        pp_emit_node(e, target);
}

void pp_emit_row(struct pp_emitter *e, const struct pp_row *row, const void *outer, bool redact)
{
    const struct pp_field *field = row->field;
    const void *member = (const char *)outer + row->offset;
    bool secret = redact && (row->flags & PP_FIELD_SECRET);

    switch (field->type) {
    case PP_FIELD_BOOL:
        pp_emit_plain(e, *(const bool *)member ? "true" : "false");
        break;
    case PP_FIELD_INT:
        pp_emit_int(e, *(const int64_t *)member);
        break;
    case PP_FIELD_DOUBLE:
        pp_emit_double(e, *(const double *)member);
        break;
    case PP_FIELD_DURATION:
        emit_duration(e, *(const int64_t *)member);
        break;
    case PP_FIELD_STRING:
        emit_text(e, *(const char *const *)member, secret);
        break;
    case PP_FIELD_ENUM:
        pp_emit_string_c(e, field->choices[*(const int *)member]);
        break;
    case PP_FIELD_STRING_LIST:
        emit_string_list(e, member, secret);
        break;
    case PP_FIELD_STRING_MAP:
        emit_string_map(e, member, secret);
        break;
    case PP_FIELD_LIST:
        emit_group_list(e, field->group, member, redact);
        break;
    case PP_FIELD_MAP:
        emit_group_map(e, field->group, member, redact);
        break;
    case PP_FIELD_GROUP:
    case PP_FIELD_INLINE:
        pp_emit_struct(e, field->group, member, redact);
        break;
    case PP_FIELD_OPTIONAL:
    case PP_FIELD_NODE:
        emit_pointed(e, field, *(const void *const *)member, secret, redact);
        break;
    }
}

/* Members whose NULL says that the key is not there. */
static bool is_absent(const struct pp_row *row, const void *outer)
{
    enum pp_field_type type = row->field->type;

    if (type != PP_FIELD_STRING && type != PP_FIELD_OPTIONAL && type != PP_FIELD_NODE)
        return false;
    return !*(const void *const *)((const char *)outer + row->offset);
}

void pp_emit_struct(struct pp_emitter *e, const struct pp_group *group, const void *value,
                    bool redact)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    pp_emit_begin_map(e);
    while (pp_rows_next(&iter, &row)) {
        if ((row.flags & (PP_FIELD_IGNORED | PP_FIELD_ALIAS)) || is_absent(&row, value))
            continue;
        pp_emit_key_c(e, row.name);
        pp_emit_row(e, &row, value, redact);
    }
    pp_emit_end(e);
}

bool pp_print_node(const struct pp_node *node, const struct pp_print_options *options,
                   struct pp_buf *out)
{
    struct pp_emitter e = {
        .out = out, .format = options->format, .double_dollars = options->as_source};

    pp_emit_node(&e, node);
    return !out->failed;
}

bool pp_print_struct(const struct pp_group *group, const void *value,
                     const struct pp_print_options *options, struct pp_buf *out)
{
    struct pp_emitter e = {
        .out = out, .format = options->format, .double_dollars = options->as_source};

    pp_emit_struct(&e, group, value, options->redact);
    return !out->failed;
}
