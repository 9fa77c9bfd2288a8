#include "config/diag.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES_MAX                                                                          \
    1024 /* names and values quoted in a message come from the file: any length */

void pp_diag_nomem(struct pp_diags *diags)
{
    diags->nomem = true;
}

void pp_diag_addv(struct pp_diags *diags, enum pp_severity severity, struct pp_mark mark,
                  const char *path, const char *fmt, va_list args)
{
    char text[MESSAGE_BYTES_MAX];
    struct pp_diag diag = {.severity = severity, .mark = mark};

    if (severity == PP_SEVERITY_ERROR)
        diags->errors++;
    else
        diags->warnings++;
    if (pp_diags_full(diags))
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' ';
    }
    diag.message = pp_arena_strdup(&diags->arena, pp_str_c(text));
    diag.path = pp_arena_strdup(&diags->arena, pp_str_c(path));
    if (!diag.message || !diag.path || !pp_vec_push(&diags->list, diag))
        pp_diag_nomem(diags);
}

void pp_diag_add(struct pp_diags *diags, enum pp_severity severity, struct pp_mark mark,
                 const char *path, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_diag_addv(diags, severity, mark, path, fmt, args);
    va_end(args);
}

/* Sort key: (rank of the file, line, column, place in the list). */
struct ranked {
    struct pp_diag diag;
    size_t file, order;
};

static int compare(const void *a_, const void *b_)
{
    const struct ranked *a = a_, *b = b_;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->diag.mark.line != b->diag.mark.line)
        return a->diag.mark.line < b->diag.mark.line ? -1 : 1;
    if (a->diag.mark.column != b->diag.mark.column)
        return a->diag.mark.column < b->diag.mark.column ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static size_t file_rank(const struct pp_diags *diags, const char *file)
{
    size_t i = 0;

    while (strcmp(diags->list.v[i].mark.file, file) != 0)
        i++;
    return i;
}

void pp_diags_sort(struct pp_diags *diags)
{
    PP_AUTOFREE struct ranked *ranked = NULL;
    size_t n = diags->list.n;

    if (n < 2)
        return;
    ranked = pp_reallocarray(NULL, n, sizeof(*ranked));
    if (!ranked)
        return; /* unsorted is still right */
    for (size_t i = 0; i < n; i++) {
        ranked[i] = (struct ranked){
            diags->list.v[i],
            file_rank(diags, diags->list.v[i].mark.file),
            i,
        };
    }
    qsort(ranked, n, sizeof(*ranked), compare);
    for (size_t i = 0; i < n; i++)
        diags->list.v[i] = ranked[i].diag;
}

static void print_one(const struct pp_diag *diag, struct pp_buf *out)
{
    if (diag->mark.file[0])
        pp_buf_printf(out, "%s:", diag->mark.file);
    if (diag->mark.line)
        pp_buf_printf(out, "%u:%u:", diag->mark.line, diag->mark.column);
    pp_buf_printf(out, "%s%s: %s%s%s\n", out->len && out->data[out->len - 1] == ':' ? " " : "",
                  diag->severity == PP_SEVERITY_ERROR ? "error" : "warning", diag->path,
                  diag->path[0] ? ": " : "", diag->message);
}

void pp_diags_print(const struct pp_diags *diags, struct pp_buf *out)
{
    size_t total = diags->errors + diags->warnings;

    for (size_t i = 0; i < diags->list.n; i++)
        print_one(&diags->list.v[i], out);
    if (total > diags->list.n)
        pp_buf_printf(out, "and %zu more\n", total - diags->list.n);
    if (diags->nomem)
        pp_buf_add_c(out, "error: out of memory while reading the configuration\n");
}

void pp_diags_done(struct pp_diags *diags)
{
    pp_vec_done(&diags->list);
    pp_arena_done(&diags->arena);
    *diags = (struct pp_diags){0};
}
