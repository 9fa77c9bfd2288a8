#include "condition_internal.h"

/* The i-th value; false past the last. The first is always there, if only as "none". */
static bool operand_value(const struct operand *operand, const struct pp_condition_source *source, size_t i, struct pp_any_value *ret)
{
    bool several = operand->is_path && operand->scope == PP_CONDITION_REQUEST;

    if (i > 0 && !several)
        return false;
    *ret = operand->constant;
    if (operand->is_path) {
        *ret = (struct pp_any_value){.kind = PP_ANY_EMPTY};
        source->get(source->context, operand->scope, operand->key, i, ret);
    }
    return i == 0 || ret->kind != PP_ANY_EMPTY;
}

static bool is_number(const struct pp_any_value *value)
{
    return value->kind == PP_ANY_INT || value->kind == PP_ANY_DOUBLE;
}

static double as_double(const struct pp_any_value *value)
{
    return value->kind == PP_ANY_INT ? (double)value->integer : value->number;
}

static int order_bytes(struct pp_str a, struct pp_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Into *ret_order <0, 0 or >0; false when the two cannot be compared. */
static bool order_values(const struct pp_any_value *a, const struct pp_any_value *b, int *ret_order)
{
    if (a->kind == PP_ANY_INT && b->kind == PP_ANY_INT) {
        *ret_order = (a->integer > b->integer) - (a->integer < b->integer);
    } else if (is_number(a) && is_number(b)) {
        double x = as_double(a), y = as_double(b);
        if (x != x || y != y)
            return false;
        *ret_order = (x > y) - (x < y);
    } else if (a->kind != b->kind) {
        return false;
    } else if (a->kind == PP_ANY_BOOL) {
        *ret_order = (int)a->boolean - (int)b->boolean;
    } else if (a->kind == PP_ANY_STRING || a->kind == PP_ANY_BYTES) {
        *ret_order = order_bytes(a->string, b->string);
    } else if (a->kind == PP_ANY_EMPTY) {
        *ret_order = 0;
    } else {
        return false;
    }
    return true;
}

/* Whether one side is metadata that the request does not carry and the other is no nil: nothing holds then, != neither, as in the Collector. */
static bool is_missing_metadata(const struct operand *operand, const struct pp_any_value *value, const struct pp_any_value *other)
{
    return operand->is_path && operand->scope == PP_CONDITION_REQUEST && value->kind == PP_ANY_EMPTY && other->kind != PP_ANY_EMPTY;
}

static bool compare_values(const struct node *node, const struct pp_any_value *a, const struct pp_any_value *b)
{
    int order;

    if (is_missing_metadata(&node->a, a, b) || is_missing_metadata(&node->b, b, a))
        return false;
    if (!order_values(a, b, &order))
        return node->op == OP_NE;
    switch (node->op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    }
    return false;
}

static bool compare_holds(const struct node *node, const struct pp_condition_source *source)
{
    struct pp_any_value a, b;

    for (size_t i = 0; operand_value(&node->a, source, i, &a); i++)
        for (size_t k = 0; operand_value(&node->b, source, k, &b); k++)
            if (compare_values(node, &a, &b))
                return true;
    return false;
}

/* A value that is no string, no valid UTF-8, or costs more steps than allowed does not match. */
static bool match_value(const struct pp_condition *condition, const struct node *node, const struct pp_any_value *value)
{
    pcre2_match_data *data;
    int found;

    if (value->kind != PP_ANY_STRING)
        return false;
    data = pcre2_match_data_create(1, NULL);
    if (!data)
        return false;
    found = pcre2_match(node->regex, (PCRE2_SPTR)(value->string.n ? value->string.p : ""), value->string.n, 0, 0, data,
                        condition->match_context);
    pcre2_match_data_free(data);
    return found >= 0;
}

static bool match_holds(const struct pp_condition *condition, const struct node *node, const struct pp_condition_source *source)
{
    struct pp_any_value value;

    for (size_t i = 0; operand_value(&node->a, source, i, &value); i++)
        if (match_value(condition, node, &value))
            return true;
    return false;
}

static bool node_holds(const struct pp_condition *condition, const struct node *node, const struct pp_condition_source *source)
{
    switch (node->kind) {
    case NODE_OR:
        return node_holds(condition, node->left, source) || node_holds(condition, node->right, source);
    case NODE_AND:
        return node_holds(condition, node->left, source) && node_holds(condition, node->right, source);
    case NODE_NOT:
        return !node_holds(condition, node->left, source);
    case NODE_COMPARE:
        return compare_holds(node, source);
    case NODE_MATCH:
        return match_holds(condition, node, source);
    case NODE_TRUE:
        return true;
    case NODE_FALSE:
        return false;
    }
    return false;
}

bool pp_condition_holds(const struct pp_condition *condition, const struct pp_condition_source *source)
{
    return node_holds(condition, condition->root, source);
}
