#include "profiles/any_value.h"
#include "render/frame_name.h"
#include "render/tree_private.h"

#define FRAME_NOT_MADE UINT32_MAX
#define LEAF_CUT (1u << 31) /* beside the node's number: the stack goes on below it */

/* Where a stack ends in the tree of the profile it was last looked up for: samples share stacks. */
struct leaf {
    uint32_t profile_plus_1; /* 0: never */
    uint32_t node;
};

struct adder {
    struct pp_tree *tree;
    const struct pp_tables *tables;
    uint32_t *line_frames;     /* by line */
    uint32_t *location_frames; /* by location, for those without lines */
    struct leaf *leaves;       /* by stack */
    struct pp_buf name;
};

/* Arrays are one longer than the tables, so that empty tables are no special case. */
static bool adder_init(struct adder *a, struct pp_tree *tree, const struct pp_tables *tables)
{
    size_t lines = (size_t)tables->lines.n + 1, locations = (size_t)tables->locations.n + 1;

    *a = (struct adder){.tree = tree, .tables = tables};
    pp_buf_init(&a->name, PP_TREE_NAME_BYTES_MAX + 64);
    a->line_frames = pp_reallocarray(NULL, lines, sizeof(*a->line_frames));
    a->location_frames = pp_reallocarray(NULL, locations, sizeof(*a->location_frames));
    a->leaves = pp_calloc((size_t)tables->stacks.n + 1, sizeof(*a->leaves));
    if (!a->line_frames || !a->location_frames || !a->leaves)
        return false;
    memset(a->line_frames, 0xFF, lines * sizeof(*a->line_frames));
    memset(a->location_frames, 0xFF, locations * sizeof(*a->location_frames));
    return true;
}

static void adder_done(struct adder *a)
{
    pp_free(a->line_frames);
    pp_free(a->location_frames);
    pp_free(a->leaves);
    pp_buf_done(&a->name);
}

static uint32_t line_frame(struct adder *a, uint32_t line)
{
    const struct pp_tables *t = a->tables;
    int32_t function = t->lines.v[line].function;

    if (a->line_frames[line] == FRAME_NOT_MADE)
        a->line_frames[line] = pp_tree_frame_id(a->tree, pp_frame_function_name(t, function),
                                                t->strings.v[t->functions.v[function].filename]);
    return a->line_frames[line];
}

static uint32_t location_frame(struct adder *a, int32_t index)
{
    const struct pp_tables *t = a->tables;
    const struct pp_location *location = &t->locations.v[index];
    struct pp_str module = t->strings.v[t->mappings.v[location->mapping].filename];

    if (a->location_frames[index] != FRAME_NOT_MADE)
        return a->location_frames[index];
    pp_buf_reset(&a->name);
    if (!pp_frame_address_name(t, location, &a->name)) {
        pp_buf_reset(&a->name); /* a module's name of absurd length */
        pp_buf_add_c(&a->name, "[unknown]");
    }
    a->location_frames[index] = pp_tree_frame_id(a->tree, pp_buf_str(&a->name), module);
    return a->location_frames[index];
}

/* Goes one frame down from *node; false, *node kept, where no node can be made. */
static bool descend(struct adder *a, struct pp_tree_type *type, uint32_t *node, uint32_t *depth, uint32_t frame)
{
    uint32_t child;

    if (frame == PP_INDEX_NONE || *depth >= PP_TREE_DEPTH_MAX)
        return false;
    child = pp_tree_child(a->tree, type, *node, frame);
    if (child == PP_INDEX_NONE)
        return false;
    *node = child;
    ++*depth;
    return true;
}

/* Walks a stack from its outermost frame; the leaf's node, with LEAF_CUT where it does not reach the leaf. */
static uint32_t walk_stack(struct adder *a, struct pp_tree_type *type, uint32_t node, int32_t stack)
{
    const struct pp_tables *t = a->tables;
    const struct pp_range *locations = &t->stacks.v[stack].locations;
    uint32_t depth = 0;

    for (uint32_t i = locations->n; i-- > 0;) {
        int32_t index = t->location_indices.v[locations->first + i];
        const struct pp_range *lines = &t->locations.v[index].lines;

        if (lines->n == 0 && !descend(a, type, &node, &depth, location_frame(a, index)))
            return node | LEAF_CUT;
        for (uint32_t j = lines->n; j-- > 0;)
            if (!descend(a, type, &node, &depth, line_frame(a, lines->first + j)))
                return node | LEAF_CUT;
    }
    return node;
}

static uint32_t stack_leaf(struct adder *a, struct pp_tree_type *type, uint32_t profile, uint32_t base, int32_t stack)
{
    struct leaf *leaf = &a->leaves[stack];

    if (leaf->profile_plus_1 != profile + 1)
        *leaf = (struct leaf){profile + 1, base & LEAF_CUT ? base : walk_stack(a, type, base, stack)};
    return leaf->node;
}

static int64_t sample_value(const struct pp_tables *t, uint32_t sample)
{
    struct pp_range values = t->samples.values[sample];
    int64_t sum = 0;

    if (values.n == 0)
        return t->samples.timestamps[sample].n;
    for (uint32_t i = 0; i < values.n; i++)
        sum = pp_tree_sum(sum, t->values.v[values.first + i]);
    return sum;
}

static void note_time(struct pp_tree *tree, const struct pp_profile *profile)
{
    uint64_t end = profile->time_unix_nano + profile->duration_nano;

    if (profile->time_unix_nano == 0)
        return;
    if (tree->time_first_ns == 0 || profile->time_unix_nano < tree->time_first_ns)
        tree->time_first_ns = profile->time_unix_nano;
    if (end > tree->time_last_ns)
        tree->time_last_ns = end;
}

static void add_profile(struct adder *a, uint32_t index, struct pp_str service)
{
    const struct pp_tables *t = a->tables;
    const struct pp_profile *profile = &t->profiles.v[index];
    uint32_t id = pp_tree_type_id(a->tree, t->strings.v[profile->sample_type.type], t->strings.v[profile->sample_type.unit]);
    struct pp_tree_type *type;
    uint32_t base = PP_TREE_ROOT, depth = 0;

    if (id == PP_INDEX_NONE) {
        a->tree->samples_dropped += profile->samples.n;
        return;
    }
    type = &a->tree->types.v[id];
    note_time(a->tree, profile);
    if (service.n && !descend(a, type, &base, &depth, pp_tree_frame_id(a->tree, service, PP_STR("service"))))
        base |= LEAF_CUT;
    for (uint32_t i = 0; i < profile->samples.n; i++) {
        uint32_t sample = profile->samples.first + i;
        uint32_t leaf = stack_leaf(a, type, index, base, t->samples.stack[sample]);
        struct pp_tree_node *node = &type->nodes.v[leaf & ~LEAF_CUT];
        int64_t *sum = leaf & LEAF_CUT ? &node->cut : &node->self;

        *sum = pp_tree_sum(*sum, sample_value(t, sample));
    }
    a->tree->samples += profile->samples.n;
}

/* The resource's name as a frame: service.name, else process.executable.name. */
static struct pp_str resource_service(const struct pp_tables *t, const struct pp_resource *resource)
{
    struct pp_str name = {0};

    for (uint32_t i = 0; i < resource->attributes.n; i++) {
        const struct pp_key_value *kv = &t->key_values.v[resource->attributes.first + i];
        bool is_service = pp_str_eq(kv->key, PP_STR("service.name"));
        struct pp_str value;

        if (!is_service && !pp_str_eq(kv->key, PP_STR("process.executable.name")))
            continue;
        if (!pp_any_value_string(kv->value, &value))
            continue;
        if (is_service)
            return value;
        name = value;
    }
    return name;
}

bool pp_tree_add(struct pp_tree *tree, const struct pp_tables *tables, struct pp_error *err)
{
    struct adder a;
    bool ok = adder_init(&a, tree, tables);

    for (uint32_t r = 0; ok && r < tables->resources.n; r++) {
        const struct pp_resource *resource = &tables->resources.v[r];
        struct pp_str service = tree->by_service ? resource_service(tables, resource) : (struct pp_str){0};

        for (uint32_t s = 0; s < resource->scopes.n; s++) {
            const struct pp_scope *scope = &tables->scopes.v[resource->scopes.first + s];

            for (uint32_t p = 0; p < scope->profiles.n; p++)
                add_profile(&a, scope->profiles.first + p, service);
            if (!tree->type_default_set)
                tree->type_default_set = pp_tree_type_default(tree, tables, scope);
        }
    }
    adder_done(&a);
    return ok || pp_error_nomem(err);
}
