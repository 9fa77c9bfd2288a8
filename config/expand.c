#include "config/expand.h"

struct expander {
    struct pp_arena *arena;
    const struct pp_config_io *io;
    struct pp_diags *diags;
    unsigned steps_left;
};

static const struct pp_node *expand(struct expander *x, const struct pp_node *node, unsigned depth);

static bool fail(struct expander *x, const struct pp_node *node, const char *message)
{
    pp_diag_add(x->diags, PP_SEVERITY_ERROR, node->mark, "", "%s", message);
    return false;
}

static bool fail_nomem(struct expander *x)
{
    pp_diag_nomem(x->diags);
    return false;
}

/* The `$`s that end just before `at`. */
static size_t dollars_before(struct pp_str text, size_t at)
{
    size_t n = 0;

    while (n < at && text.p[at - 1 - n] == '$')
        n++;
    return n;
}

/* The first ${...} without another one inside: up to the first `}`, from the last `${` before it.
 */
static bool find_reference(struct pp_str text, struct pp_str *ret)
{
    size_t begin = 0;

    while (begin < text.n) {
        const char *close = memchr(text.p + begin, '}', text.n - begin);
        size_t end, open;

        if (!close)
            return false;
        end = (size_t)(close - text.p);
        for (open = end; open > begin; open--) {
            if (text.p[open - 1] == '$' && text.p[open] == '{')
                break;
        }
        /* text.p[open] is the brace; an odd number of `$` before the one that belongs to it escapes
         * it */
        if (open > begin && dollars_before(text, open - 1) % 2 == 0) {
            *ret = (struct pp_str){text.p + open - 1, end - open + 2};
            return true;
        }
        begin = end + 1;
    }
    return false;
}

/* Gets what `reference`, with its ${ and }, stands for. */
static bool retrieve(struct expander *x, const struct pp_node *node, struct pp_str reference,
                     struct pp_retrieved *ret)
{
    struct pp_str inner = {reference.p + 2, reference.n - 3};
    const char *colon = memchr(inner.p, ':', inner.n);
    struct pp_str uri = inner;
    char *prefixed;

    if (x->steps_left == 0)
        return fail(x, node, "too many ${...} in the configuration; does one refer to itself?");
    x->steps_left--;
    if (memchr(inner.p, '$', inner.n)) {
        pp_diag_add(x->diags, PP_SEVERITY_ERROR, node->mark, "",
                    "\"" PP_STR_FMT "\": a $ is not allowed inside ${...}", PP_STR_ARG(reference));
        return false;
    }
    /* ${NAME}, and ${NAME:-default}, which the Collector refuses but people write */
    if (!colon || (colon + 1 < inner.p + inner.n && colon[1] == '-')) {
        prefixed = pp_arena_printf(x->arena, "env:" PP_STR_FMT, PP_STR_ARG(inner));
        if (!prefixed)
            return fail_nomem(x);
        uri = pp_str_c(prefixed);
    }
    if (!pp_source_retrieve(x->arena, x->io, uri, node->mark, x->diags, ret))
        return false;
    if (memchr(ret->text.p, '\0', ret->text.n) || !pp_utf8_valid(ret->text)) {
        pp_diag_add(x->diags, PP_SEVERITY_ERROR, node->mark, "",
                    "\"" PP_STR_FMT "\" is not text in UTF-8", PP_STR_ARG(reference));
        return false;
    }
    return true;
}

/* `text` with `part` of it replaced. */
static bool put_in(struct expander *x, const struct pp_node *node, struct pp_str *text,
                   struct pp_str part, struct pp_str replacement)
{
    size_t before = (size_t)(part.p - text->p), after = text->n - before - part.n;
    size_t n = before + replacement.n + after;
    char *copy;

    if (n > PP_EXPAND_TEXT_BYTES_MAX)
        return fail(x, node,
                    "more than 64 KiB of text after expanding ${...}; does one refer to itself?");
    copy = pp_arena_alloc(x->arena, n + 1);
    if (!copy)
        return fail_nomem(x);
    memcpy(copy, text->p, before);
    if (replacement.n)
        memcpy(copy + before, replacement.p, replacement.n);
    memcpy(copy + before + replacement.n, part.p + part.n, after);
    *text = (struct pp_str){copy, n};
    return true;
}

/* The tree of a text, or NULL when it is a string or no YAML at all: then it is taken as it is. */
static const struct pp_node *read_typed(struct expander *x, const struct pp_retrieved *retrieved)
{
    struct pp_yaml_source source = {retrieved->text, retrieved->mark};
    struct pp_diags problems = {0};
    const struct pp_node *node = pp_yaml_read(x->arena, &source, &problems);

    if (node && node->kind == PP_NODE_SCALAR && pp_node_scalar(node).type == PP_SCALAR_STRING)
        node = NULL;
    for (size_t i = 0; node && i < problems.list.n; i++) /* duplicate keys: it was meant as YAML */
        pp_diag_add(x->diags, problems.list.v[i].severity, problems.list.v[i].mark, "", "%s",
                    problems.list.v[i].message);
    if (problems.nomem)
        pp_diag_nomem(x->diags);
    pp_diags_done(&problems);
    return node;
}

/* What `node` becomes when the ${...} it consists of gave a typed value. */
static const struct pp_node *typed_result(struct expander *x, const struct pp_node *node,
                                          const struct pp_node *value, struct pp_str text,
                                          unsigned depth)
{
    struct pp_node *result;

    value = expand(x, value, depth);
    result = value ? pp_node_new(x->arena, value->kind, value->mark) : NULL;
    if (!result) {
        fail_nomem(x);
        return NULL;
    }
    *result = *value;
    result->expanded = true;
    result->original = memmem(text.p, text.n, "${", 2) ? NULL : text.p;
    if (value->kind == PP_NODE_SCALAR || value->kind == PP_NODE_NULL)
        result->mark = node->mark;
    return result;
}

static struct pp_str unescape(struct pp_arena *arena, struct pp_str text)
{
    char *copy = pp_arena_alloc(arena, text.n + 1);
    size_t n = 0;

    if (!copy)
        return (struct pp_str){0};
    for (size_t i = 0; i < text.n; i++) {
        copy[n++] = text.p[i];
        if (text.p[i] == '$' && i + 1 < text.n && text.p[i + 1] == '$')
            i++;
    }
    return (struct pp_str){copy, n};
}

static const struct pp_node *string_result(struct expander *x, const struct pp_node *node,
                                           struct pp_str text, bool expanded)
{
    struct pp_node *result;

    text = unescape(x->arena, text);
    result = text.p ? pp_node_new(x->arena, PP_NODE_SCALAR, node->mark) : NULL;
    if (!result) {
        fail_nomem(x);
        return NULL;
    }
    result->text = text;
    result->quoted = true;
    result->expanded = expanded;
    return result;
}

static const struct pp_node *expand_scalar(struct expander *x, const struct pp_node *node,
                                           unsigned depth)
{
    struct pp_str text = node->text, reference;
    unsigned steps = 0;

    while (find_reference(text, &reference)) {
        struct pp_retrieved retrieved;
        const struct pp_node *typed = NULL;
        bool whole = reference.n == text.n;

        if (steps++ >= PP_EXPAND_STEPS_MAX) {
            fail(x, node, "too many expansions of one value; does a ${...} refer to itself?");
            return node;
        }
        if (!retrieve(x, node, reference, &retrieved))
            return node;
        if (whole)
            typed = read_typed(x, &retrieved);
        if (typed)
            return typed_result(x, node, typed, retrieved.text, depth);
        if (whole)
            text = retrieved.text;
        else if (!put_in(x, node, &text, reference, retrieved.text))
            return node;
    }
    return string_result(x, node, text, steps > 0);
}

static const struct pp_node *expand_list(struct expander *x, const struct pp_node *node,
                                         unsigned depth)
{
    PP_VEC(const struct pp_node *) items = {0};
    const struct pp_node *result = node;
    bool changed = false, ok = true;

    for (size_t i = 0; ok && i < node->n; i++) {
        const struct pp_node *item = expand(x, node->items[i], depth + 1);
        changed |= item != node->items[i];
        ok = item && pp_vec_push(&items, item);
    }
    if (!ok)
        result = NULL;
    else if (changed)
        result = pp_node_new_list(x->arena, items.v, items.n, node->mark);
    pp_vec_done(&items);
    return result;
}

static const struct pp_node *expand_map(struct expander *x, const struct pp_node *node,
                                        unsigned depth)
{
    PP_VEC(struct pp_entry) entries = {0};
    const struct pp_node *result = node;
    bool changed = false, ok = true;

    for (size_t i = 0; ok && i < node->n; i++) {
        struct pp_entry entry = node->entries[i];
        entry.value = expand(x, entry.value, depth + 1);
        changed |= entry.value != node->entries[i].value;
        ok = entry.value && pp_vec_push(&entries, entry);
    }
    if (!ok)
        result = NULL;
    else if (changed)
        result = pp_node_new_map(x->arena, entries.v, entries.n, node->mark);
    pp_vec_done(&entries);
    return result;
}

static const struct pp_node *expand(struct expander *x, const struct pp_node *node, unsigned depth)
{
    if (depth > PP_YAML_DEPTH_MAX) {
        fail(x, node, "nested more than 100 levels deep; does a ${...} refer to itself?");
        return node;
    }
    switch (node->kind) {
    case PP_NODE_SCALAR:
        return memchr(node->text.p, '$', node->text.n) ? expand_scalar(x, node, depth) : node;
    case PP_NODE_LIST:
        return expand_list(x, node, depth);
    case PP_NODE_MAP:
        return expand_map(x, node, depth);
    default:
        return node;
    }
}

const struct pp_node *pp_node_expand(struct pp_arena *arena, const struct pp_node *root,
                                     const struct pp_config_io *io, struct pp_diags *diags)
{
    struct expander x = {arena, io, diags, PP_EXPAND_STEPS_TOTAL_MAX};
    const struct pp_node *result = expand(&x, root, 0);

    if (!result)
        pp_diag_nomem(diags);
    return result;
}
