/* The Collector's feature gates: known ones are accepted, so that its command lines work; few mean anything here. */
#ifndef PP_CLI_GATES_H
#define PP_CLI_GATES_H

#include <stdbool.h>
#include <stddef.h>

struct pp_gate {
    const char *id;
    bool enabled; /* by default */
    const char *stage;
    const char *description;
    const char *here; /* what it does in profpipe */
};

extern const struct pp_gate pp_gate_table[]; /* ends with id NULL */
#define PP_GATES_MAX 32u

struct pp_gates {
    signed char set[PP_GATES_MAX]; /* by place in the table: 1 on, -1 off, 0 default */
};

/* "a,-b,+c"; false with a message on standard error for a gate that nobody knows. */
bool pp_gates_parse(struct pp_gates *gates, const char *list);
bool pp_gates_enabled(const struct pp_gates *gates, const char *id);
/* Logs a warning for each gate that was switched on and does nothing here although it does in the Collector. */
void pp_gates_warn(const struct pp_gates *gates);
/* The `featuregate` command; `id` NULL: all. */
int pp_gates_print(const struct pp_gates *gates, const char *id);

#endif
