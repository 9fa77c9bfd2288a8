/* One compiled action of the resource processor on one resource's attributes. */
#ifndef PP_RESOURCE_ACTION_H
#define PP_RESOURCE_ACTION_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "config/rows.h"
#include "profiles/any_value.h"
#include "profiles/resource_edit.h"

#define PP_ACTION_MATCH_STEPS_MAX 100000u /* of one regular expression on one value */
#define PP_ACTION_VALUE_DEPTH_MAX 8u      /* of lists and maps in a configured value */

enum pp_action_kind {
    PP_ACTION_INSERT,
    PP_ACTION_UPDATE,
    PP_ACTION_UPSERT,
    PP_ACTION_DELETE,
    PP_ACTION_HASH,
    PP_ACTION_EXTRACT,
    PP_ACTION_CONVERT,
};

struct pp_action_config {
    const char *key, *pattern;
    int action; /* enum pp_action_kind */
    const struct pp_node *value;
    const char *from_attribute, *from_context;
    const char *converted_type;
};

extern const struct pp_group pp_action_group;

struct pp_action {
    size_t number; /* in the processor's list */
    const struct pp_action_config *config;
    pcre2_code *regex;                  /* of `pattern`; NULL without one */
    pcre2_match_context *match_context; /* with it */
    struct pp_str value;                /* encoded AnyValue of config->value, in the processor's arena */
};

/* Compiles; what it allocates beyond `arena` goes with pp_action_done, also after a failure. */
bool pp_action_init(struct pp_action *action, const struct pp_action_config *config, struct pp_arena *arena, struct pp_error *err);
void pp_action_done(struct pp_action *action);

/* What an action writes into every resource of a batch: copied into the batch once, however many resources it has. */
struct pp_action_copy {
    bool made, found; /* found: there is a value; a request need not carry what from_context names */
    struct pp_str key, value;
};

/* What an action needs beside the resource itself. */
struct pp_action_site {
    struct pp_resource_edit edit;
    struct pp_arena *arena;        /* the batch's */
    struct pp_action_copy *copies; /* one for each action of the processor, by its number; all zero at first */
    const struct pp_context *context;
};

/* Applies to one resource; false when memory is out, the batch is not to be passed on then. */
bool pp_action_apply(const struct pp_action *action, struct pp_action_site *site);

/* The encoded AnyValue of a YAML value; PP_ERR_CONFIG when it is nested too deep. */
bool pp_action_encode_node(const struct pp_node *node, struct pp_arena *arena, struct pp_str *ret, struct pp_error *err);

#endif
