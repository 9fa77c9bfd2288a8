#include "config/decode_value.h"

#include <math.h>
#include <stdio.h>

#include "config/go_duration.h"

#define SHOWN_CHARS_MAX 60 /* of a wrong value in a message */

bool pp_decode_fail(struct pp_decoder *d, struct pp_mark mark, const struct pp_path *path,
                    const char *fmt, ...)
{
    char text[PP_PATH_BYTES_MAX];
    va_list args;

    pp_path_print(path, text);
    va_start(args, fmt);
    pp_diag_addv(d->diags, PP_SEVERITY_ERROR, mark, text, fmt, args);
    va_end(args);
    return false;
}

bool pp_decode_fail_kind(struct pp_decoder *d, const struct pp_node *node,
                         const struct pp_path *path, const char *expected)
{
    return pp_decode_fail(d, node->mark, path, "expected %s, got %s", expected,
                          pp_node_kind_name(node));
}

bool pp_decode_fail_nomem(struct pp_decoder *d)
{
    pp_diag_nomem(d->diags);
    return false;
}

/* "expected ..., got ...", the value itself shown unless it is secret. */
static bool fail_value(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                       const struct pp_path *path, const char *expected)
{
    struct pp_str text = node->text;

    if (node->kind != PP_NODE_SCALAR || (row->flags & PP_FIELD_SECRET))
        return pp_decode_fail_kind(d, node, path, expected);
    if (text.n > SHOWN_CHARS_MAX)
        text.n = SHOWN_CHARS_MAX;
    while (text.n && !pp_utf8_valid(text))
        text.n--;
    return pp_decode_fail(d, node->mark, path, "expected %s, got %s: " PP_STR_FMT "%s", expected,
                          pp_node_kind_name(node), PP_STR_ARG(text),
                          text.n < node->text.n ? "..." : "");
}

/* What the text means where no string is wanted: text that came out of a ${...} is looked at again,
 * quoted or not. Nothing is a zero, as in the Collector. */
static struct pp_scalar scalar_of(const struct pp_node *node, enum pp_scalar_type zero)
{
    if (node->kind == PP_NODE_NULL)
        return (struct pp_scalar){.type = zero};
    if (node->kind == PP_NODE_SCALAR && node->quoted && node->expanded)
        return pp_scalar_read(node->text);
    if (node->kind == PP_NODE_SCALAR)
        return pp_node_scalar(node);
    return (struct pp_scalar){.type = PP_SCALAR_NULL};
}

/* The text for a member that is a string; false when the YAML says something else than a string. */
static bool string_of(const struct pp_node *node, const char **ret)
{
    if (node->original) {
        *ret = node->original;
        return true;
    }
    if (node->kind == PP_NODE_NULL) {
        *ret = "";
        return true;
    }
    if (node->kind != PP_NODE_SCALAR || pp_node_scalar(node).type != PP_SCALAR_STRING)
        return false;
    *ret = node->text.p;
    return true;
}

static bool fail_string(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                        const struct pp_path *path)
{
    return fail_value(d, row, node, path,
                      node->kind == PP_NODE_SCALAR ? "a string (put it in quotes)" : "a string");
}

static bool decode_string(struct pp_decoder *d, const struct pp_row *row,
                          const struct pp_node *node, const struct pp_path *path,
                          const char **member)
{
    const char *text;

    if (node->kind == PP_NODE_NULL && !node->original && !*member)
        return true; /* null without a default: absent */
    if (!string_of(node, &text))
        return fail_string(d, row, node, path);
    if ((row->flags & PP_FIELD_NONEMPTY) && !*text)
        return pp_decode_fail(d, node->mark, path, "must not be empty");
    *member = text;
    return true;
}

static bool decode_bool(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                        const struct pp_path *path, bool *member)
{
    struct pp_scalar scalar = scalar_of(node, PP_SCALAR_BOOL);

    if (scalar.type != PP_SCALAR_BOOL)
        return fail_value(d, row, node, path, "true or false");
    *member = scalar.b;
    return true;
}

static bool has_range(const struct pp_field *field)
{
    return field->min != 0 || field->max != 0;
}

/* Whether a double is an integer that int64_t holds. */
static bool is_integral(double value)
{
    return value >= -9223372036854775808.0 && value < 9223372036854775808.0 &&
           value == floor(value);
}

static bool decode_int(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                       const struct pp_path *path, int64_t *member)
{
    struct pp_scalar scalar = scalar_of(node, PP_SCALAR_INT);
    const struct pp_field *field = row->field;
    char expected[96] = "an integer";

    if (scalar.type == PP_SCALAR_FLOAT &&
        is_integral(scalar.f)) /* 1e3, as the Collector takes it */
        scalar = (struct pp_scalar){.type = PP_SCALAR_INT, .i = (int64_t)scalar.f};
    if (has_range(field))
        snprintf(expected, sizeof(expected), "an integer from %.0f to %.0f", field->min,
                 field->max);
    if (scalar.type != PP_SCALAR_INT ||
        (has_range(field) && ((double)scalar.i < field->min || (double)scalar.i > field->max)))
        return fail_value(d, row, node, path, expected);
    *member = scalar.i;
    return true;
}

static bool decode_double(struct pp_decoder *d, const struct pp_row *row,
                          const struct pp_node *node, const struct pp_path *path, double *member)
{
    struct pp_scalar scalar = scalar_of(node, PP_SCALAR_FLOAT);
    const struct pp_field *field = row->field;
    char expected[96] = "a number";

    if (scalar.type == PP_SCALAR_INT)
        scalar = (struct pp_scalar){.type = PP_SCALAR_FLOAT, .f = (double)scalar.i};
    if (has_range(field))
        snprintf(expected, sizeof(expected), "a number from %g to %g", field->min, field->max);
    if (scalar.type != PP_SCALAR_FLOAT || !isfinite(scalar.f) ||
        (has_range(field) && (scalar.f < field->min || scalar.f > field->max)))
        return fail_value(d, row, node, path, expected);
    *member = scalar.f;
    return true;
}

static void duration_expected(const struct pp_field *field, char *out, size_t size)
{
    struct pp_buf low, high;

    pp_buf_init(&low, 64);
    pp_buf_init(&high, 64);
    pp_duration_print((int64_t)(field->min * 1e9), &low);
    pp_duration_print((int64_t)(field->max * 1e9), &high);
    if (has_range(field) && !low.failed && !high.failed)
        snprintf(out, size, "a duration from " PP_STR_FMT " to " PP_STR_FMT,
                 PP_STR_ARG(pp_buf_str(&low)), PP_STR_ARG(pp_buf_str(&high)));
    else
        snprintf(out, size, "a duration such as 1m30s or 200ms");
    pp_buf_done(&low);
    pp_buf_done(&high);
}

static bool decode_duration(struct pp_decoder *d, const struct pp_row *row,
                            const struct pp_node *node, const struct pp_path *path, int64_t *member)
{
    struct pp_scalar scalar = scalar_of(node, PP_SCALAR_INT);
    const struct pp_field *field = row->field;
    char expected[128], place[PP_PATH_BYTES_MAX];
    int64_t ns;
    bool ok;

    ok = scalar.type == PP_SCALAR_INT ||
         (scalar.type == PP_SCALAR_STRING && pp_duration_parse(node->text, &ns));
    if (!ok)
        return fail_value(d, row, node, path, "a duration such as 1m30s or 200ms");
    if (scalar.type == PP_SCALAR_INT)
        ns = scalar.i;
    if (has_range(field) && ((double)ns < field->min * 1e9 || (double)ns > field->max * 1e9)) {
        duration_expected(field, expected, sizeof(expected));
        return fail_value(d, row, node, path, expected);
    }
    if (scalar.type == PP_SCALAR_INT && ns != 0) {
        pp_path_print(path, place);
        pp_diag_add(d->diags, PP_SEVERITY_WARNING, node->mark, place,
                    "a duration without a unit is read as nanoseconds, as in the Collector; write "
                    "5s, 200ms");
    }
    *member = ns;
    return true;
}

/* Whether an earlier choice differs only by case: one spelling is enough in a message. */
static bool is_respelling(const struct pp_field *field, const char *const *choice)
{
    for (const char *const *before = field->choices; before < choice; before++) {
        if (pp_str_eq_nocase(pp_str_c(*before), pp_str_c(*choice)))
            return true;
    }
    return false;
}

static void list_choices(const struct pp_field *field, char *out, size_t size)
{
    size_t n = 0;

    for (const char *const *choice = field->choices; *choice && n < size; choice++) {
        int added = 0;
        if (**choice && !is_respelling(field, choice))
            added = snprintf(out + n, size - n, "%s%s", n ? ", " : "", *choice);
        n += added > 0 ? (size_t)added : 0;
    }
}

static bool decode_enum(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                        const struct pp_path *path, int *member)
{
    const struct pp_field *field = row->field;
    bool empty = node->kind == PP_NODE_NULL;
    struct pp_str text = node->original ? pp_str_c(node->original)
                         : empty        ? PP_STR("")
                                        : node->text;
    char choices[256] = "";
    const char *nearest;

    if (node->kind != PP_NODE_SCALAR && !empty && !node->original)
        return pp_decode_fail_kind(d, node, path, "a string");
    for (int i = 0; field->choices[i]; i++) {
        if (pp_str_eq_c(text, field->choices[i])) {
            *member = i;
            return true;
        }
    }
    if (empty && !node->original)
        return true; /* null where the empty choice does not exist */
    list_choices(field, choices, sizeof(choices));
    nearest = pp_str_nearest(text, field->choices);
    if (nearest && *nearest)
        return pp_decode_fail(
            d, node->mark, path, "expected one of %s, got \"" PP_STR_FMT "\"; did you mean \"%s\"?",
            choices, (int)(text.n < SHOWN_CHARS_MAX ? text.n : SHOWN_CHARS_MAX), text.p, nearest);
    return fail_value(d, row, node, path, choices);
}

/* "a, b" as one string: the Collector splits it. */
static bool split_list(struct pp_decoder *d, const char *text, struct pp_string_list *member)
{
    size_t n = 1;
    const char **items;
    char *rest;

    for (const char *p = text; *p; p++)
        n += *p == ',';
    if (!*text)
        n = 0;
    items = pp_arena_array(d->arena, n, sizeof(*items));
    rest = pp_arena_strdup(d->arena, pp_str_c(text));
    if (!items || !rest)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < n; i++)
        items[i] = strsep(&rest, ",");
    *member = (struct pp_string_list){items, n};
    return true;
}

static bool decode_string_list(struct pp_decoder *d, const struct pp_row *row,
                               const struct pp_node *node, const struct pp_path *path,
                               struct pp_string_list *member)
{
    const char **items;
    const char *text;
    bool ok = true;

    if (node->kind != PP_NODE_LIST)
        return string_of(node, &text) ? split_list(d, text, member)
                                      : fail_value(d, row, node, path, "a list of strings");
    items = pp_arena_array(d->arena, node->n, sizeof(*items));
    if (!items)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < node->n; i++) {
        struct pp_path inner = {.up = path, .index = i};
        if (!string_of(node->items[i], &items[i]))
            ok = fail_string(d, row, node->items[i], &inner);
    }
    *member = (struct pp_string_list){items, node->n};
    return ok;
}

/* The Collector's other form of headers: [{name: a, value: b}]. */
static bool decode_pair_list(struct pp_decoder *d, const struct pp_row *row,
                             const struct pp_node *node, const struct pp_path *path,
                             struct pp_string_map *member)
{
    struct pp_string_pair *pairs = pp_arena_array(d->arena, node->n, sizeof(*pairs));
    bool ok = true;

    if (!pairs)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < node->n; i++) {
        struct pp_path inner = {.up = path, .index = i};
        const struct pp_node *item = node->items[i];
        const struct pp_node *name = pp_node_get(item, "name"), *value = pp_node_get(item, "value");

        if (!name || !value || item->n != 2)
            ok = pp_decode_fail(d, item->mark, &inner, "expected {name: ..., value: ...}");
        else if (!string_of(name, &pairs[i].key))
            ok = fail_string(d, row, name, &inner);
        else if (!string_of(value, &pairs[i].value))
            ok = fail_string(d, row, value, &inner);
    }
    *member = (struct pp_string_map){pairs, node->n};
    return ok;
}

static bool decode_string_map(struct pp_decoder *d, const struct pp_row *row,
                              const struct pp_node *node, const struct pp_path *path,
                              struct pp_string_map *member)
{
    struct pp_string_pair *pairs;
    bool ok = true;

    if (node->kind == PP_NODE_LIST)
        return decode_pair_list(d, row, node, path, member);
    if (node->kind != PP_NODE_MAP)
        return fail_value(d, row, node, path, "a map of strings");
    pairs = pp_arena_array(d->arena, node->n, sizeof(*pairs));
    if (!pairs)
        return pp_decode_fail_nomem(d);
    for (size_t i = 0; i < node->n; i++) {
        const struct pp_entry *entry = &node->entries[i];
        struct pp_path inner = {.up = path, .name = entry->key->text.p};
        pairs[i].key = entry->key->text.p;
        if (!string_of(entry->value, &pairs[i].value))
            ok = fail_string(d, row, entry->value, &inner);
    }
    *member = (struct pp_string_map){pairs, node->n};
    return ok;
}

bool pp_decode_value(struct pp_decoder *d, const struct pp_row *row, const struct pp_node *node,
                     const struct pp_path *path, void *member)
{
    switch (row->field->type) {
    case PP_FIELD_BOOL:
        return decode_bool(d, row, node, path, member);
    case PP_FIELD_INT:
        return decode_int(d, row, node, path, member);
    case PP_FIELD_DOUBLE:
        return decode_double(d, row, node, path, member);
    case PP_FIELD_DURATION:
        return decode_duration(d, row, node, path, member);
    case PP_FIELD_ENUM:
        return decode_enum(d, row, node, path, member);
    case PP_FIELD_STRING_LIST:
        return decode_string_list(d, row, node, path, member);
    case PP_FIELD_STRING_MAP:
        return decode_string_map(d, row, node, path, member);
    default:
        return decode_string(d, row, node, path, member);
    }
}

size_t pp_field_size(const struct pp_field *field)
{
    switch (field->type) {
    case PP_FIELD_BOOL:
        return sizeof(bool);
    case PP_FIELD_ENUM:
        return sizeof(int);
    case PP_FIELD_STRING_LIST:
    case PP_FIELD_STRING_MAP:
    case PP_FIELD_LIST:
        return sizeof(struct pp_string_list);
    case PP_FIELD_MAP:
        return sizeof(struct pp_group_map);
    case PP_FIELD_GROUP:
    case PP_FIELD_INLINE:
        return field->group->size;
    default:
        return 8; /* int64_t, double, any pointer */
    }
}
