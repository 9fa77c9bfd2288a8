#include "config/yaml.h"

#include <yaml.h>

struct anchor {
    const char *name;
    const struct pp_node
        *node;       /* NULL while the node is still open: an alias to it would contain itself */
    size_t weight;   /* nodes it stands for, aliases followed */
    unsigned height; /* levels below it, aliases followed */
};

#define NO_ANCHOR UINT32_MAX

/* A map or list that is open. */
struct level {
    struct pp_node *node;
    uint32_t anchor;       /* of the node, or NO_ANCHOR */
    size_t children_begin; /* in builder.children */
    size_t weight;
    unsigned height;
};

struct builder {
    struct pp_arena *arena;
    struct pp_diags *diags;
    const struct pp_yaml_source *source;
    yaml_parser_t parser;
    PP_VEC(const struct pp_node *)
    children; /* of all open levels; a map's are key, value, key, value */
    PP_VEC(struct anchor) anchors;
    struct level levels[PP_YAML_DEPTH_MAX];
    unsigned depth;
    size_t weight; /* of everything so far */
    const struct pp_node *root;
};

static struct pp_mark mark_of(const struct builder *b, yaml_mark_t at)
{
    if (b->source->mark.line)
        return b->source->mark;
    return (struct pp_mark){b->source->mark.file, (uint32_t)at.line + 1, (uint32_t)at.column + 1};
}

static bool fail(struct builder *b, struct pp_mark mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct builder *b, struct pp_mark mark, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_diag_addv(b->diags, PP_SEVERITY_ERROR, mark, "", fmt, args);
    va_end(args);
    return false;
}

static bool fail_nomem(struct builder *b)
{
    pp_diag_nomem(b->diags);
    return false;
}

static bool add_weight(struct builder *b, size_t weight, struct pp_mark mark)
{
    b->weight += weight;
    if (b->weight > PP_YAML_NODES_MAX)
        return fail(b, mark, "more than %u YAML nodes, aliases followed", PP_YAML_NODES_MAX);
    return true;
}

/* Puts a finished node where it belongs. */
static bool place(struct builder *b, const struct pp_node *node, size_t weight, unsigned height)
{
    struct level *parent;

    if (b->depth == 0) {
        b->root = node;
        return true;
    }
    parent = &b->levels[b->depth - 1];
    parent->weight += weight;
    if (parent->height < height + 1)
        parent->height = height + 1;
    return pp_vec_push(&b->children, node) || fail_nomem(b);
}

/* Whether the next child of the innermost level is a map's key. */
static bool expects_key(const struct builder *b)
{
    const struct level *level = b->depth ? &b->levels[b->depth - 1] : NULL;

    return level && level->node->kind == PP_NODE_MAP &&
           (b->children.n - level->children_begin) % 2 == 0;
}

static bool add_anchor(struct builder *b, const yaml_char_t *name, struct pp_mark mark,
                       uint32_t *ret)
{
    struct anchor anchor = {0};

    *ret = NO_ANCHOR;
    if (!name)
        return true;
    if (b->anchors.n >= PP_YAML_ANCHORS_MAX)
        return fail(b, mark, "more than %u anchors", PP_YAML_ANCHORS_MAX);
    anchor.name = pp_arena_strdup(b->arena, pp_str_c((const char *)name));
    if (!anchor.name || !pp_vec_push(&b->anchors, anchor))
        return fail_nomem(b);
    *ret = (uint32_t)b->anchors.n - 1;
    return true;
}

static void close_anchor(struct builder *b, uint32_t anchor, const struct pp_node *node,
                         size_t weight, unsigned height)
{
    if (anchor == NO_ANCHOR)
        return;
    b->anchors.v[anchor].node = node;
    b->anchors.v[anchor].weight = weight;
    b->anchors.v[anchor].height = height;
}

static bool on_alias(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct pp_mark mark = mark_of(b, event->start_mark);
    const struct anchor *anchor = NULL;

    for (size_t i = b->anchors.n; i > 0 && !anchor; i--) {
        if (strcmp(b->anchors.v[i - 1].name, name) == 0)
            anchor = &b->anchors.v[i - 1];
    }
    if (!anchor)
        return fail(b, mark, "no anchor \"%s\" before this alias", name);
    if (!anchor->node)
        return fail(b, mark, "anchor \"%s\" contains itself", name);
    if (expects_key(b) && anchor->node->kind != PP_NODE_SCALAR)
        return fail(b, mark, "a map's key must be a string, not %s",
                    pp_node_kind_name(anchor->node));
    if (b->depth + anchor->height > PP_YAML_DEPTH_MAX)
        return fail(b, mark, "nested more than %u levels deep", PP_YAML_DEPTH_MAX);
    return add_weight(b, anchor->weight, mark) &&
           place(b, anchor->node, anchor->weight, anchor->height);
}

#define CORE_TAG "tag:yaml.org,2002:"

/* What an explicit tag makes of a scalar. */
static bool apply_tag(struct builder *b, struct pp_node *node, const char *tag)
{
    struct pp_scalar scalar;
    bool fits;

    if (!tag)
        return true;
    if (strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0) {
        node->quoted = true;
        node->kind = PP_NODE_SCALAR;
        return true;
    }
    node->quoted = false;
    scalar = pp_scalar_read(node->text);
    if (strcmp(tag, CORE_TAG "int") == 0)
        fits = scalar.type == PP_SCALAR_INT;
    else if (strcmp(tag, CORE_TAG "float") == 0)
        fits = scalar.type == PP_SCALAR_FLOAT || scalar.type == PP_SCALAR_INT;
    else if (strcmp(tag, CORE_TAG "bool") == 0)
        fits = scalar.type == PP_SCALAR_BOOL;
    else if (strcmp(tag, CORE_TAG "null") == 0)
        fits = scalar.type == PP_SCALAR_NULL;
    else if (strcmp(tag, CORE_TAG "merge") == 0)
        fits = pp_str_eq_c(node->text, "<<");
    else
        return fail(b, node->mark, "the tag \"%s\" is not supported", tag);
    node->kind = scalar.type == PP_SCALAR_NULL ? PP_NODE_NULL : PP_NODE_SCALAR;
    return fits || fail(b, node->mark, "\"" PP_STR_FMT "\" does not fit its tag \"%s\"",
                        PP_STR_ARG(node->text), tag);
}

static bool on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct pp_mark mark = mark_of(b, event->start_mark);
    struct pp_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    struct pp_node *node = pp_node_new(b->arena, PP_NODE_SCALAR, mark);
    char *copy = pp_arena_strdup(b->arena, text);
    uint32_t anchor;

    if (!node || !copy)
        return fail_nomem(b);
    if (memchr(text.p, '\0', text.n))
        return fail(b, mark, "a NUL character in a string");
    node->text = (struct pp_str){copy, text.n};
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!node->quoted && pp_scalar_read(node->text).type == PP_SCALAR_NULL && !expects_key(b))
        node->kind = PP_NODE_NULL;
    if (!apply_tag(b, node, (const char *)event->data.scalar.tag))
        return false;
    if (!add_anchor(b, event->data.scalar.anchor, mark, &anchor) || !add_weight(b, 1, mark))
        return false;
    close_anchor(b, anchor, node, 1, 0);
    return place(b, node, 1, 0);
}

static bool open_level(struct builder *b, enum pp_node_kind kind, const yaml_char_t *anchor,
                       const yaml_char_t *tag, yaml_mark_t at)
{
    struct pp_mark mark = mark_of(b, at);
    const char *own_tag = kind == PP_NODE_MAP ? CORE_TAG "map" : CORE_TAG "seq";
    struct level level = {.children_begin = b->children.n, .weight = 1};

    if (tag && strcmp((const char *)tag, own_tag) != 0)
        return fail(b, mark, "the tag \"%s\" is not supported", (const char *)tag);
    if (expects_key(b))
        return fail(b, mark, "a map's key must be a string, not %s",
                    kind == PP_NODE_MAP ? "a map" : "a list");
    if (b->depth >= PP_YAML_DEPTH_MAX)
        return fail(b, mark, "nested more than %u levels deep", PP_YAML_DEPTH_MAX);
    level.node = pp_node_new(b->arena, kind, mark);
    if (!level.node)
        return fail_nomem(b);
    if (!add_anchor(b, anchor, mark, &level.anchor) || !add_weight(b, 1, mark))
        return false;
    b->levels[b->depth++] = level;
    return true;
}

static bool is_merge_key(const struct pp_node *key)
{
    return !key->quoted && pp_str_eq_c(key->text, "<<");
}

typedef PP_VEC(struct pp_entry) entry_vec;

static bool add_merged(struct builder *b, entry_vec *all, const struct pp_node *value)
{
    if (value->kind != PP_NODE_MAP)
        return fail(b, value->mark, "a merge key (<<) needs a map or a list of maps, not %s",
                    pp_node_kind_name(value));
    for (size_t i = 0; i < value->n; i++) {
        if (!pp_vec_push(all, value->entries[i]))
            return fail_nomem(b);
    }
    return true;
}

static bool add_merge_value(struct builder *b, entry_vec *all, const struct pp_node *value)
{
    if (value->kind != PP_NODE_LIST)
        return add_merged(b, all, value);
    for (size_t i = 0; i < value->n; i++) {
        if (!add_merged(b, all, value->items[i]))
            return false;
    }
    return true;
}

/* The map's own entries, then those of its merge keys: the first of equal keys counts. */
static bool collect_entries(struct builder *b, const struct level *level, entry_vec *all,
                            size_t *ret_own)
{
    size_t n = b->children.n - level->children_begin;
    const struct pp_node *const *child = n ? b->children.v + level->children_begin : NULL;
    const struct pp_node *merge_key = NULL;

    for (size_t i = 0; i < n; i += 2) {
        if (is_merge_key(child[i]) && merge_key)
            return fail(b, child[i]->mark,
                        "a second merge key (<<) in this map; write one with a list");
        if (is_merge_key(child[i]))
            merge_key = child[i];
        else if (!pp_vec_push(all, (struct pp_entry){child[i], child[i + 1]}))
            return fail_nomem(b);
    }
    *ret_own = all->n;
    for (size_t i = 0; i < n && merge_key; i += 2) {
        if (child[i] == merge_key && !add_merge_value(b, all, child[i + 1]))
            return false;
    }
    return true;
}

/* Drops all but the first of equal keys; two of the map's own are a mistake. */
static bool keep_first(struct builder *b, entry_vec *all, size_t own)
{
    PP_AUTOFREE uint32_t *first = pp_reallocarray(NULL, all->n, sizeof(*first));
    size_t kept = 0;

    if (!first || !pp_entries_first(all->v, all->n, first))
        return fail_nomem(b);
    for (size_t i = 0; i < all->n; i++) {
        const struct pp_node *key = all->v[i].key;
        if (first[i] == i) {
            all->v[kept++] = all->v[i];
        } else if (i < own) {
            struct pp_mark before = all->v[first[i]].key->mark;
            fail(b, key->mark,
                 "duplicate key \"" PP_STR_FMT "\", first given in line %u, column %u",
                 PP_STR_ARG(key->text), before.line, before.column);
        }
    }
    all->n = kept;
    return true;
}

static bool close_map(struct builder *b, struct level *level)
{
    entry_vec all = {0};
    size_t own = 0;
    struct pp_entry *entries = NULL;
    bool ok = collect_entries(b, level, &all, &own) && keep_first(b, &all, own);

    if (ok) {
        entries = pp_arena_array(b->arena, all.n, sizeof(*entries));
        ok = entries || fail_nomem(b);
    }
    if (ok && all.n)
        memcpy(entries, all.v, all.n * sizeof(*entries));
    level->node->entries = entries;
    level->node->n = all.n;
    pp_vec_done(&all);
    return ok;
}

static bool close_list(struct builder *b, struct level *level)
{
    size_t n = b->children.n - level->children_begin;
    const struct pp_node **items = pp_arena_array(b->arena, n, sizeof(*items));

    if (!items)
        return fail_nomem(b);
    if (n)
        memcpy(items, b->children.v + level->children_begin, n * sizeof(*items));
    level->node->items = items;
    level->node->n = n;
    return true;
}

static bool close_level(struct builder *b)
{
    struct level *level = &b->levels[b->depth - 1];

    if (level->node->kind == PP_NODE_MAP ? !close_map(b, level) : !close_list(b, level))
        return false;
    b->children.n = level->children_begin;
    close_anchor(b, level->anchor, level->node, level->weight, level->height);
    b->depth--;
    return place(b, level->node, level->weight, level->height);
}

static bool on_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return !b->root || fail(b, mark_of(b, event->start_mark),
                                "a second YAML document; only one is allowed");
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(b, PP_NODE_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        return open_level(b, PP_NODE_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_level(b);
    default:
        return true;
    }
}

static bool fail_syntax(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;

    if (parser->error == YAML_MEMORY_ERROR)
        return fail_nomem(b);
    if (!parser->context)
        return fail(b, mark_of(b, parser->problem_mark), "not valid YAML: %s",
                    parser->problem ? parser->problem : "unreadable");
    return fail(b, mark_of(b, parser->problem_mark),
                "not valid YAML: %s %s that begins in line %zu, column %zu", parser->problem,
                parser->context, parser->context_mark.line + 1, parser->context_mark.column + 1);
}

static bool read_events(struct builder *b)
{
    bool more = true, ok = true;

    while (ok && more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b->parser, &event))
            return fail_syntax(b);
        more = event.type != YAML_STREAM_END_EVENT;
        ok = on_event(b, &event);
        yaml_event_delete(&event);
    }
    return ok;
}

/* Bytes of the valid character at the beginning; 0 when there is none. */
static size_t first_char_bytes(struct pp_str text)
{
    for (size_t n = 1; n <= 4 && n <= text.n; n++) {
        if (pp_utf8_valid((struct pp_str){text.p, n}))
            return n;
    }
    return 0;
}

/* Position of the first byte that is not UTF-8. */
static struct pp_mark bad_byte_mark(const struct builder *b, struct pp_str text)
{
    yaml_mark_t at = {0};
    size_t n;

    while ((n = first_char_bytes(text)) > 0) {
        at.column++;
        if (text.p[0] == '\n') {
            at.line++;
            at.column = 0;
        }
        text = (struct pp_str){text.p + n, text.n - n};
    }
    return mark_of(b, at);
}

const struct pp_node *pp_yaml_read(struct pp_arena *arena, const struct pp_yaml_source *source,
                                   struct pp_diags *diags)
{
    struct builder b = {.arena = arena, .diags = diags, .source = source};
    struct pp_str text = source->text;
    const struct pp_node *root = NULL;
    size_t bom = pp_str_starts(text, "\xEF\xBB\xBF") ? 3 : 0;

    if (text.n > PP_YAML_BYTES_MAX) {
        fail(&b, source->mark, "more than %u MiB of YAML", PP_YAML_BYTES_MAX >> 20);
        return NULL;
    }
    if (!pp_utf8_valid(text)) {
        fail(&b, bad_byte_mark(&b, text), "not valid UTF-8");
        return NULL;
    }
    if (!yaml_parser_initialize(&b.parser)) {
        pp_diag_nomem(diags);
        return NULL;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.n ? text.p : "") + bom,
                                 text.n - bom);
    if (read_events(&b))
        root = b.root ? b.root : pp_node_new(arena, PP_NODE_NULL, mark_of(&b, (yaml_mark_t){0}));
    if (!root && !pp_diags_failed(diags))
        pp_diag_nomem(diags);
    yaml_parser_delete(&b.parser);
    pp_vec_done(&b.children);
    pp_vec_done(&b.anchors);
    return root;
}
