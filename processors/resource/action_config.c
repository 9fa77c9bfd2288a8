#include <string.h>

#include "action.h"
#include "config/tree.h"

static const char *const action_names[] = {"insert", "update", "upsert", "delete", "hash", "extract", "convert", NULL};

static const struct pp_field action_fields[] = {
    PP_ROW_STRING(struct pp_action_config, key, 0, "Attribute to act on."),
    PP_ROW_ENUM(struct pp_action_config, action, PP_FIELD_REQUIRED, action_names, "What to do."),
    PP_ROW_NODE(struct pp_action_config, value, 0, "insert, update, upsert: the value; its type is YAML's."),
    PP_ROW_STRING(struct pp_action_config, from_attribute, 0, "insert, update, upsert: take the value of this attribute, if it is there."),
    PP_ROW_STRING(struct pp_action_config, from_context, 0,
                  "insert, update, upsert: take it from the request: metadata.NAME (several values joined by ;), auth.NAME, client.address."),
    PP_ROW_STRING(struct pp_action_config, pattern, 0,
                  "delete, hash: regular expression of keys; extract: of the value, its named groups become attributes."),
    PP_ROW_STRING(struct pp_action_config, converted_type, 0, "convert: int, double or string."),
    PP_ROW_END,
};

static bool is_setter(int action)
{
    return action == PP_ACTION_INSERT || action == PP_ACTION_UPDATE || action == PP_ACTION_UPSERT;
}

static void check_setter(const struct pp_action_config *config, struct pp_check *check)
{
    int sources = (config->value != NULL) + (config->from_attribute != NULL) + (config->from_context != NULL);

    if (is_setter(config->action) && sources != 1)
        pp_check_error(check, "", "%s needs exactly one of value, from_attribute, from_context", action_names[config->action]);
    if (!is_setter(config->action) && sources)
        pp_check_error(check, "", "%s takes no value, from_attribute or from_context", action_names[config->action]);
    if (config->from_context && strncmp(config->from_context, "metadata.", 9) != 0 && strncmp(config->from_context, "auth.", 5) != 0 &&
        strcmp(config->from_context, "client.address") != 0)
        pp_check_error(check, "from_context", "\"%s\" is neither metadata.NAME, auth.NAME nor client.address", config->from_context);
}

static void check_regex(const struct pp_action_config *config, struct pp_check *check)
{
    struct pp_action action = {0};
    struct pp_arena arena = {0};
    struct pp_error err;

    if (!pp_action_init(&action, config, &arena, &err))
        pp_check_error(check, config->pattern ? "pattern" : "value", "%s", err.message);
    pp_action_done(&action);
    pp_arena_done(&arena);
}

static void action_validate(const void *config_, struct pp_check *check)
{
    const struct pp_action_config *config = config_;
    bool by_pattern = config->action == PP_ACTION_DELETE || config->action == PP_ACTION_HASH;
    const char *type = config->converted_type;

    if (!config->key && !(by_pattern && config->pattern))
        pp_check_error(check, "", "%s needs key%s", action_names[config->action], by_pattern ? " or pattern" : "");
    if (config->pattern && !by_pattern && config->action != PP_ACTION_EXTRACT)
        pp_check_error(check, "pattern", "%s takes no pattern", action_names[config->action]);
    if (config->action == PP_ACTION_EXTRACT && !config->pattern)
        pp_check_error(check, "", "extract needs pattern");
    if ((config->action == PP_ACTION_CONVERT) != (type != NULL))
        pp_check_error(check, "", "convert and converted_type come together");
    if (type && strcmp(type, "int") != 0 && strcmp(type, "double") != 0 && strcmp(type, "string") != 0)
        pp_check_error(check, "converted_type", "\"%s\" is not one of int, double, string", type);
    check_setter(config, check);
    check_regex(config, check);
}

const struct pp_group pp_action_group = {
    .name = "attributes",
    .size = sizeof(struct pp_action_config),
    .fields = action_fields,
    .validate = action_validate,
};

static bool encode_scalar(const struct pp_node *node, struct pp_arena *arena, struct pp_str *ret)
{
    struct pp_scalar scalar = pp_node_scalar(node);

    switch (scalar.type) {
    case PP_SCALAR_NULL:
        *ret = (struct pp_str){0};
        return true;
    case PP_SCALAR_BOOL:
        return pp_any_value_from_bool(arena, scalar.b, ret);
    case PP_SCALAR_INT:
        return pp_any_value_from_int(arena, scalar.i, ret);
    case PP_SCALAR_FLOAT:
        return pp_any_value_from_double(arena, scalar.f, ret);
    case PP_SCALAR_STRING:
        break;
    }
    return pp_any_value_from_string(arena, node->text, ret);
}

static bool encode(const struct pp_node *node, unsigned depth, struct pp_arena *arena, struct pp_str *ret, struct pp_error *err)
{
    struct pp_key_value *pairs;
    struct pp_str *elements;

    if (depth > PP_ACTION_VALUE_DEPTH_MAX)
        return pp_error_set(err, PP_ERR_CONFIG, "nested deeper than %u", PP_ACTION_VALUE_DEPTH_MAX);
    if (node->kind == PP_NODE_SCALAR || node->kind == PP_NODE_NULL)
        return encode_scalar(node, arena, ret) || pp_error_nomem(err);

    pairs = pp_arena_array(arena, node->n, sizeof(*pairs));
    elements = pp_arena_array(arena, node->n, sizeof(*elements));
    if (!pairs || !elements)
        return pp_error_nomem(err);
    for (size_t i = 0; i < node->n; i++) {
        bool list = node->kind == PP_NODE_LIST;
        if (!encode(list ? node->items[i] : node->entries[i].value, depth + 1, arena, &elements[i], err))
            return false;
        if (!list)
            pairs[i] = (struct pp_key_value){node->entries[i].key->text, elements[i]};
    }
    return (node->kind == PP_NODE_LIST ? pp_any_value_from_array(arena, elements, node->n, ret)
                                       : pp_any_value_from_pairs(arena, pairs, node->n, ret)) ||
           pp_error_nomem(err);
}

bool pp_action_encode_node(const struct pp_node *node, struct pp_arena *arena, struct pp_str *ret, struct pp_error *err)
{
    return encode(node, 0, arena, ret, err);
}
