/* Shared by the parser and the evaluator of conditions. */
#ifndef PP_ROUTING_CONDITION_INTERNAL_H
#define PP_ROUTING_CONDITION_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/arena.h"
#include "condition.h"

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_TRUE, NODE_FALSE, NODE_COMPARE, NODE_MATCH };
enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct operand {
    bool is_path;
    enum pp_condition_scope scope;
    struct pp_str key;
    struct pp_any_value constant; /* PP_ANY_EMPTY: nil */
};

struct node {
    enum node_kind kind;
    enum compare_op op;
    struct node *left, *right;    /* OR, AND; NOT: left */
    struct operand a, b;          /* COMPARE; MATCH: a */
    pcre2_code *regex;            /* MATCH */
    struct node *next_with_regex; /* to free them */
};

struct pp_condition {
    struct pp_arena arena;
    struct node *root;
    struct node *with_regex;
    pcre2_match_context *match_context;
};

#endif
