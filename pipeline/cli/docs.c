#include "cli/docs.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config/go_duration.h"
#include "config/row_iter.h"
#include "pipeline/service.h"

#define PATH_BYTES_MAX 512u
/* Groups inside each other; rows are ours, so that this only guards against one that contains itself. */
#define DEPTH_MAX 12

static void write_cell(struct pp_buf *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|')
            pp_buf_add_c(out, "\\|");
        else
            pp_buf_add_byte(out, *text);
    }
}

static void write_choices(const struct pp_field *field, struct pp_buf *out)
{
    pp_buf_add_c(out, "one of ");
    for (const char *const *choice = field->choices; *choice; choice++)
        pp_buf_printf(out, "%s`%s`", choice == field->choices ? "" : ", ", **choice ? *choice : "\"\"");
}

static void write_type(const struct pp_field *field, struct pp_buf *out)
{
    static const char *const names[] = {
        [PP_FIELD_BOOL] = "bool",           [PP_FIELD_INT] = "int",
        [PP_FIELD_DOUBLE] = "float",        [PP_FIELD_DURATION] = "duration",
        [PP_FIELD_STRING] = "string",       [PP_FIELD_STRING_LIST] = "list of strings",
        [PP_FIELD_STRING_MAP] = "map of strings", [PP_FIELD_GROUP] = "block",
        [PP_FIELD_OPTIONAL] = "block, optional",  [PP_FIELD_LIST] = "list of blocks",
        [PP_FIELD_MAP] = "map of blocks",   [PP_FIELD_NODE] = "any",
        [PP_FIELD_INLINE] = "",
    };

    if (field->type == PP_FIELD_ENUM)
        write_choices(field, out);
    else
        pp_buf_add_c(out, names[field->type]);
    if (field->flags & PP_FIELD_SECRET)
        pp_buf_add_c(out, ", secret");
}

static void write_string_list(const struct pp_string_list *list, struct pp_buf *out)
{
    pp_buf_add_c(out, "`[");
    for (size_t i = 0; i < list->n; i++)
        pp_buf_printf(out, "%s%s", i ? ", " : "", *list->v[i] ? list->v[i] : "\"\"");
    pp_buf_add_c(out, "]`");
}

/* `value` is the member in the defaults, or NULL when those are all zero. */
static void write_default(const struct pp_field *field, const void *value, struct pp_buf *out)
{
    static const union {
        int64_t i;
        double d;
        const void *p;
        struct pp_string_list list;
    } zero;

    if (!value)
        value = &zero;
    switch (field->type) {
    case PP_FIELD_BOOL:
        pp_buf_printf(out, "`%s`", *(const bool *)value ? "true" : "false");
        break;
    case PP_FIELD_INT:
        pp_buf_printf(out, "`%lld`", (long long)*(const int64_t *)value);
        break;
    case PP_FIELD_DOUBLE:
        pp_buf_printf(out, "`%g`", *(const double *)value);
        break;
    case PP_FIELD_DURATION:
        pp_buf_add_byte(out, '`');
        pp_duration_print(*(const int64_t *)value, out);
        pp_buf_add_byte(out, '`');
        break;
    case PP_FIELD_STRING:
        if (*(const char *const *)value)
            pp_buf_printf(out, "`%s`", **(const char *const *)value ? *(const char *const *)value : "\"\"");
        break;
    case PP_FIELD_ENUM: {
        const char *name = field->choices[*(const int *)value];

        pp_buf_printf(out, "`%s`", *name ? name : "\"\"");
        break;
    }
    case PP_FIELD_STRING_LIST:
        write_string_list(value, out);
        break;
    default:
        break;
    }
}

static void write_rows(const struct pp_group *group, const void *defaults, const char *prefix, int depth, struct pp_buf *out);

/* The rows of a block, list or map below its own row. */
static void write_inner(const struct pp_row *row, const void *value, const char *path, int depth, struct pp_buf *out)
{
    const struct pp_group *group = row->field->group;
    const void *defaults = group->defaults;
    char prefix[PATH_BYTES_MAX];

    if (row->field->type == PP_FIELD_GROUP)
        defaults = value;
    else if (row->field->type == PP_FIELD_OPTIONAL && value && *(const void *const *)value)
        defaults = *(const void *const *)value;
    int written = snprintf(prefix, sizeof(prefix), "%s%s.", path,
                           row->field->type == PP_FIELD_LIST  ? "[]"
                           : row->field->type == PP_FIELD_MAP ? ".<name>"
                                                              : "");
    if ((size_t)written < sizeof(prefix) && depth < DEPTH_MAX)
        write_rows(group, defaults, prefix, depth + 1, out);
}

static void write_row(const struct pp_row *row, const void *value, const char *prefix, int depth, struct pp_buf *out)
{
    enum pp_field_type type = row->field->type;
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof(path), "%s%s", prefix, row->name);
    pp_buf_printf(out, "| `%s` | ", path);
    write_type(row->field, out);
    pp_buf_add_c(out, " | ");
    if (row->flags & PP_FIELD_REQUIRED)
        pp_buf_add_c(out, "required");
    else if (row->flags & PP_FIELD_IGNORED)
        pp_buf_add_c(out, "ignored");
    else if (row->flags & PP_FIELD_ALIAS)
        pp_buf_printf(out, "same as `%s%s`", prefix, row->field->name);
    else
        write_default(row->field, value, out);
    pp_buf_add_c(out, " | ");
    if (row->flags & PP_FIELD_DEPRECATED)
        pp_buf_add_c(out, "Deprecated. ");
    write_cell(out, row->doc);
    pp_buf_add_c(out, " |\n");
    if (row->flags & (PP_FIELD_ALIAS | PP_FIELD_IGNORED))
        return;
    if (type == PP_FIELD_GROUP || type == PP_FIELD_OPTIONAL || type == PP_FIELD_LIST || type == PP_FIELD_MAP)
        write_inner(row, value, path, depth, out);
}

static void write_rows(const struct pp_group *group, const void *defaults, const char *prefix, int depth, struct pp_buf *out)
{
    struct pp_row_iter iter = pp_rows_begin(group);
    struct pp_row row;

    while (pp_rows_next(&iter, &row)) {
        bool has_value = defaults && !(row.flags & PP_FIELD_IGNORED);

        write_row(&row, has_value ? (const char *)defaults + row.offset : NULL, prefix, depth, out);
    }
}

bool pp_docs_write(const struct pp_factory *factory, struct pp_buf *out)
{
    if (!factory->config) {
        pp_buf_add_c(out, "It takes no keys.\n");
        return !out->failed;
    }
    pp_buf_add_c(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
    write_rows(factory->config, factory->config->defaults, "", 0, out);
    return !out->failed;
}

int pp_docs_print(const struct pp_factories *factories, const char *kind, const char *type)
{
    const struct pp_factory *factory = NULL;
    struct pp_buf out;

    if (!kind || !type) {
        fprintf(stderr, "profpipe: docs: expected <kind> <type>, as in: docs receiver otlp\n");
        return PP_EXIT_USAGE;
    }
    for (int k = 0; k < PP_KIND_COUNT; k++)
        if (strcmp(kind, pp_component_kind_name((enum pp_component_kind)k)) == 0)
            factory = pp_factory_find(factories, (enum pp_component_kind)k, pp_str_c(type));
    if (!factory) {
        fprintf(stderr, "profpipe: docs: there is no %s \"%s\"; 'profpipe components' lists what there is\n", kind, type);
        return PP_EXIT_USAGE;
    }
    pp_buf_init(&out, PP_DOCS_BYTES_MAX);
    pp_docs_write(factory, &out);
    fwrite(out.data, 1, out.len, stdout);
    pp_buf_done(&out);
    return PP_EXIT_OK;
}
