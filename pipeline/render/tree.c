#include "render/tree.h"

#include "render/tree_private.h"

#include <xxhash.h>

void pp_tree_init(struct pp_tree *tree, uint32_t nodes_max, bool by_service)
{
    *tree = (struct pp_tree){.nodes_max = nodes_max ? nodes_max : PP_TREE_NODES_DEFAULT,
                             .by_service = by_service,
                             .text = {.bytes_limit = PP_TREE_NAMES_BYTES_MAX}};
    if (tree->nodes_max > PP_TREE_NODES_LIMIT)
        tree->nodes_max = PP_TREE_NODES_LIMIT;
}

void pp_tree_done(struct pp_tree *tree)
{
    for (size_t i = 0; i < tree->types.n; i++) {
        pp_vec_done(&tree->types.v[i].nodes);
        pp_index_done(&tree->types.v[i].children);
    }
    pp_vec_done(&tree->types);
    pp_vec_done(&tree->frames);
    pp_index_done(&tree->frame_index);
    pp_arena_done(&tree->text);
}

int64_t pp_tree_sum(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

struct child_key {
    const struct pp_tree_type *type;
    uint32_t parent, frame;
};

static bool child_equal(const void *context, uint32_t id)
{
    const struct child_key *key = context;
    const struct pp_tree_node *node = &key->type->nodes.v[id];

    return node->parent == key->parent && node->frame == key->frame;
}

uint32_t pp_tree_child(struct pp_tree *tree, struct pp_tree_type *type, uint32_t parent, uint32_t frame)
{
    uint32_t pair[2] = {parent, frame};
    uint64_t hash = XXH3_64bits(pair, sizeof(pair));
    struct child_key key = {type, parent, frame};
    uint32_t id = pp_index_find(&type->children, hash, child_equal, &key);

    if (id != PP_INDEX_NONE || tree->nodes_n >= tree->nodes_max)
        return id;
    id = (uint32_t)type->nodes.n;
    if (!pp_vec_push(&type->nodes, (struct pp_tree_node){.parent = parent, .frame = frame}))
        return PP_INDEX_NONE;
    if (!pp_index_add(&type->children, hash, id)) {
        type->nodes.n--;
        return PP_INDEX_NONE;
    }
    tree->nodes_n++;
    return id;
}

static struct pp_str keep_text(struct pp_tree *tree, struct pp_str s)
{
    char *copy = pp_arena_strdup(&tree->text, s);

    return copy ? (struct pp_str){copy, s.n} : (struct pp_str){0};
}

struct frame_key {
    const struct pp_tree *tree;
    struct pp_str name;
};

static bool frame_equal(const void *context, uint32_t id)
{
    const struct frame_key *key = context;

    return pp_str_eq(key->tree->frames.v[id].name, key->name);
}

/* Cuts an overlong text between two UTF-8 sequences. */
static struct pp_str text_cut(struct pp_str s)
{
    if (s.n <= PP_TREE_NAME_BYTES_MAX)
        return s;
    s.n = PP_TREE_NAME_BYTES_MAX;
    while (s.n > PP_TREE_NAME_BYTES_MAX - 4 && ((unsigned char)s.p[s.n] & 0xC0) == 0x80)
        s.n--;
    return s;
}

uint32_t pp_tree_frame_id(struct pp_tree *tree, struct pp_str name, struct pp_str origin)
{
    struct frame_key key = {tree, text_cut(name)};
    uint64_t hash = XXH3_64bits(key.name.p ? key.name.p : "", key.name.n);
    uint32_t id = pp_index_find(&tree->frame_index, hash, frame_equal, &key);
    struct pp_tree_frame frame;

    if (id != PP_INDEX_NONE)
        return id;
    frame = (struct pp_tree_frame){keep_text(tree, key.name), keep_text(tree, text_cut(origin))};
    if (tree->text.failed)
        return PP_INDEX_NONE;
    id = (uint32_t)tree->frames.n;
    if (!pp_vec_push(&tree->frames, frame))
        return PP_INDEX_NONE;
    if (!pp_index_add(&tree->frame_index, hash, id)) {
        tree->frames.n--;
        return PP_INDEX_NONE;
    }
    return id;
}

static bool type_is(const struct pp_tree_type *have, struct pp_str type, struct pp_str unit)
{
    return pp_str_eq(have->type, type) && pp_str_eq(have->unit, unit);
}

uint32_t pp_tree_type_id(struct pp_tree *tree, struct pp_str type, struct pp_str unit)
{
    struct pp_tree_type made = {0};

    type = text_cut(type);
    unit = text_cut(unit);
    for (uint32_t i = 0; i < tree->types.n; i++)
        if (type_is(&tree->types.v[i], type, unit))
            return i;
    if (tree->types.n >= PP_TREE_TYPES_MAX)
        return PP_INDEX_NONE;
    made.type = keep_text(tree, type);
    made.unit = keep_text(tree, unit);
    if (tree->text.failed || !pp_vec_push(&made.nodes, (struct pp_tree_node){0}))
        return PP_INDEX_NONE;
    if (!pp_vec_push(&tree->types, made)) {
        pp_vec_done(&made.nodes);
        return PP_INDEX_NONE;
    }
    return (uint32_t)tree->types.n - 1;
}

int64_t *pp_tree_totals(const struct pp_tree_type *type)
{
    int64_t *totals = pp_calloc(type->nodes.n, sizeof(*totals));

    if (!totals)
        return NULL;
    for (size_t i = type->nodes.n; i-- > 0;) {
        const struct pp_tree_node *node = &type->nodes.v[i];

        totals[i] = pp_tree_sum(totals[i], pp_tree_sum(node->self, node->cut));
        if (i != PP_TREE_ROOT)
            totals[node->parent] = pp_tree_sum(totals[node->parent], totals[i]);
    }
    return totals;
}

uint32_t pp_tree_type_find(const struct pp_tree *tree, struct pp_str name)
{
    for (uint32_t i = 0; i < tree->types.n; i++) {
        const struct pp_tree_type *type = &tree->types.v[i];

        if (pp_str_eq(type->type, name))
            return i;
        if (name.n == type->type.n + 1 + type->unit.n && pp_str_eq((struct pp_str){name.p, type->type.n}, type->type) &&
            name.p[type->type.n] == ':' && pp_str_eq((struct pp_str){name.p + type->type.n + 1, type->unit.n}, type->unit))
            return i;
    }
    return PP_INDEX_NONE;
}
