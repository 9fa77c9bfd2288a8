#include "config/check.h"

#include <stdio.h>

static size_t append(char *out, size_t n, const char *name, size_t index)
{
    int added;

    if (name)
        added = snprintf(out + n, PP_PATH_BYTES_MAX - n, "%s%s", n && *name ? "::" : "", name);
    else
        added = snprintf(out + n, PP_PATH_BYTES_MAX - n, "%s%zu", n ? "::" : "", index);
    n += added > 0 ? (size_t)added : 0;
    return n < PP_PATH_BYTES_MAX ? n : PP_PATH_BYTES_MAX - 1;
}

static size_t print_from_top(const struct pp_path *path, char *out)
{
    return path ? append(out, print_from_top(path->up, out), path->name, path->index) : 0;
}

void pp_path_print(const struct pp_path *path, char out[PP_PATH_BYTES_MAX])
{
    out[0] = '\0';
    print_from_top(path, out);
}

/* The child that one part of a dotted path names; its position goes to `mark`. */
static const struct pp_node *descend(const struct pp_node *node, const char *part,
                                     struct pp_mark *mark)
{
    const struct pp_entry *entry = pp_node_entry(node, part);
    uint64_t index;

    if (entry) {
        *mark = entry->value->kind == PP_NODE_SCALAR ? entry->value->mark : entry->key->mark;
        return entry->value;
    }
    if (!node || node->kind != PP_NODE_LIST || !pp_str_to_u64(pp_str_c(part), &index) ||
        index >= node->n)
        return NULL;
    *mark = node->items[index]->mark;
    return node->items[index];
}

/* Walks a dotted path as far as it exists, and writes it in the form people see. */
static struct pp_mark locate(const struct pp_check *check, const char *path,
                             char out[PP_PATH_BYTES_MAX])
{
    struct pp_mark mark = check->mark;
    const struct pp_node *node = check->node;
    char parts[PP_PATH_BYTES_MAX];
    char *rest = parts, *part;
    size_t n;

    pp_path_print(check->path, out);
    n = strlen(out);
    snprintf(parts, sizeof(parts), "%s", path);
    while ((part = strsep(&rest, ".")) != NULL && *part) {
        n = append(out, n, part, 0);
        node = node ? descend(node, part, &mark) : NULL;
    }
    return mark;
}

static void report(struct pp_check *check, enum pp_severity severity, const char *path,
                   const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));

static void report(struct pp_check *check, enum pp_severity severity, const char *path,
                   const char *fmt, va_list args)
{
    char full[PP_PATH_BYTES_MAX];
    struct pp_mark mark = locate(check, path, full);

    pp_diag_addv(check->diags, severity, mark, full, fmt, args);
}

void pp_check_error(struct pp_check *check, const char *path, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(check, PP_SEVERITY_ERROR, path, fmt, args);
    va_end(args);
}

void pp_check_warn(struct pp_check *check, const char *path, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(check, PP_SEVERITY_WARNING, path, fmt, args);
    va_end(args);
}
