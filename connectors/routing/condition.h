/* Routing conditions: the part of the Collector's transformation language (OTTL) that speaks of resource attributes and request metadata.
 *
 *   condition  = and { "or" and } ;  and = term { "and" term } ;
 *   term       = "not" term | "(" condition ")" | "true" | "false" | IsMatch "(" operand "," string ")" | operand compare operand ;
 *   compare    = "==" | "!=" | "<" | "<=" | ">" | ">=" ;
 *   operand    = path "[" string "]" | string | number | "true" | "false" | "nil" ;
 *   path       = "attributes" | "resource.attributes" | "request" ;
 *   statement  = "route()" [ "where" condition ]
 *
 * Values of unlike types are unequal and in no order, as in OTTL. */
#ifndef PP_ROUTING_CONDITION_H
#define PP_ROUTING_CONDITION_H

#include "base/error.h"
#include "profiles/any_value.h"

#define PP_CONDITION_BYTES_MAX 4096u
#define PP_CONDITION_NODES_MAX 256u
#define PP_CONDITION_DEPTH_MAX 32u
#define PP_CONDITION_MATCH_STEPS_MAX 100000u /* of one regular expression on one value */

struct pp_condition;

enum pp_condition_scope { PP_CONDITION_RESOURCE, PP_CONDITION_REQUEST };

/* Where a condition finds its values; PP_ANY_EMPTY stands for "there is none". Attributes have one value; a key of the request's metadata may have more,
 * asked for by `i` from 0 on, and what holds for one of them holds, as in the Collector. */
struct pp_condition_source {
    void (*get)(const void *context, enum pp_condition_scope scope, struct pp_str key, size_t i, struct pp_any_value *ret);
    const void *context;
};

/* Parses a bare condition, or with `statement` the form route() where ... . The error names the column (1-based, in bytes). */
struct pp_condition *pp_condition_new(const char *text, bool statement, struct pp_error *err);
void pp_condition_free(struct pp_condition *condition);
bool pp_condition_holds(const struct pp_condition *condition, const struct pp_condition_source *source);

#endif
