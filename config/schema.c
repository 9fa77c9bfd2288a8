#include "config/schema.h"

#include <stdio.h>

#include "config/document_rows.h"
#include "config/print.h"
#include "config/row_iter.h"

#define EXPANSION_REF "#/$defs/expansion"
#define GO_DURATION "^[-+]?(0|([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|\xC2\xB5s|ms|s|m|h))+$"

static void emit_group_schema(struct pp_emitter *e, const struct pp_group *group);

static void emit_pair(struct pp_emitter *e, const char *key, const char *text)
{
    pp_emit_key_c(e, key);
    pp_emit_string_c(e, text);
}

static void emit_int_pair(struct pp_emitter *e, const char *key, int64_t value)
{
    pp_emit_key_c(e, key);
    pp_emit_int(e, value);
}

/* "type": [type, "null"]: null keeps the default. */
static void emit_type(struct pp_emitter *e, const char *type)
{
    pp_emit_key_c(e, "type");
    pp_emit_begin_list(e);
    pp_emit_string_c(e, type);
    pp_emit_string_c(e, "null");
    pp_emit_end(e);
}

static void emit_range(struct pp_emitter *e, const struct pp_field *field)
{
    if (field->min == 0 && field->max == 0)
        return;
    pp_emit_key_c(e, "minimum");
    pp_emit_double(e, field->min);
    pp_emit_key_c(e, "maximum");
    pp_emit_double(e, field->max);
}

static void emit_choices(struct pp_emitter *e, const struct pp_field *field)
{
    pp_emit_key_c(e, "enum");
    pp_emit_begin_list(e);
    for (const char *const *choice = field->choices; *choice; choice++)
        pp_emit_string_c(e, *choice);
    pp_emit_plain(e, "null");
    pp_emit_end(e);
}

static void emit_items(struct pp_emitter *e, const char *key, const struct pp_group *group)
{
    pp_emit_key_c(e, key);
    if (group) {
        emit_group_schema(e, group);
        return;
    }
    pp_emit_begin_map(e);
    emit_type(e, "string");
    pp_emit_end(e);
}

/* The keywords that say what a value of this row is, itself or before expansion. */
static void emit_value_keywords(struct pp_emitter *e, const struct pp_row *row)
{
    const struct pp_field *field = row->field;
    bool nonempty = row->flags & PP_FIELD_NONEMPTY;

    switch (field->type) {
    case PP_FIELD_BOOL:
        emit_type(e, "boolean");
        break;
    case PP_FIELD_INT:
        emit_type(e, "integer");
        emit_range(e, field);
        break;
    case PP_FIELD_DOUBLE:
        emit_type(e, "number");
        emit_range(e, field);
        break;
    case PP_FIELD_DURATION:
        pp_emit_key_c(e, "type");
        pp_emit_begin_list(e);
        pp_emit_string_c(e, "string");
        pp_emit_string_c(e, "integer");
        pp_emit_string_c(e, "null");
        pp_emit_end(e);
        emit_pair(e, "pattern", GO_DURATION);
        break;
    case PP_FIELD_ENUM:
        emit_choices(e, field);
        break;
    case PP_FIELD_STRING_LIST:
    case PP_FIELD_LIST:
        emit_type(e, "array");
        emit_items(e, "items", field->group);
        if (nonempty)
            emit_int_pair(e, "minItems", 1);
        break;
    case PP_FIELD_STRING_MAP:
    case PP_FIELD_MAP:
        emit_type(e, "object");
        emit_items(e, "additionalProperties", field->group);
        break;
    case PP_FIELD_STRING:
        emit_type(e, "string");
        if (nonempty)
            emit_int_pair(e, "minLength", 1);
        break;
    default: /* a node: anything goes */
        break;
    }
}

static bool is_block(const struct pp_field *field)
{
    return field->type == PP_FIELD_GROUP || field->type == PP_FIELD_OPTIONAL;
}

/* Strings and nodes can hold a ${...} as they are; other values need the alternative said. */
static void emit_alternatives(struct pp_emitter *e, const struct pp_row *row)
{
    pp_emit_key_c(e, "anyOf");
    pp_emit_begin_list(e);
    if (is_block(row->field)) {
        emit_group_schema(e, row->field->group);
    } else {
        pp_emit_begin_map(e);
        emit_value_keywords(e, row);
        pp_emit_end(e);
    }
    pp_emit_begin_map(e);
    emit_pair(e, "$ref", EXPANSION_REF);
    pp_emit_end(e);
    pp_emit_end(e);
}

static void emit_doc(struct pp_emitter *e, const struct pp_row *row)
{
    struct pp_buf text;

    pp_buf_init(&text, 4096);
    pp_buf_printf(&text, "%s%s", row->flags & PP_FIELD_IGNORED ? "Ignored: " : "",
                  row->doc ? row->doc : "");
    if (text.failed)
        e->out->failed = true;
    if (text.len) {
        pp_emit_key_c(e, "description");
        pp_emit_string(e, pp_buf_str(&text));
    }
    pp_buf_done(&text);
    if (row->flags & (PP_FIELD_DEPRECATED | PP_FIELD_IGNORED)) {
        pp_emit_key_c(e, "deprecated");
        pp_emit_plain(e, "true");
    }
}

/* The default of a plain member; blocks show theirs key by key. */
static void emit_default(struct pp_emitter *e, const struct pp_row *row, const void *defaults)
{
    const struct pp_field *field = row->field;
    bool pointer = field->type == PP_FIELD_STRING || field->type == PP_FIELD_NODE;

    if (is_block(field) || !defaults || (row->flags & (PP_FIELD_REQUIRED | PP_FIELD_IGNORED)))
        return;
    if (pointer && !*(const void *const *)((const char *)defaults + row->offset))
        return;
    pp_emit_key_c(e, "default");
    pp_emit_row(e, row, defaults, true);
}

static void emit_row_schema(struct pp_emitter *e, const struct pp_row *row, const void *defaults)
{
    enum pp_field_type type = row->field->type;

    pp_emit_begin_map(e);
    emit_doc(e, row);
    if (!(row->flags & PP_FIELD_IGNORED)) {
        if (type == PP_FIELD_STRING || type == PP_FIELD_NODE)
            emit_value_keywords(e, row);
        else
            emit_alternatives(e, row);
        emit_default(e, row, defaults);
    }
    pp_emit_end(e);
}

static void emit_required(struct pp_emitter *e, const struct pp_group *group)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;
    bool any = false;

    while (pp_rows_next(&iter, &row)) {
        bool has_default = group->defaults && row.field->type == PP_FIELD_STRING &&
                           *(const char *const *)((const char *)group->defaults + row.offset);
        if (!(row.flags & PP_FIELD_REQUIRED) || (row.flags & PP_FIELD_ALIAS) || has_default)
            continue;
        if (!any) {
            pp_emit_key_c(e, "required");
            pp_emit_begin_list(e);
            any = true;
        }
        pp_emit_string_c(e, row.name);
    }
    if (any)
        pp_emit_end(e);
}

static void emit_group_schema(struct pp_emitter *e, const struct pp_group *group)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    pp_emit_begin_map(e);
    emit_type(e, "object");
    pp_emit_key_c(e, "properties");
    pp_emit_begin_map(e);
    while (pp_rows_next(&iter, &row)) {
        pp_emit_key_c(e, row.name);
        emit_row_schema(e, &row, group->defaults);
    }
    pp_emit_end(e);
    emit_required(e, group);
    pp_emit_key_c(e, "additionalProperties");
    pp_emit_plain(e, "false");
    pp_emit_end(e);
}

/* "^name(/.+)?$": the type with or without a name behind it. */
static void emit_type_pattern(struct pp_emitter *e, const struct pp_schema_type *type,
                              const char *name)
{
    char text[160];

    snprintf(text, sizeof(text), "^%s(/.+)?$", name);
    pp_emit_key_c(e, text);
    pp_emit_begin_map(e);
    snprintf(text, sizeof(text), "#/$defs/%s.%s", pp_section_names[type->section], type->name);
    emit_pair(e, "$ref", text);
    pp_emit_end(e);
}

static void emit_section_schema(struct pp_emitter *e, enum pp_section section,
                                const struct pp_schema_type *types, size_t n)
{
    pp_emit_key_c(e, pp_section_names[section]);
    pp_emit_begin_map(e);
    emit_type(e, "object");
    pp_emit_key_c(e, "patternProperties");
    pp_emit_begin_map(e);
    for (size_t i = 0; i < n; i++) {
        if (types[i].section != section)
            continue;
        emit_type_pattern(e, &types[i], types[i].name);
        for (const char *const *alias = types[i].aliases; alias && *alias; alias++)
            emit_type_pattern(e, &types[i], *alias);
    }
    pp_emit_end(e);
    pp_emit_key_c(e, "additionalProperties");
    pp_emit_plain(e, "false");
    pp_emit_end(e);
}

static const struct pp_group no_keys = {
    .name = "",
    .size = 1,
    .fields = (const struct pp_field[]){PP_ROW_END},
};

static void emit_definition(struct pp_emitter *e, const struct pp_schema_type *type)
{
    char name[160];

    snprintf(name, sizeof(name), "%s.%s", pp_section_names[type->section], type->name);
    pp_emit_key_c(e, name);
    pp_emit_begin_map(e);
    emit_pair(e, "description", type->summary ? type->summary : type->name);
    pp_emit_key_c(e, "anyOf");
    pp_emit_begin_list(e);
    emit_group_schema(e, type->config ? type->config : &no_keys);
    pp_emit_begin_map(e);
    emit_pair(e, "$ref", EXPANSION_REF);
    pp_emit_end(e);
    pp_emit_end(e);
    pp_emit_end(e);
}

static void emit_definitions(struct pp_emitter *e, const struct pp_schema_type *types, size_t n)
{
    pp_emit_key_c(e, "$defs");
    pp_emit_begin_map(e);
    pp_emit_key_c(e, "expansion");
    pp_emit_begin_map(e);
    emit_pair(e, "description",
              "A value from elsewhere: ${env:NAME}, ${env:NAME:-default}, ${file:path}.");
    emit_pair(e, "type", "string");
    emit_pair(e, "pattern", "\\$\\{.+\\}");
    pp_emit_end(e);
    for (size_t i = 0; i < n; i++)
        emit_definition(e, &types[i]);
    pp_emit_end(e);
}

bool pp_schema_print(const struct pp_schema_type *types, size_t n, struct pp_buf *out)
{
    struct pp_emitter e = {.out = out, .format = PP_EMIT_JSON};

    pp_emit_begin_map(&e);
    emit_pair(&e, "$schema", "https://json-schema.org/draft/2020-12/schema");
    emit_pair(&e, "title", "profpipe configuration");
    emit_type(&e, "object");
    pp_emit_key_c(&e, "properties");
    pp_emit_begin_map(&e);
    for (int section = 0; section < PP_SECTIONS; section++)
        emit_section_schema(&e, (enum pp_section)section, types, n);
    pp_emit_key_c(&e, "service");
    emit_group_schema(&e, &pp_doc_service_group);
    pp_emit_end(&e);
    pp_emit_key_c(&e, "additionalProperties");
    pp_emit_plain(&e, "false");
    emit_definitions(&e, types, n);
    pp_emit_end(&e);
    return !out->failed;
}
