#include "config/load.h"

#include "config/merge.h"

/* Where a --config or --set stands, for problems with the argument itself. */
static struct pp_mark argument_mark(const char *option)
{
    return (struct pp_mark){.file = option};
}

static const struct pp_node *read_source(struct pp_arena *arena, const struct pp_config_io *io,
                                         struct pp_str uri, const char *option,
                                         struct pp_diags *diags)
{
    struct pp_mark mark = argument_mark(option);
    struct pp_retrieved retrieved;
    struct pp_yaml_source source;
    const struct pp_node *node;

    if (!pp_source_retrieve(arena, io, uri, mark, diags, &retrieved))
        return NULL;
    source = (struct pp_yaml_source){retrieved.text, retrieved.mark};
    node = pp_yaml_read(arena, &source, diags);
    if (!node)
        return NULL;
    if (node->kind == PP_NODE_NULL) /* an empty file adds nothing */
        node = pp_node_new_map(arena, NULL, 0, node->mark);
    if (node && node->kind == PP_NODE_MAP)
        return pp_node_unflatten(arena, node, diags);
    if (node)
        pp_diag_add(diags, PP_SEVERITY_ERROR, node->mark, "",
                    "a configuration must be a map, not %s", pp_node_kind_name(node));
    else
        pp_diag_nomem(diags);
    return NULL;
}

/* A path without a scheme is a file. */
static struct pp_str with_scheme(struct pp_arena *arena, const char *uri)
{
    const char *full =
        pp_uri_has_scheme(pp_str_c(uri)) ? uri : pp_arena_printf(arena, "file:%s", uri);

    return pp_str_c(full);
}

/* "a.b=v" as "yaml:a::b: v"; NULL when there is no "=". */
static const char *set_to_uri(struct pp_arena *arena, const char *set)
{
    const char *equals = strchr(set, '=');
    struct pp_buf uri;
    const char *text = NULL;

    if (!equals || equals == set)
        return NULL;
    pp_buf_init(&uri, 2 * strlen(set) + 16);
    pp_buf_add_c(&uri, "yaml:");
    for (const char *p = set; p < equals; p++) {
        if (*p == '.')
            pp_buf_add_c(&uri, "::");
        else
            pp_buf_add_byte(&uri, *p);
    }
    pp_buf_printf(&uri, ": %s", equals + 1);
    if (!uri.failed)
        text = pp_arena_strdup(arena, pp_buf_str(&uri));
    pp_buf_done(&uri);
    return text;
}

struct loader {
    struct pp_arena *arena;
    const struct pp_config_io *io;
    struct pp_diags *diags;
    const struct pp_node *root;
    bool append_lists;
};

static void add(struct loader *l, struct pp_str uri, const char *option)
{
    const struct pp_node *node;

    if (!uri.p) {
        pp_diag_nomem(l->diags);
        return;
    }
    node = read_source(l->arena, l->io, uri, option, l->diags);
    if (node && l->root && l->append_lists)
        node = pp_node_append_lists(l->arena, l->root, node);
    if (node && l->root)
        node = pp_node_merge(l->arena, l->root, node);
    if (node)
        l->root = node;
    else if (!pp_diags_failed(l->diags))
        pp_diag_nomem(l->diags);
}

const struct pp_node *pp_config_load(struct pp_arena *arena, const struct pp_config_input *input,
                                     const struct pp_config_io *io, struct pp_diags *diags)
{
    struct loader l = {.arena = arena, .io = io, .diags = diags,
                       .append_lists = input->append_lists};

    if (!arena->bytes_limit)
        arena->bytes_limit = PP_CONFIG_BYTES_MAX;
    if (input->uris_n == 0)
        pp_diag_add(diags, PP_SEVERITY_ERROR, argument_mark(""), "",
                    "no configuration; give at least one --config");
    for (size_t i = 0; i < input->uris_n; i++)
        add(&l, with_scheme(arena, input->uris[i]), "--config");
    for (size_t i = 0; i < input->sets_n; i++) {
        const char *uri = set_to_uri(arena, input->sets[i]);
        if (uri)
            add(&l, pp_str_c(uri), "--set");
        else
            pp_diag_add(diags, PP_SEVERITY_ERROR, argument_mark("--set"), "",
                        "\"%s\" is not of the form key.key=value", input->sets[i]);
    }
    return l.root ? pp_node_expand(arena, l.root, io, diags) : NULL;
}
