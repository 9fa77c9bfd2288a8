#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "condition_internal.h"

struct parser {
    struct pp_condition *condition;
    const char *text;
    struct pp_str rest;
    unsigned nodes, depth;
    struct pp_error *err;
};

static struct node *parse_or(struct parser *p);

static bool fail(struct parser *p, const char *expected)
{
    size_t column = (size_t)(p->rest.p - p->text) + 1;
    int shown = (int)(p->rest.n < 20 ? p->rest.n : 20);

    if (p->err && p->err->kind == PP_ERR_NONE)
        pp_error_set(p->err, PP_ERR_CONFIG, "column %zu: expected %s, found %s%.*s%s", column, expected, shown ? "\"" : "",
                     shown, p->rest.p, shown ? "\"" : "the end");
    return false;
}

static void skip_space(struct parser *p)
{
    while (p->rest.n && (*p->rest.p == ' ' || (*p->rest.p >= '\t' && *p->rest.p <= '\r')))
        p->rest.p++, p->rest.n--;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Takes `token` when it comes next; a word only when it ends there. */
static bool accept(struct parser *p, const char *token)
{
    size_t n = strlen(token);

    skip_space(p);
    if (!pp_str_starts(p->rest, token))
        return false;
    if (is_word_char(token[n - 1]) && p->rest.n > n && is_word_char(p->rest.p[n]))
        return false;
    p->rest.p += n;
    p->rest.n -= n;
    return true;
}

static bool expect(struct parser *p, const char *token)
{
    char expected[32];

    if (accept(p, token))
        return true;
    snprintf(expected, sizeof(expected), "\"%s\"", token);
    return fail(p, expected);
}

static struct node *new_node(struct parser *p, enum node_kind kind)
{
    struct node *node = NULL;

    if (++p->nodes > PP_CONDITION_NODES_MAX)
        pp_error_set(p->err, PP_ERR_LIMIT, "more than %u terms", PP_CONDITION_NODES_MAX);
    else if (!(node = pp_arena_alloc(&p->condition->arena, sizeof(*node))))
        pp_error_nomem(p->err);
    else
        node->kind = kind;
    return node;
}

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

static bool parse_string(struct parser *p, struct pp_str *ret)
{
    char *copy;
    size_t n = 0;

    skip_space(p);
    if (p->rest.n == 0 || *p->rest.p != '"')
        return fail(p, "a string in double quotes");
    copy = pp_arena_alloc(&p->condition->arena, p->rest.n);
    if (!copy)
        return pp_error_nomem(p->err);
    for (size_t i = 1; i < p->rest.n; i++) {
        char c = p->rest.p[i];
        if (c == '"') {
            p->rest.p += i + 1;
            p->rest.n -= i + 1;
            *ret = (struct pp_str){copy, n};
            return true;
        }
        if (c == '\\' && i + 1 < p->rest.n)
            c = unescape(p->rest.p[++i]);
        copy[n++] = c;
    }
    return fail(p, "a string that ends with a double quote");
}

/* Metadata carries its names in lower case; the Collector looks them up regardless of case. */
static bool parse_key(struct parser *p, struct operand *operand)
{
    char *name;

    if (!parse_string(p, &operand->key))
        return false;
    name = (char *)operand->key.p; /* our own copy */
    for (size_t i = 0; operand->scope == PP_CONDITION_REQUEST && i < operand->key.n; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] + ('a' - 'A'));
    return true;
}

static bool parse_number(struct parser *p, struct pp_any_value *ret)
{
    const char *start = p->rest.p; /* the text is NUL-terminated behind rest */
    char *end_int, *end_double;
    long long integer;
    double number;

    errno = 0;
    integer = strtoll(start, &end_int, 10);
    number = strtod(start, &end_double);
    if (end_double == start)
        return fail(p, "attributes[...], resource.attributes[...], request[...], a string, a number, true, false or nil");
    if (end_double > end_int)
        *ret = (struct pp_any_value){.kind = PP_ANY_DOUBLE, .number = number};
    else if (errno == ERANGE)
        return fail(p, "an integer of 64 bits");
    else
        *ret = (struct pp_any_value){.kind = PP_ANY_INT, .integer = integer};
    p->rest.n -= (size_t)(end_double - start);
    p->rest.p = end_double;
    return true;
}

static bool parse_operand(struct parser *p, struct operand *ret)
{
    *ret = (struct operand){.is_path = true};
    if (accept(p, "resource.attributes") || accept(p, "attributes"))
        ret->scope = PP_CONDITION_RESOURCE;
    else if (accept(p, "request"))
        ret->scope = PP_CONDITION_REQUEST;
    else
        ret->is_path = false;
    if (ret->is_path)
        return expect(p, "[") && parse_key(p, ret) && expect(p, "]");

    if (accept(p, "nil"))
        return true;
    if (accept(p, "true")) {
        ret->constant = (struct pp_any_value){.kind = PP_ANY_BOOL, .boolean = true};
        return true;
    }
    if (accept(p, "false")) {
        ret->constant = (struct pp_any_value){.kind = PP_ANY_BOOL};
        return true;
    }
    skip_space(p);
    if (p->rest.n && *p->rest.p == '"') {
        ret->constant.kind = PP_ANY_STRING;
        return parse_string(p, &ret->constant.string);
    }
    return parse_number(p, &ret->constant);
}

static bool parse_compare_op(struct parser *p, enum compare_op *ret)
{
    static const struct {
        const char *token;
        enum compare_op op;
    } ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT}, {">", OP_GT}};

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (accept(p, ops[i].token)) {
            *ret = ops[i].op;
            return true;
        }
    }
    return fail(p, "==, !=, <, <=, > or >=");
}

static bool compile_regex(struct parser *p, struct node *node, struct pp_str pattern)
{
    PCRE2_UCHAR reason[128];
    PCRE2_SIZE offset;
    int code;

    node->regex = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_UTF, &code, &offset, NULL);
    if (!node->regex) {
        pcre2_get_error_message(code, reason, sizeof(reason));
        return pp_error_set(p->err, PP_ERR_CONFIG, "column %zu: regular expression \"" PP_STR_FMT "\": %s",
                            (size_t)(p->rest.p - p->text), PP_STR_ARG(pattern), (const char *)reason);
    }
    node->next_with_regex = p->condition->with_regex;
    p->condition->with_regex = node;
    return true;
}

static struct node *parse_match(struct parser *p)
{
    struct node *node = new_node(p, NODE_MATCH);
    struct pp_str pattern;

    if (!node || !expect(p, "(") || !parse_operand(p, &node->a) || !expect(p, ",") || !parse_string(p, &pattern) ||
        !expect(p, ")") || !compile_regex(p, node, pattern))
        return NULL;
    return node;
}

static struct node *parse_compare(struct parser *p)
{
    struct node *node = new_node(p, NODE_COMPARE);
    struct operand *a;

    if (!node || !parse_operand(p, &node->a))
        return NULL;
    a = &node->a;
    skip_space(p);
    if (!a->is_path && a->constant.kind == PP_ANY_BOOL && (p->rest.n == 0 || !strchr("=!<>", *p->rest.p))) {
        node->kind = a->constant.boolean ? NODE_TRUE : NODE_FALSE;
        return node;
    }
    return parse_compare_op(p, &node->op) && parse_operand(p, &node->b) ? node : NULL;
}

static struct node *parse_term(struct parser *p)
{
    struct node *node;

    if (p->depth >= PP_CONDITION_DEPTH_MAX) {
        pp_error_set(p->err, PP_ERR_LIMIT, "nested deeper than %u", PP_CONDITION_DEPTH_MAX);
        return NULL;
    }
    p->depth++;
    if (accept(p, "not")) {
        node = new_node(p, NODE_NOT);
        if (node && !(node->left = parse_term(p)))
            node = NULL;
    } else if (accept(p, "(")) {
        node = parse_or(p);
        if (node && !expect(p, ")"))
            node = NULL;
    } else if (accept(p, "IsMatch")) {
        node = parse_match(p);
    } else {
        node = parse_compare(p);
    }
    p->depth--;
    return node;
}

/* A chain of `next` joined by the word; left-associative. */
static struct node *parse_chain(struct parser *p, const char *word, enum node_kind kind, struct node *(*next)(struct parser *))
{
    struct node *left = next(p);

    while (left && accept(p, word)) {
        struct node *joined = new_node(p, kind);
        if (!joined || !(joined->right = next(p)))
            return NULL;
        joined->left = left;
        left = joined;
    }
    return left;
}

static struct node *parse_and(struct parser *p)
{
    return parse_chain(p, "and", NODE_AND, parse_term);
}

static struct node *parse_or(struct parser *p)
{
    return parse_chain(p, "or", NODE_OR, parse_and);
}

static bool parse_whole(struct parser *p, bool statement)
{
    bool always = false;

    if (statement) {
        if (!expect(p, "route") || !expect(p, "(") || !expect(p, ")"))
            return false;
        skip_space(p);
        always = p->rest.n == 0;
        if (!always && !expect(p, "where"))
            return false;
    }
    p->condition->root = always ? new_node(p, NODE_TRUE) : parse_or(p);
    if (!p->condition->root)
        return false;
    skip_space(p);
    return p->rest.n == 0 || fail(p, "\"and\", \"or\" or the end");
}

struct pp_condition *pp_condition_new(const char *text, bool statement, struct pp_error *err)
{
    struct pp_error own = {0};
    struct parser p = {.text = text, .rest = pp_str_c(text), .err = err ? err : &own};

    p.err->kind = PP_ERR_NONE;
    if (p.rest.n > PP_CONDITION_BYTES_MAX) {
        pp_error_set(err, PP_ERR_LIMIT, "longer than %u bytes", PP_CONDITION_BYTES_MAX);
        return NULL;
    }
    p.condition = pp_calloc(1, sizeof(*p.condition));
    if (!p.condition) {
        pp_error_nomem(err);
        return NULL;
    }
    p.condition->match_context = pcre2_match_context_create(NULL);
    if (!p.condition->match_context)
        pp_error_nomem(err);
    else if (parse_whole(&p, statement))
        pcre2_set_match_limit(p.condition->match_context, PP_CONDITION_MATCH_STEPS_MAX);
    if (!p.condition->match_context || p.err->kind != PP_ERR_NONE) {
        pp_condition_free(p.condition);
        return NULL;
    }
    return p.condition;
}

void pp_condition_free(struct pp_condition *condition)
{
    if (!condition)
        return;
    for (struct node *node = condition->with_regex; node; node = node->next_with_regex)
        pcre2_code_free(node->regex);
    pcre2_match_context_free(condition->match_context);
    pp_arena_done(&condition->arena);
    pp_free(condition);
}
