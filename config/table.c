#include "config/table.h"

#include <stdio.h>

#include "config/print.h"
#include "config/row_iter.h"

#define KEY_BYTES_MAX 256 /* of a dotted key; rows nest a few levels */
#define CELL_BYTES_MAX 1024

struct table {
    struct pp_buf *out;
    struct pp_buf *ignored; /* names of ignored keys */
};

static void print_rows(struct table *t, const struct pp_group *group, const void *defaults,
                       const char *prefix);

static void print_type(struct pp_buf *out, const struct pp_field *field)
{
    static const char *const names[] = {
        [PP_FIELD_BOOL] = "boolean",
        [PP_FIELD_INT] = "integer",
        [PP_FIELD_DOUBLE] = "number",
        [PP_FIELD_DURATION] = "duration",
        [PP_FIELD_STRING] = "string",
        [PP_FIELD_ENUM] = "",
        [PP_FIELD_STRING_LIST] = "strings",
        [PP_FIELD_STRING_MAP] = "map of strings",
        [PP_FIELD_GROUP] = "block",
        [PP_FIELD_OPTIONAL] = "block",
        [PP_FIELD_LIST] = "list of blocks",
        [PP_FIELD_MAP] = "map of blocks",
        [PP_FIELD_NODE] = "any",
        [PP_FIELD_INLINE] = "",
    };
    const char *separator = "";

    pp_buf_add_c(out, names[field->type]);
    for (const char *const *choice = field->type == PP_FIELD_ENUM ? field->choices : NULL;
         choice && *choice; choice++) {
        if (!**choice)
            continue;
        pp_buf_printf(out, "%s`%s`", separator, *choice);
        separator = ", ";
    }
    if (field->type == PP_FIELD_INT && (field->min != 0 || field->max != 0))
        pp_buf_printf(out, ", %.0f to %.0f", field->min, field->max);
    if (field->type == PP_FIELD_DOUBLE && (field->min != 0 || field->max != 0))
        pp_buf_printf(out, ", %g to %g", field->min, field->max);
}

/* JSON on one line is the shortest way to show any default. */
static void print_default_value(struct pp_buf *out, const struct pp_row *row, const void *defaults)
{
    struct pp_buf text;
    struct pp_emitter e = {.out = &text, .format = PP_EMIT_JSON};

    pp_buf_init(&text, CELL_BYTES_MAX);
    pp_emit_row(&e, row, defaults, false);
    if (text.failed) {
        out->failed = true;
    } else {
        pp_buf_add_byte(out, '`');
        for (size_t i = 0; i < text.len; i++) {
            if (text.data[i] == '\n')
                while (i + 1 < text.len && text.data[i + 1] == ' ')
                    i++;
            else
                pp_buf_add_byte(out, text.data[i]);
        }
        pp_buf_add_byte(out, '`');
    }
    pp_buf_done(&text);
}

static void print_default(struct pp_buf *out, const struct pp_row *row, const void *defaults)
{
    const struct pp_field *field = row->field;
    const char *member = defaults ? (const char *)defaults + row->offset : NULL;
    bool pointer = field->type == PP_FIELD_STRING || field->type == PP_FIELD_OPTIONAL ||
                   field->type == PP_FIELD_NODE;
    bool absent = pointer && (!member || !*(const void *const *)member);

    if (absent && (row->flags & PP_FIELD_REQUIRED))
        pp_buf_add_c(out, "required");
    else if (absent && field->type == PP_FIELD_OPTIONAL)
        pp_buf_add_c(out, "absent");
    else if (!absent && member && field->type != PP_FIELD_GROUP && field->type != PP_FIELD_OPTIONAL)
        print_default_value(out, row, defaults);
}

/* Text in a cell; a bar would end it. */
static void print_cell_text(struct pp_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            pp_buf_add_byte(out, '\\');
        pp_buf_add_byte(out, *text);
    }
}

static void print_inner(struct table *t, const struct pp_row *row, const void *defaults,
                        const char *key)
{
    const struct pp_group *group = row->field->group;
    const void *inner = group->defaults;
    char prefix[KEY_BYTES_MAX + 8];

    if (row->field->type == PP_FIELD_GROUP && defaults)
        inner = (const char *)defaults + row->offset;
    if (row->field->type == PP_FIELD_OPTIONAL && defaults &&
        *(void *const *)((const char *)defaults + row->offset))
        inner = *(void *const *)((const char *)defaults + row->offset);
    snprintf(prefix, sizeof(prefix), "%s%s.", key,
             row->field->type == PP_FIELD_LIST  ? "[]"
             : row->field->type == PP_FIELD_MAP ? ".*"
                                                : "");
    print_rows(t, group, inner, prefix);
}

static void print_row(struct table *t, const struct pp_row *row, const void *defaults,
                      const char *prefix)
{
    char key[KEY_BYTES_MAX];

    snprintf(key, sizeof(key), "%s%s", prefix, row->name);
    if (row->flags & PP_FIELD_IGNORED) {
        pp_buf_printf(t->ignored, "%s`%s`", t->ignored->len ? ", " : "", key);
        return;
    }
    pp_buf_printf(t->out, "| `%s` | ", key);
    print_type(t->out, row->field);
    pp_buf_add_c(t->out, " | ");
    print_default(t->out, row, defaults);
    pp_buf_add_c(t->out, " | ");
    print_cell_text(t->out, row->doc ? row->doc : "");
    if (row->flags & PP_FIELD_DEPRECATED)
        pp_buf_add_c(t->out, " Deprecated.");
    pp_buf_add_c(t->out, " |\n");
    if (row->field->group && !(row->flags & PP_FIELD_ALIAS))
        print_inner(t, row, defaults, key);
}

static void print_rows(struct table *t, const struct pp_group *group, const void *defaults,
                       const char *prefix)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    while (pp_rows_next(&iter, &row))
        print_row(t, &row, defaults, prefix);
}

bool pp_table_print(const struct pp_group *group, struct pp_buf *out)
{
    struct pp_buf ignored;
    struct table t = {out, &ignored};

    pp_buf_init(&ignored, 1 << 16);
    pp_buf_add_c(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    print_rows(&t, group, group->defaults, "");
    if (ignored.len)
        pp_buf_printf(
            out,
            "\nAccepted for the Collector's configurations and ignored, with a warning: " PP_STR_FMT
            ".\n",
            PP_STR_ARG(pp_buf_str(&ignored)));
    if (ignored.failed)
        out->failed = true;
    pp_buf_done(&ignored);
    return !out->failed;
}
