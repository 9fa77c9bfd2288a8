/* The command line, parsed. */
#ifndef PP_CLI_OPTIONS_H
#define PP_CLI_OPTIONS_H

#include <stdint.h>

#include "base/vec.h"
#include "cli/gates.h"

struct pp_options {
    const char *command; /* "" runs the daemon */
    const char *args[4]; /* what stands behind the command; NULL-terminated */
    PP_VEC(const char *) configs, sets;
    struct pp_gates gates;
    bool profiles_only;
    bool help, version;
    bool validate;   /* print-config: check first */
    bool unredacted; /* print-config */
    bool json;       /* print-config */
    uint64_t shutdown_timeout_ms;
    size_t loops;
};

/* False with a message on standard error when the command line is wrong. */
bool pp_options_parse(int argc, char **argv, struct pp_options *ret);
void pp_options_done(struct pp_options *options);
void pp_options_help(void);

#endif
